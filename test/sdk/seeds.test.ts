/** The first programs anybody writes with the package, as its overview shows them; only the import is this package's. */
import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SDK, SRE } from "effect-sre/sdk"
import * as OpenAIServer from "../fixtures/OpenAIServer.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

/** A server that answers by what it is asked, as a model would. */
class Model extends Context.Tag("test/Model")<Model, OpenAIServer.OpenAIServer>() {
  static readonly layer = Layer.scoped(Model, OpenAIServer.make((request) => reply(JSON.parse(request.body) as Asked)))
}

interface Asked {
  readonly model: string
  readonly temperature?: number
  readonly messages: ReadonlyArray<{ readonly role: string; readonly content: unknown }>
  readonly tools?: ReadonlyArray<{ readonly function: { readonly name: string; readonly description: string } }>
}

const reply = ({ messages, tools }: Asked): string | OpenAIServer.Reply => {
  const last = messages.at(-1)!
  const question = JSON.stringify(last.content)
  if (last.role === "tool") return `It says ${String(last.content)}`
  const call = (name: string, args: object) =>
    tools?.some((tool) => tool.function.name === name) ? { toolCalls: [{ name, arguments: args }] } : "no such tool"
  if (question.includes("weather")) return call("getWeather", { location: "Paris" })
  if (question.includes("sales")) return call("processData", { data: [1, 2] })
  if (question.includes("JSON object")) return `{"positive": true, "negative": false, "neutral": false}`
  return `${messages.filter(({ role }) => role === "user").length}: ${question}`
}

const bodies = Effect.map(Model, ({ requests }) => requests.map(({ body }) => JSON.parse(body) as Asked))

/** A system like the overview's, with its files in a folder of the test and its models at the test's server. */
const started = Effect.gen(function*() {
  const { baseURL } = yield* Model
  const folder = yield* tempFolder
  return yield* Effect.acquireRelease(
    Effect.promise(() => {
      const sre = SRE.init({
        Cache: { Connector: "RAM" },
        Storage: { Connector: "Local", Settings: { folder } },
        Account: { Connector: "DummyAccount" },
        Log: { Connector: "ConsoleLog", Settings: { level: "error" } },
        NKV: { Connector: "RAM" },
        Vault: { Connector: "NullVault" },
        ManagedVault: { Connector: "NullManagedVault" },
        LLM: { Connector: "OpenAI", Settings: { apiKey: "sk-of-the-operator", baseURL } }
      })
      return sre.ready()
    }),
    (sre) => Effect.promise(() => sre.stop())
  )
})

const program = <A>(run: () => Promise<A>) =>
  Effect.scoped(Effect.zipRight(started, Effect.promise(run))).pipe(
    Effect.zip(bodies),
    Effect.provide(Model.layer)
  )

/** Variables of the process for the time of a scope. */
const withVariables = (variables: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = { ...process.env }
      Object.assign(process.env, variables)
      return before
    }),
    (before) =>
      Effect.sync(() => {
        process.env = before
      })
  )

