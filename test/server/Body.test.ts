import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { request } from "node:http"
import { post, send, serving } from "./serving.ts"

const limited = serving({ server: { maxBodyBytes: 1000 } })

describe("the bound on bodies", () => {
  it.scopedLive("a body as large as the bound is read, one larger is a 413", () =>
    Effect.gen(function*() {
      const { url } = yield* limited
      const frame = JSON.stringify({ text: "" }).length
      const fits = yield* post(`${url}/agents/a1/api/echo`, { text: "x".repeat(1000 - frame) })
      assert.strictEqual(fits.status, 200)
      const over = yield* post(`${url}/agents/a1/api/echo`, { text: "x".repeat(1001 - frame) })
      assert.strictEqual(over.status, 413)
      assert.deepInclude(over.json, { error: "BodyTooLarge", maxBytes: 1000 })
      assert.strictEqual((yield* post(`${url}/agents/a1/api/echo`, { text: "again" })).status, 200)
    }))

  it.scopedLive("also when its length is not announced, and as soon as it is passed", () =>
    Effect.gen(function*() {
      const { port } = yield* limited
      const status = yield* Effect.async<number | undefined>((resume) => {
        const sending = request({
          host: "127.0.0.1",
          port,
          method: "POST",
          path: "/agents/a1/api/echo",
          headers: { "content-type": "application/json", "transfer-encoding": "chunked" }
        }, (response) => {
          resume(Effect.succeed(response.statusCode))
          sending.destroy()
        })
        sending.on("error", () => {})
        // Never ended: the answer comes before the body is complete.
        for (let sent = 0; sent < 20; sent++) sending.write("x".repeat(100))
      })
      assert.strictEqual(status, 413)
    }))

  it.scopedLive("a large body within the bound arrives whole", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const text = "é".repeat(2_000_000)
      const { json } = yield* post(`${url}/agents/a1/api/echo`, { text })
      assert.isTrue(json.result.in.text === text)
      const over = yield* send(`${url}/agents/a1/api/echo`, { method: "POST", body: Buffer.alloc(11 * 1024 * 1024) })
      assert.strictEqual(over.status, 413)
    }))
})

describe("large forms", () => {
  it.scopedLive("a field that is repeated half a million times is read as fast as others", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { json, status } = yield* send(`${url}/agents/a1/api/echo`, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: "text=a" + "&x=1".repeat(500_000)
      })
      assert.strictEqual(status, 200)
      assert.lengthOf(json.result.in.x, 500_000)
    }))
})

describe("bodies that do not come", () => {
  it.scopedLive("a body that trickles is cut off in time, and nothing runs", () =>
    Effect.gen(function*() {
      const { port } = yield* serving({ router: { requestTimeout: 200 } })
      const answer = yield* Effect.async<string>((resume) => {
        const sending = request({
          host: "127.0.0.1",
          port,
          method: "POST",
          path: "/agents/a1/api/echo",
          headers: { "content-type": "application/json", "content-length": "100" }
        }, (response) => resume(Effect.succeed(String(response.statusCode))))
        sending.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? "?")))
        sending.write("{")
      })
      assert.include(["408", "ECONNRESET"], answer)
    }))
})
