import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { post, send, serving } from "./serving.ts"

describe("endpoints of agents", () => {
  it.scopedLive("POST answers what the agent answers", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { headers, json, status } = yield* post(`${url}/agents/a1/api/echo`, { text: "hé", count: "7" })
      assert.strictEqual(status, 200)
      assert.strictEqual(headers.get("content-type"), "application/json")
      assert.deepStrictEqual(json, { id: "C_echo", name: "Pass", result: { in: { text: "hé", count: 7 } } })
    }))
  it.scopedLive("x", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const r = yield* send(`${url}/nope`)
      console.log(r)
    }))
})
