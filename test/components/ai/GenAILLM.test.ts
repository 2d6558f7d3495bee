import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { GenAILLM } from "../../../src/components/ai/GenAILLM.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"
import * as ResponsesServer from "../../fixtures/ResponsesServer.ts"
import * as TestModel from "./models.ts"

const settings = { model: "test", prompt: "Look at {{Input}}" }
const png =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="

const run = (conversationId: string | undefined) => ({
  id: "r1",
  sessionId: "s1",
  workflowId: "w1",
  conversationId,
  request: { method: "POST" as const, endpoint: "go", headers: {}, body: {}, query: {} }
})

const agent = { id: "a1", name: "A", behavior: "You are terse.", variables: {} }

const roles = ({ messages }: TestModel.Asked) => messages.map(({ role }) => role)

describe("GenAILLM", () => {
  it.scopedLive("answers with text, or with the object in it", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make("just text", "```json\n{\"a\": [1]}\n```")
      const options = { settings, inputs: { Input: "this" } }
      assert.deepStrictEqual(yield* model.run(GenAILLM, options), { Reply: "just text" })
      assert.deepStrictEqual(yield* model.run(GenAILLM, options), { Reply: { a: [1] } })
      const [request] = model.asked()
      assert.strictEqual(TestModel.textOf(request?.messages[0]?.content), "Look at this")
      assert.lengthOf(request?.messages ?? [], 1)
    }))

  it.scopedLive("an answer that was cut off is a failure that keeps its text", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make({ text: "half a", finish: "length" }, {
        text: "no",
        finish: "content_filter"
      })
      const cut = yield* Effect.flip(model.run(GenAILLM, { settings: { ...settings, maxTokens: "9" } }))
      assert.deepStrictEqual(cut.outputs, { Reply: "half a" })
      assert.include(cut.message, "maxTokens is 9")
      assert.include((yield* Effect.flip(model.run(GenAILLM, { settings }))).message, "content filter")
    }))

  it.scopedLive("says who it is when asked to", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make("ok")
      yield* model.run(GenAILLM, { settings: { ...settings, useSystemPrompt: "true" }, step: { agent } })
      const [request] = model.asked()
      assert.deepStrictEqual(request?.messages[0], { role: "system", content: "You are terse." })
    }))

  it.scopedLive("shows the latest turns of the conversation, as many as fit", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make("ok")
      yield* model.context.append("c1", [
        Prompt.user("x".repeat(400)),
        Prompt.assistant("old"),
        Prompt.user("recent question"),
        Prompt.assistant("recent answer"),
        Prompt.user("still open")
      ]).pipe(Candidate.as(TestModel.agent))
      const ask = (more: Readonly<Record<string, unknown>>, conversationId?: string) =>
        model.run(GenAILLM, {
          settings: { ...settings, useContextWindow: true, ...more },
          step: { run: run(conversationId) }
        })
      yield* ask({}, "c1")
      yield* ask({ maxContextWindowLength: "50" }, "c1")
      yield* ask({ maxContextWindowLength: 0 }, "c1")
      yield* ask({}, "unknown")
      yield* ask({})
      yield* ask({ useContextWindow: false }, "c1")
      assert.deepStrictEqual(model.asked().map(roles), [
        ["user", "assistant", "user", "assistant", "user"],
        ["user", "assistant", "user"],
        ["user"],
        ["user"],
        ["user"],
        ["user"]
      ])
      const last = model.asked()[1]?.messages.at(-1)
      assert.strictEqual(TestModel.textOf(last?.content), "Look at {{Input}}")
    }))

  it.scopedLive("asks without a conversation it cannot read, and says so", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make("ok")
      const logged: Array<string> = []
      const outputs = yield* model.run(GenAILLM, {
        settings: { ...settings, useContextWindow: true },
        step: { run: run("../x"), log: (level, message) => void logged.push(`${level}: ${message}`) }
      })
      assert.deepStrictEqual(outputs, { Reply: "ok" })
      assert.match(logged.join(), /^warning: asked without the conversation: Invalid key/)
    }))

  describe("files", () => {
    const ports = ["Input", { name: "Attachment", type: "Binary" }, { name: "Photos", type: "image" }]

    it.scopedLive("of every input that holds some go with the prompt", () =>
      Effect.gen(function*() {
        const model = yield* TestModel.make("ok")
        yield* model.run(GenAILLM, {
          settings,
          ports,
          inputs: { Input: png, Attachment: png, Photos: [png, "", [png]] }
        })
        const content = model.asked()[0]?.messages[0]?.content as ReadonlyArray<Readonly<Record<string, unknown>>>
        assert.deepStrictEqual(content.map(({ type }) => type), ["text", "image_url", "image_url", "image_url"])
        assert.deepStrictEqual(content[1]?.["image_url"], { url: png })
      }))

    it.scopedLive("that the model cannot read are left out; when it can read none, that is a failure", () =>
      Effect.gen(function*() {
        const model = yield* TestModel.make("ok")
        const audio = "data:audio/mpeg;base64,AAAA"
        const logged: Array<string> = []
        const log = (_: string, message: string) => void logged.push(message)
        yield* model.run(GenAILLM, { settings, ports, inputs: { Photos: [audio, png] }, step: { log } })
        assert.lengthOf(model.asked()[0]?.messages[0]?.content as ReadonlyArray<unknown>, 2)
        assert.include(logged.join(), "audio/mpeg")
        const error = yield* Effect.flip(model.run(GenAILLM, { settings, ports, inputs: { Attachment: audio } }))
        assert.include(error.message, "audio/mpeg")
        assert.include(error.message, "image")
      }))

    it.scopedLive("that are none fail; with Echo they do not matter", () =>
      Effect.gen(function*() {
        const model = yield* TestModel.make("ok")
        const inputs = { Attachment: { no: "file" } }
        const error = yield* Effect.flip(model.run(GenAILLM, { settings, ports, inputs }))
        assert.include(error.message, "Not a readable file")
        assert.deepStrictEqual(
          yield* model.run(GenAILLM, { settings: { model: "Echo", prompt: "hi" }, ports, inputs, outputs: ["title"] }),
          { Reply: "hi" }
        )
        assert.lengthOf(model.asked(), 0)
      }))
  })

  it.scopedLive("reasons as told, and only when told to", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make("ok")
      for (
        const more of [
          { reasoningEffort: "high" },
          { useReasoning: true, reasoningEffort: "high" },
          { useReasoning: true, reasoningEffort: "default" }
        ]
      ) yield* model.run(GenAILLM, { settings: { ...settings, ...more, model: "thinker" } })
      assert.deepStrictEqual(model.asked().map((request) => request["reasoning_effort"]), [
        undefined,
        "high",
        undefined
      ])
    }))

  describe("search settings", () => {
    it.scopedLive("are refused by name where they are used, and kept where they are not", () =>
      Effect.gen(function*() {
        const model = yield* TestModel.make("ok")
        const unused = {
          useWebSearch: "false",
          webSearchContextSize: "",
          webSearchCity: "{{city}}",
          searchMode: "auto",
          maxSearchResults: "50",
          searchDataSources: ["web", "x"],
          fromDate: "2025-01-31",
          safeSearch: "true"
        }
        assert.deepStrictEqual(yield* model.run(GenAILLM, { settings: { ...settings, ...unused } }), { Reply: "ok" })
        assert.notProperty(model.asked()[0], "web_search_options")
        for (const name of ["useWebSearch", "useSearch"]) {
          const error = yield* Effect.flip(model.run(GenAILLM, { settings: { ...settings, [name]: true } }))
          assert.match(error.message, new RegExp(`^${name}: OpenAI searches nothing for the model "test"`))
        }
        assert.lengthOf(model.asked(), 1)
      }))

    it.scopedLive("go to a model that searches, from where the asker is, and its sources end the answer", () =>
      Effect.gen(function*() {
        const said = { choices: [{ index: 0, delta: { content: "So it is [1]." } }], citations: ["https://a.example"] }
        const model = yield* TestModel.make({
          packets: [OpenAIServer.event(said), OpenAIServer.delta({}, "stop"), OpenAIServer.event("[DONE]")]
        })
        const outputs = yield* model.run(GenAILLM, {
          settings: {
            ...settings,
            model: "searcher",
            useWebSearch: "true",
            webSearchContextSize: "high",
            webSearchCity: "{{place}}",
            webSearchCountry: "NO",
            webSearchRegion: " ",
            webSearchTimezone: "Europe/Oslo"
          },
          inputs: { Input: "it", place: "Oslo" }
        })
        assert.deepStrictEqual(outputs, { Reply: "So it is [1].\n\nSources:\n1. https://a.example" })
        assert.deepStrictEqual(model.asked()[0]?.["web_search_options"], {
          search_context_size: "high",
          user_location: { type: "approximate", approximate: { city: "Oslo", country: "NO", timezone: "Europe/Oslo" } }
        })
      }))

    it.scopedLive("say where xAI searches, on the web and in posts, and what it takes no more is told", () =>
      Effect.gen(function*() {
        const said = { packets: [ResponsesServer.text("so"), ResponsesServer.ended("completed")] }
        const model = yield* TestModel.make(said, said, said, said, said)
        const lines: Array<string> = []
        const step = { log: (level: string, text: string) => void lines.push(`${level} ${text}`) }
        const search = { ...settings, model: "grok", useSearch: "true" }
        const ask = (more: Record<string, unknown>) =>
          model.run(GenAILLM, { settings: { ...search, ...more }, inputs: { Input: "it" }, step })
        assert.deepStrictEqual(yield* ask({}), { Reply: "so" })
        yield* ask({
          searchMode: "on",
          allowedWebsites: "a.example, b.example",
          excludedWebsites: "c.example",
          includedXHandles: "@ada\ngrace",
          excludedXHandles: "bob",
          fromDate: "2025-01-31",
          toDate: "2025-02-28"
        })
        yield* ask({ searchDataSources: ["news", "rss"], excludedWebsites: "c.example", includedXHandles: "@ada" })
        yield* ask({ searchDataSources: ["x"], excludedXHandles: "bob" })
        assert.deepStrictEqual(lines.filter((line) => line.startsWith("warning")), [])
        yield* ask({
          searchMode: "OFF",
          useWebSearch: true
        })
        assert.deepStrictEqual(model.asked().map(({ tools }) => tools), [
          [{ type: "web_search" }, { type: "x_search" }],
          [
            { type: "web_search", filters: { allowed_domains: ["a.example", "b.example"] } },
            {
              type: "x_search",
              allowed_x_handles: ["ada", "grace"],
              from_date: "2025-01-31",
              to_date: "2025-02-28"
            }
          ],
          [{ type: "web_search", filters: { excluded_domains: ["c.example"] } }],
          [{ type: "x_search", excluded_x_handles: ["bob"] }],
          [{ type: "web_search" }]
        ])

        const ineffective = {
          returnCitations: "false",
          maxSearchResults: 5,
          searchCountry: "NO",
          postFavoriteCount: 1,
          postViewCount: "2",
          rssLinks: "https://a.example/rss",
          safeSearch: false
        }
        yield* Effect.either(ask(ineffective))
        for (const name of Object.keys(ineffective)) assert.include(lines.join("\n"), `warning ${name}: `)
        assert.include((yield* Effect.flip(ask({ searchDataSources: ["rss"] }))).message, "searchDataSources")
        const elsewhere = yield* Effect.flip(ask({ model: "searcher" }))
        assert.include(elsewhere.message, "cannot be told where to search")
      }))

    it.scopedLive("do not matter to Echo", () =>
      Effect.gen(function*() {
        const model = yield* TestModel.make("ok")
        const echoed = { ...settings, model: "Echo", useWebSearch: true, useSearch: true }
        assert.deepStrictEqual(yield* model.run(GenAILLM, { settings: echoed, inputs: { Input: "it" } }), {
          Reply: "Look at it"
        })
        assert.lengthOf(model.asked(), 0)
      }))

    const wrong = { maxSearchResults: 101, fromDate: "31.01.2025", searchDataSources: ["tv"], postViewCount: -1 }
    for (const [name, value] of Object.entries(wrong)) {
      it.scopedLive(`refuses ${name} ${JSON.stringify(value)}`, () =>
        Effect.gen(function*() {
          const model = yield* TestModel.make()
          const error = yield* Effect.flip(model.run(GenAILLM, { settings: { ...settings, [name]: value } }))
          assert.include(error.message, name)
        }))
    }
  })
})
