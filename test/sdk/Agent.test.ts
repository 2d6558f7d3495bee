/** Agents in code: skills, documents in and out, and errors that reach the caller. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CallFailed, type Emitter, SDK, SkillFailed, type SkillSettings } from "effect-sre/sdk"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { InvalidAgent } from "../../src/agents/Problem.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"
import { rejection, start, withServer } from "./systems.ts"

const echo = (settings: object = {}) => new SDK.Agent({ name: "Test", model: "Echo", ...settings })

/** What a function gets when a skill made of it is called. */
const calling = (settings: Omit<SkillSettings, "name">, input: Record<string, unknown>) =>
  Effect.gen(function*() {
    yield* start()
    const agent = echo()
    agent.addSkill({ name: "skill", ...settings })
    return yield* Effect.promise(() => agent.call("skill", input))
  }).pipe(Effect.scoped)

describe("a skill", () => {
  it.live("gets positional parameters in their order, whatever the order of the input", () =>
    Effect.gen(function*() {
      const input = { b: 2, a: 1 }
      assert.deepStrictEqual(yield* calling({ process: (a, b) => [a, b] }, input), [1, 2])
      assert.deepStrictEqual(yield* calling({ process: async (a, b = 5) => [a, b] }, { a: 1 }), [1, 5])
      assert.deepStrictEqual(
        yield* calling({
          process(a, b) {
            return [a, b]
          }
        }, input),
        [1, 2]
      )
    }))

  it.live("gets one object when it takes one apart, or when what it declares is not what it names", () =>
    Effect.gen(function*() {
      const input = { b: 2, a: 1 }
      assert.deepStrictEqual(yield* calling({ process: ({ a, b }) => [a, b] }, input), [1, 2])
      assert.deepStrictEqual(yield* calling({ process: ({ a, c = 3 }) => [a, c] }, { a: 1 }), [1, 3])
      const inputs = { a: {}, b: {} }
      assert.deepStrictEqual(yield* calling({ inputs, process: (all) => all }, input), input)
      assert.deepStrictEqual(yield* calling({ inputs, process: (b, a) => [b, a] }, input), [2, 1])
    }))

  it.live("has its declared inputs checked and made to fit", () =>
    Effect.gen(function*() {
      const inputs = { count: { type: "Integer" }, unit: { type: "Text", default: "kg" } } as const
      const process = (count: unknown, unit: unknown) => [count, unit]
      assert.deepStrictEqual(yield* calling({ inputs, process }, { count: "12" }), [12, "kg"])
      assert.deepStrictEqual(yield* calling({ method: "GET", inputs, process }, { count: 1 }), [1, "kg"])
    }))

  it.scopedLive("refuses input that is missing or does not fit, and names it", () =>
    Effect.gen(function*() {
      yield* start()
      const agent = echo()
      agent.addSkill({ name: "skill", inputs: { count: { type: "Integer" } }, process: (count) => count })
      for (const input of [{}, { count: "many" }]) {
        const error = yield* rejection(() => agent.call("skill", input))
        assert.strictEqual(error._tag, "BadInput")
        assert.include(error.message, "count")
      }
    }))

  it.scopedLive("is called by its name or its endpoint, whatever its name has in it", () =>
    Effect.gen(function*() {
      yield* start()
      const agent = echo({ id: "my_agent" })
      agent.addSkill({ name: "get-weather now", process: () => "sunny" })
      agent.addSkill({ name: "other", endpoint: "elsewhere", process: () => "other" })
      assert.deepStrictEqual(agent.skillNames, ["get-weather now", "other"])
      const answers = yield* Effect.promise(async () => [
        await agent.call("get-weather now"),
        await agent.call("get_weather_now"),
        await agent.process("/elsewhere")
      ])
      assert.deepStrictEqual(answers, ["sunny", "sunny", "other"])
      const error = yield* rejection(() => agent.call("get-wether now"))
      assert.strictEqual(error._tag, "EndpointNotFound")
    }))

  it.scopedLive("is gone once it is removed, and may come back as another", () =>
    Effect.gen(function*() {
      yield* start()
      const agent = echo()
      agent.addSkill({ name: "a-b", process: () => 1 })
      agent.addSkill({ name: "kept", process: () => 2 })
      yield* Effect.promise(() => agent.call("a-b"))
      assert.isTrue(agent.removeSkill("a-b"))
      assert.isFalse(agent.removeSkill("a-b"))
      assert.deepStrictEqual(agent.skillNames, ["kept"])
      assert.strictEqual((yield* rejection(() => agent.call("a-b")))._tag, "EndpointNotFound")
      agent.addSkill({ name: "a-b", process: () => 3 })
      assert.strictEqual(yield* Effect.promise(() => agent.call("a-b")), 3)
    }))

  it.scopedLive("that is not exposed is no tool, and can still be called", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer("hi")
      const agent = new SDK.Agent({ name: "Test", model: "gpt-4o" })
      agent.addSkill({ name: "shown", process: () => 1 })
      agent.addSkill({ name: "hidden", ai_exposed: false, process: () => 2 })
      yield* Effect.promise(() => agent.prompt("hi").run())
      assert.include(server.requests[0]?.body ?? "", "shown")
      assert.notInclude(server.requests[0]?.body ?? "", "hidden")
      assert.strictEqual(yield* Effect.promise(() => agent.call("hidden")), 2)
    }))

  it.scopedLive("of a method that carries no input is refused, with the methods there are", () =>
    Effect.gen(function*() {
      yield* start()
      for (const method of ["PUT", "DELETE"]) {
        const agent = echo()
        agent.addSkill({ name: "x", method: method as "POST", process: () => 1 })
        const error = yield* rejection(() => agent.ready())
        assert.strictEqual(error._tag, "InvalidAgent")
        assert.include(error.message, `one of "POST", "GET", got "${method}"`)
      }
    }))

  it.scopedLive("that fails is told to the model, and to whoever called it", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer({ toolCalls: [{ name: "broken", arguments: {} }] }, "sorry")
      const agent = new SDK.Agent({ name: "Test", model: "gpt-4o" })
      agent.addSkill({
        name: "broken",
        process: () => {
          throw new Error("out of order")
        }
      })
      assert.strictEqual(yield* Effect.promise(() => agent.prompt("hi").run()), "sorry")
      assert.include(server.requests[1]?.body ?? "", "out of order")
      const error = yield* rejection(() => agent.call("broken"))
      assert.include(error.message, "out of order")
    }))

  it.scopedLive("that fails rejects the call with agent, skill, component and what was thrown", () =>
    Effect.gen(function*() {
      yield* start()
      const agent = echo()
      const thrown = new RangeError("no such city")
      agent.addSkill({ name: "get weather", process: () => Promise.reject(thrown) })
      const error = yield* rejection(() => agent.call("get weather"))
      assert.instanceOf(error, CallFailed)
      assert.deepInclude({ ...error } as object, {
        _tag: "CallFailed",
        agent: "Test",
        skill: "get weather",
        component: "APIEndpoint_1",
        problem: "no such city",
        answer: { id: "APIEndpoint_1", name: "APIEndpoint", result: { _error: "no such city" } }
      })
      assert.strictEqual(error.message, `"get weather" of agent "Test" failed in APIEndpoint_1: no such city`)
      assert.instanceOf(error.cause, SkillFailed)
      assert.strictEqual(error.cause.cause, thrown)
      assert.strictEqual((yield* rejection(() => agent.process("/get_weather")))._tag, "CallFailed")
    }))

  it.scopedLive("of components rejects with the failure of a service; of several parts the others are answered", () =>
    Effect.gen(function*() {
      yield* start()
      const agent = echo()
      const alone = agent.addSkill({ name: "alone", inputs: { text: {} } })
      const both = agent.addSkill({ name: "both", inputs: { text: {} } })
      for (const entry of [alone, both]) {
        SDK.GenAILLM({ model: "no-such-model", prompt: "{{Input}}" }, agent).in({ Input: entry.out.text })
      }
      SDK.FHash({ algorithm: "md5" }, agent).in({ Data: both.out.text })
      const error = yield* rejection(() => agent.call("alone", { text: "abc" }))
      assert.deepInclude({ ...error } as object, { _tag: "CallFailed", component: "GenAILLM_1" })
      assert.strictEqual((error.cause as { readonly _tag?: string })._tag, "ModelNotFound")
      const answer = yield* Effect.promise(() => agent.call("both", { text: "abc" }))
      assert.include(JSON.stringify(answer), `"_error":`)
      assert.include(JSON.stringify(answer), "900150983cd24fb0d6963f7d28e17f72")
    }))

  it("of a name, or an endpoint and method, there is only one", () => {
    const agent = echo()
    agent.addSkill({ name: "get weather", process: () => 1 })
    for (const name of ["get weather", "get_weather"]) {
      assert.throws(
        () => agent.addSkill({ name, process: () => 2 }),
        `Agent "Test" has the skill "get weather" (POST get_weather) already`
      )
    }
    agent.addSkill({ name: "get weather", method: "GET", process: () => 3 })
    assert.isTrue(agent.removeSkill("get weather"))
    agent.addSkill({ name: "get weather", process: () => 2 })
    assert.deepStrictEqual(agent.skillNames, ["get weather"])
  })

  it.scopedLive("without a function is the entry of a workflow", () =>
    Effect.gen(function*() {
      yield* start()
      const agent = echo()
      const entry = agent.addSkill({ name: "digest", inputs: { user: { type: "Object" } } })
      // Neither end of the second connection knows the agent.
      const hash = SDK.FHash({ algorithm: "md5", encoding: "hex" }).in({ Data: entry.out.user.name })
      const result = SDK.APIOutput({ format: "minimal" }).in({ digest: hash.out.Hash })
      assert.isDefined(result)
      assert.deepStrictEqual(agent.data.components.map(({ id }) => id), ["APIEndpoint_1", "FHash_1", "APIOutput_1"])
      const answer = yield* Effect.promise(() => agent.call("digest", { user: { name: "abc" } }))
      assert.include(JSON.stringify(answer), "900150983cd24fb0d6963f7d28e17f72")
    }))
})

