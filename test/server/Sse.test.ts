import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, FastCheck, Fiber } from "effect"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as Sse from "../../src/server/Sse.ts"
import { frames, post, serving } from "./serving.ts"

const events = { accept: "text/event-stream" }

describe("frames", () => {
  it.prop("hold any text, whatever breaks of lines are in it", [FastCheck.string({ unit: "binary" })], ([text]) => {
    const data = { text, lines: "a\nb\r\nc\r\rdata: x\n\n" }
    assert.deepStrictEqual(frames(Sse.text({ id: 3, event: "Content", data })), [
      { id: "3", event: "Content", data: JSON.parse(JSON.stringify(data)) }
    ])
  })
})

describe("what JSON cannot hold", () => {
  it("becomes text instead of an error", () => {
    const cycle: Record<string, unknown> = { big: 1n }
    cycle["self"] = cycle
    assert.deepStrictEqual(frames(Sse.text({ event: "x", data: cycle }))[0]?.data, { big: "1", self: "[cycle]" })
    assert.strictEqual(Sse.text({ event: "x", data: undefined }), "event: x\ndata: null\n\n")
  })
})

describe("a run as its events", () => {
  it.scopedLive("numbered, named, in order, with what was said in between", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { headers, status, text } = yield* post(`${url}/agents/a1/api/session`, {}, events)
      assert.strictEqual(status, 200)
      assert.include(headers.get("content-type"), "text/event-stream")
      assert.strictEqual(headers.get("cache-control"), "no-store")
      const sent = frames(text)
      assert.deepStrictEqual(sent.map(({ id }) => id), sent.map((_, index) => String(index)))
      assert.deepStrictEqual(sent.map(({ event }) => event), [
        "RunStarted",
        "StepStarted",
        "StepEnded",
        "StepStarted",
        "Content",
        "StepEnded",
        "RunEnded"
      ])
      const content = sent.find(({ event }) => event === "Content")!.data.event
      assert.match(content.text, /^line one\nof user:local .*\r\n\ndata: not a frame$/)
      assert.isFalse(sent.at(-1)!.data.event.failed)
    }))

  it.scopedLive("what is refused is answered with a status, not with a stream", () =>
    Effect.gen(function*() {
      const { begun, url } = yield* serving({ agents: { maxRuns: 1, maxQueued: 0 } })
      const statusOf = (path: string, body: unknown) =>
        Effect.map(post(`${url}${path}`, body, events), ({ json, status }) => [status, json.error])
      assert.deepStrictEqual(yield* statusOf("/agents/nope/api/echo", {}), [404, "AgentNotFound"])
      assert.deepStrictEqual(yield* statusOf("/agents/a1/api/nope", {}), [404, "EndpointNotFound"])
      assert.deepStrictEqual(yield* statusOf("/agents/a1/api/look", {}), [405, "MethodNotAllowed"])
      assert.deepStrictEqual(yield* statusOf("/agents/a1/api/echo", {}), [400, "BadInput"])
      const first = yield* Effect.fork(post(`${url}/agents/a1/api/slow`, {}))
      yield* Deferred.await(begun)
      assert.deepStrictEqual(yield* statusOf("/agents/a1/api/echo", { text: "x" }), [429, "Overloaded"])
      yield* Fiber.interrupt(first)
    }))

  it.scopedLive("a client that goes stops the run, of a stream and of a plain call", () =>
    Effect.gen(function*() {
      for (const headers of [events, {}]) {
        const { begun, stopped, url } = yield* serving()
        const client = yield* Effect.fork(post(`${url}/agents/a1/api/slow`, {}, headers))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(client)
        yield* Deferred.await(stopped)
      }
    }))

  it.scopedLive("a client that reads nothing does not hold the server up", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const idle = yield* Effect.acquireRelease(
        Effect.promise(() => {
          const abort = new AbortController()
          return fetch(`${url}/agents/a1/api/session`, {
            method: "POST",
            body: "{}",
            headers: { ...events, "content-type": "application/json" },
            signal: abort.signal
          }).then((response) => ({ response, abort }))
        }),
        ({ abort }) => Effect.sync(() => abort.abort())
      )
      assert.strictEqual(idle.response.status, 200)
      assert.strictEqual((yield* post(`${url}/agents/a1/api/echo`, { text: "x" })).status, 200)
    }))
})