describe("the programs of the overview", () => {
  layer(Layer.empty, { excludeTestServices: true })((it) => {
    it.effect("a model answers, and streams", () =>
      Effect.gen(function*() {
        const [{ chunks, response }, asked] = yield* program(async () => {
          // Create an LLM with simple API
          const llm = new SDK.LLM("OpenAI", {
            model: "gpt-4",
            temperature: 0.7
          })

          // Instant AI responses
          const response = await llm.prompt("Explain quantum computing")

          // Streaming responses
          const chunks: Array<string> = []
          const stream = await llm.prompt("Write a story").stream()
          stream.on("content", (chunk) => chunks.push(chunk))
          await stream.finished
          return { response, chunks }
        })
        assert.include(response, "Explain quantum computing")
        assert.isAbove(chunks.length, 1)
        assert.include(chunks.join(""), "Write a story")
        assert.deepStrictEqual(asked.map(({ temperature }) => temperature), [0.7, 0.7])
      }))

    it.effect("the key of the settings serves, and goes to the address of the settings", () =>
      Effect.gen(function*() {
        const server = yield* OpenAIServer.make("mine")
        const operators = yield* OpenAIServer.make("theirs")
        const answers = yield* Effect.promise(async () => {
          const { baseURL } = operators
          const sre = SRE.init({
            Storage: { Connector: "Memory" },
            NKV: { Connector: "RAM" },
            Vault: { Connector: "NullVault" },
            ManagedVault: { Connector: "NullManagedVault" },
            LLM: { Connector: "OpenAI", Settings: { apiKey: "sk-of-the-operator", baseURL } }
          })
          const first = await new SDK.LLM("OpenAI", { model: "gpt-4" }, { sre }).prompt("hi")
          const second = await new SDK.LLM("OpenAI", { model: "gpt-4", baseURL: server.baseURL }, { sre }).prompt("hi")
          await sre.stop()
          return [first, second]
        })
        assert.deepStrictEqual(answers, ["theirs", "mine"])
        assert.strictEqual(operators.requests[0]?.headers["authorization"], "Bearer sk-of-the-operator")
        assert.notInclude(JSON.stringify(server.requests), "sk-of-the-operator")
      }).pipe(Effect.scoped))

    it.effect("a key in the environment alone is enough", () =>
      Effect.gen(function*() {
        const server = yield* OpenAIServer.make("Hello!")
        const folder = yield* tempFolder
        yield* withVariables({ OPENAI_API_KEY: "sk-of-the-shell", SRE_DATA: folder })
        const text = yield* Effect.promise(async () => {
          const sre = SRE.init({
            Cache: { Connector: "RAM" },
            Storage: { Connector: "Local" },
            Log: { Connector: "ConsoleLog" },
            LLM: { Connector: "OpenAI", Settings: { baseURL: server.baseURL } }
          })
          await sre.ready()

          // Create an LLM instance
          const llm = new SDK.LLM("OpenAI", { model: "gpt-4" })

          // Stream responses
          const eventEmitter = await llm.prompt("Hello, world!").stream()
          eventEmitter.on("content", console.log)
          const text = await eventEmitter.finished
          await sre.stop()
          return text
        })
        assert.strictEqual(text, "Hello!")
        assert.strictEqual(server.requests[0]?.headers["authorization"], "Bearer sk-of-the-shell")
      }).pipe(Effect.scoped))

    it.effect("an agent is created, and uses what was added to it", () =>
      Effect.gen(function*() {
        const [{ result, seen }, asked] = yield* program(async () => {
          // Create an intelligent agent
          const agent = new SDK.Agent({
            name: "DataAnalyst",
            model: "gpt-4",
            behavior: "You are an expert data analyst who provides insights from data."
          })

          // Add custom skills to your agent
          const seen: Array<unknown> = []
          agent.addSkill({
            name: "processData",
            description: "Analyze and process data",
            process: async (data) => {
              seen.push(data)
              return { analysis: "processed", insights: [] }
            }
          })

          // Use your agent
          const result = await agent.prompt("Analyze the sales data for trends")
          return { result, seen }
        })
        assert.deepStrictEqual(seen, [[1, 2]])
        assert.include(result, `"analysis":"processed"`)
        assert.deepStrictEqual(asked[0]?.messages[0], {
          role: "system",
          content: "You are an expert data analyst who provides insights from data."
        })
      }))

    it.effect("a skill is a tool the model calls, and its result is what the answer is made of", () =>
      Effect.gen(function*() {
        const [{ places, response }, asked] = yield* program(async () => {
          const agent = new SDK.Agent({ name: "Weather", model: "gpt-4" })
          const places: Array<string> = []

          // Define a custom skill
          agent.addSkill({
            name: "getWeather",
            description: "Get current weather for a location",
            ai_exposed: true, // Available to LLM as a tool
            process: async (location) => {
              places.push(location)
              return { temperature: 72, condition: "sunny" }
            }
          })

          // Agent automatically uses it as a tool
          const response = await agent.prompt("What's the weather in Paris?")
          return { response, places }
        })
        assert.deepStrictEqual(places, ["Paris"])
        assert.include(response, `"temperature":72`)
        assert.strictEqual(asked[0]?.tools?.[0]?.function.description, "Get current weather for a location")
        assert.strictEqual(asked.length, 2)
      }))

    it.effect("a chat has context and a history", () =>
      Effect.gen(function*() {
        const [history, asked] = yield* program(async () => {
          const agent = new SDK.Agent({ name: "DataAnalyst", model: "gpt-4" })

          // Create persistent conversations
          const chat = agent.chat()

          // Multi-turn conversation with context
          await chat.send("Hello, I need help with data analysis")
          await chat.send("Can you analyze this CSV file?")
          await chat.send("What trends do you see?")

          // Access full conversation history
          return chat.history
        })
        assert.deepStrictEqual(
          history.map(({ role }) => role),
          ["user", "assistant", "user", "assistant", "user", "assistant"]
        )
        assert.deepStrictEqual(asked.map(({ messages }) => messages.length), [1, 3, 5])
      }))

    it.effect("components are created and connected", () =>
      Effect.gen(function*() {
        const [{ answer, classes }] = yield* program(async () => {
          const agent = new SDK.Agent({ name: "Composed", model: "gpt-4" })

          // Create components programmatically
          const llm = SDK.GenAILLM(
            {
              model: "gpt-4",
              prompt: "Analyze this text",
              temperature: 0.3
            },
            agent
          )

          const classifier = SDK.Classifier(
            {
              classes: ["positive", "negative", "neutral"]
            },
            agent
          )

          // Connect components with fluent API
          classifier.in({
            Input: llm.out.Reply
          })

          const start = agent.addSkill({ name: "start", inputs: { Input: { type: "Text" } } })
          llm.in({ Input: start.out.Input })
          return {
            answer: await agent.call("start", { Input: "a fine day" }),
            classes: agent.data.components.find(({ name }) => name === "Classifier")?.["outputs"]
          }
        })
        assert.deepStrictEqual(
          (classes as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name),
          ["positive", "negative", "neutral"]
        )
        assert.include(JSON.stringify(answer), `"positive":true`)
      }))

    it.effect("an agent goes out as data, and comes back", () =>
      Effect.gen(function*() {
        const [{ again, agentData, result }] = yield* program(async () => {
          // Start with SDK, enhance with visual designer
          const agent = new SDK.Agent({ name: "HybridAgent", model: "gpt-4" })
          const start = agent.addSkill({ name: "start", inputs: { text: { type: "Text" } } })
          SDK.FHash({ algorithm: "sha256", encoding: "hex" }, agent).in({ Data: start.out.text })

          // Export to visual designer for workflow design
          const agentData = agent.data

          // Import back enhanced workflows from visual designer
          const again = await SDK.Agent.import(JSON.parse(JSON.stringify(agentData)) as typeof agentData)

          // Create and run agent
          const settings = {}
          const other = new SDK.Agent(agentData, settings)
          const result = await other.process("/start", { text: "abc" })
          return { agentData, again: again.data, result }
        })
        assert.deepStrictEqual(again, agentData)
        assert.include(JSON.stringify(result), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
      }))
  })
})