describe("a prompt", () => {
  it.scopedLive("rejects with the provider's failure, never with text", () =>
    Effect.gen(function*() {
      yield* withServer({ status: 400, body: { error: { message: "no such thing" } } })
      const agent = new SDK.Agent({ name: "Test", model: "gpt-4o" })
      const llm = new SDK.LLM("OpenAI", { model: "gpt-4o" })
      const chat = agent.chat()
      for (const ask of [() => agent.prompt("hi"), () => llm.prompt("hi"), () => chat.send("hi")]) {
        const error = yield* rejection(ask)
        assert.deepInclude({ ...error } as object, { _tag: "ConnectorError", reason: "InvalidInput" })
        assert.include(error.message, "no such thing")
      }
      assert.deepStrictEqual(chat.history, [])
    }))

  it.scopedLive("to an unknown model names models that are near, and asks none of them", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer("hi")
      const error = yield* rejection(() => new SDK.Agent({ name: "Test", model: "gpt-4oo" }).prompt("hi"))
      assert.strictEqual(error._tag, "ModelNotFound")
      assert.include(error.message, "gpt-4o")
      assert.lengthOf(server.requests, 0)
    }))

  it.scopedLive("to an agent without a model says so", () =>
    Effect.gen(function*() {
      yield* start()
      const agent = new SDK.Agent({ name: "Test" })
      assert.strictEqual((yield* rejection(() => agent.prompt("hi")))._tag, "NoModel")
      assert.strictEqual(yield* Effect.promise(() => agent.prompt("hi", { model: "Echo" }).run()), "hi")
    }))

  it.scopedLive("to Echo works, with skills too", () =>
    Effect.gen(function*() {
      yield* start()
      const agent = echo({ behavior: "You echo." })
      agent.addSkill({ name: "never", process: () => 1 })
      assert.strictEqual(yield* Effect.promise(() => agent.prompt("hello there").run()), "hello there")
      assert.strictEqual(agent.behavior, "You echo.")
      agent.behavior = "You still echo."
      assert.strictEqual(agent.data["behavior"], "You still echo.")
      assert.strictEqual(yield* Effect.promise(() => agent.prompt("hello").run()), "hello")
    }))
})