describe("conversations", () => {
  it.scopedLive("are events, named by their type", () =>
    Effect.gen(function*() {
      const { url } = yield* serving({ turns: ["Hello\nthere"] })
      const { headers, text } = yield* post(`${url}/agents/a1/chat`, { message: "Hi" })
      assert.include(headers.get("content-type"), "text/event-stream")
      const sent = frames(text)
      assert.deepStrictEqual([sent[0]!.event, sent.at(-1)!.event], ["start", "end"])
      assert.strictEqual(sent.at(-1)!.data.text, "Hello\nthere")
    }))

  it.scopedLive("or, on demand, the text alone", () =>
    Effect.gen(function*() {
      const { url } = yield* serving({ turns: ["Hello"] })
      const { json, status } = yield* post(`${url}/agents/a1/chat`, { message: "Hi" }, { accept: "application/json" })
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(json, { text: "Hello" })
    }))

  it.scopedLive("use the agent's endpoints as tools, and go on under their id", () =>
    Effect.gen(function*() {
      const { url } = yield* serving({
        turns: [{ toolCalls: [{ name: "echo", arguments: { text: "x" } }] }, "Done", "Still here"]
      })
      const chat = (message: string) =>
        Effect.map(post(`${url}/agents/a1/chat`, { message, conversationId: "c1" }), ({ text }) => frames(text))
      const first = yield* chat("Use it")
      assert.include(first.map(({ event }) => event), "toolCall")
      assert.include(first.map(({ event }) => event), "toolResult")
      assert.strictEqual((yield* chat("And?")).at(-1)!.data.text, "Still here")
    }))

  it.scopedLive("remember the asker, where that is asked for", () =>
    Effect.gen(function*() {
      const turn = { toolCalls: [{ name: "remember", arguments: { note: "likes tea" } }] }
      const { url } = yield* serving({ turns: [turn, "Noted"] })
      const body = { message: "Hi", conversationId: "c1", memory: { working: { maxBytes: 100 } } }
      const { text } = yield* post(`${url}/agents/a1/chat`, body)
      const results = frames(text).filter(({ event }) => event === "toolResult")
      assert.deepStrictEqual(results.map(({ data }) => data.result), ["The note is kept."])
    }))

  it.scopedLive("a failure after the beginning is the last event, and tells nothing of the backend", () =>
    Effect.gen(function*() {
      const detail = "password-in-a-url"
      const turn = new ConnectorError({ connector: "MyModel", method: "stream", reason: "Unauthorized", detail })
      const { url } = yield* serving({ turns: [turn, turn] })
      const { status, text } = yield* post(`${url}/agents/a1/chat`, { message: "Hi" })
      assert.strictEqual(status, 200)
      const last = frames(text).at(-1)!
      assert.strictEqual(last.event, "error")
      assert.strictEqual(last.data.error, "Unavailable")
      assert.notMatch(text, /MyModel|password/)
      const plain = yield* post(`${url}/agents/a1/chat`, { message: "Hi" }, { accept: "application/json" })
      assert.deepStrictEqual([plain.status, plain.json.error], [503, "Unavailable"])
    }))

  it.scopedLive("what cannot be asked is refused with what is wrong", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const cases: ReadonlyArray<readonly [unknown, number, string]> = [
        [{}, 400, "message"],
        [{ message: "" }, 400, "message"],
        [{ message: 1, model: 2 }, 400, "model"],
        [{ message: "Hi", memory: { working: true } }, 400, "conversationId"],
        [{ message: "Hi", conversationId: "c", memory: { recall: { topK: 0 } } }, 400, "topK"],
        [{ message: "Hi", conversationId: "c", memory: { recal: true } }, 400, "recal"],
        ["{", 400, "line 1"]
      ]
      for (const [body, status, part] of cases) {
        const reply = yield* post(`${url}/agents/a1/chat`, body)
        assert.strictEqual(reply.status, status)
        assert.include(reply.json.message, part)
      }
      const unknown = yield* post(`${url}/agents/nope/chat`, { message: "Hi" })
      assert.deepStrictEqual([unknown.status, unknown.json.error], [404, "AgentNotFound"])
    }))
})