describe("a chat", () => {
  it.scopedLive("is found again by its id, by nobody else's, and forgets when told", () =>
    Effect.gen(function*() {
      yield* start()
      const agent = echo({ id: "kept" })
      const texts = yield* Effect.promise(async () => {
        await agent.chat("c1").send("one")
        const again = await agent.chat({ id: "c1", persist: true }).ready()
        const other = await agent.chat("c2").ready()
        const before = again.history.length
        await again.clear()
        return [before, other.history.length, again.history.length, (await agent.chat("c1").ready()).history.length]
      })
      assert.deepStrictEqual(texts, [2, 0, 0, 0])
    }))

  it.scopedLive("with a model alone remembers too, and keeps to its behaviour", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer("first", "second")
      const chat = SDK.LLM.OpenAI("gpt-4o", { behavior: "Be brief.", temperature: 0.1 }).chat()
      yield* Effect.promise(async () => {
        await chat.send("one")
        await chat.send("two")
      })
      assert.strictEqual(chat.history.length, 4)
      const { messages, temperature } = JSON.parse(server.requests[1]?.body ?? "") as {
        readonly messages: ReadonlyArray<{ readonly role: string }>
        readonly temperature: number
      }
      assert.deepStrictEqual(messages.map(({ role }) => role), ["system", "user", "assistant", "user"])
      assert.strictEqual(temperature, 0.1)
    }))
})

describe("a document", () => {
  it.scopedLive("holds no key, wherever it was given", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer("hi")
      const model = { provider: "OpenAI", model: "gpt-4o", apiKey: "sk-mine" }
      const agent = new SDK.Agent({ name: "Test", model })
      const imported = yield* Effect.promise(() => SDK.Agent.import({ ...agent.data, defaultModel: model }))
      for (const one of [agent, imported]) assert.notInclude(JSON.stringify(one.data), "sk-mine")
      assert.deepInclude(agent.data["defaultModel"] as object, { provider: "OpenAI", model: "gpt-4o" })
      yield* Effect.promise(() => agent.prompt("hi").run())
      assert.strictEqual(server.requests[0]?.headers["authorization"], "Bearer sk-mine")
    }))

  it.scopedLive("comes in from a file or as data, with overrides, and goes out as it came", () =>
    Effect.gen(function*() {
      yield* start()
      const folder = yield* tempFolder
      const agent = echo({ id: "out", description: "Digests.", custom: { x: 1 } })
      SDK.FHash({ algorithm: "md5" }, agent).in({ Data: agent.addSkill({ name: "go", inputs: { t: {} } }).out.t })
      const file = join(folder, "a.smyth")
      const imported = yield* Effect.promise(async () => {
        await writeFile(file, JSON.stringify(agent.data))
        return [await SDK.Agent.import(file), await SDK.Agent.import({ data: agent.data, folder: "x" })]
      })
      for (const one of imported) assert.deepStrictEqual(one.data, agent.data)
      const renamed = yield* Effect.promise(() => SDK.Agent.import(file, { id: "other", model: "gpt-4o" }))
      assert.deepInclude(renamed.data, { id: "other", defaultModel: "gpt-4o", description: "Digests." })
      assert.include((yield* rejection(() => SDK.Agent.import(join(folder, "none.smyth")))).message, "none.smyth")
      yield* Effect.promise(() => writeFile(file, `{ "components": [,] }`))
      const { message } = yield* rejection(() => SDK.Agent.import(file))
      assert.strictEqual(
        message,
        `Agent ${file} is not valid:\n  error (document): not JSON: expected a value at line 1, column 18, found ,`
      )
    }))

  it.scopedLive("that is wrong is refused with everything that is wrong with it", () =>
    Effect.gen(function*() {
      yield* start()
      const error = yield* rejection(() =>
        SDK.Agent.import({
          id: "bad",
          components: [{ id: "A", name: "FHsh" }, { id: "B", name: "FHash", data: { algorithm: "rot13" } }],
          connections: [{ sourceId: "A", sourceIndex: 0, targetId: "C", targetIndex: 0 }]
        })
      )
      assert.instanceOf(error, InvalidAgent)
      assert.isAtLeast(error.problems.length, 3)
      assert.strictEqual((yield* rejection(() => echo({ id: "no/slashes" }).ready()))._tag, "InvalidAgent")
    }))
})

describe("types", () => {
  it("know settings and ports", () => {
    const agent = echo()
    // @ts-expect-error: no such setting
    SDK.FHash({ algoritm: "md5" }, agent)
    const hash = SDK.FHash({ name: "Digest", algorithm: "md5" }, agent)
    // @ts-expect-error: no such setting
    assert.throws(() => new SDK.Agent({ nmae: "Test" }))
    // @ts-expect-error: neither an output nor a declaration
    hash.in({ Data: 5 })
    // @ts-expect-error: no such event
    const listen = (stream: Emitter) => stream.on("contents", () => {})
    assert.isFunction(listen)
    assert.strictEqual(agent.data.components[1]?.["title"], "Digest")
  })
})
