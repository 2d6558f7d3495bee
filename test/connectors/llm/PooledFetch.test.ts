import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as PooledFetch from "../../../src/connectors/llm/PooledFetch.ts"
import type { Resolve } from "../../../src/connectors/PolicedPool.ts"
import * as NetworkPolicy from "../../../src/subsystems/io/NetworkPolicy.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const policy = NetworkPolicy.make({ allow: [], deny: [] })

/** A server, and a `fetch` for whom every name means this machine. */
const setup = Effect.gen(function*() {
  const server = yield* HttpServer.make((_, response) => HttpServer.json(response, 404, {}))
  const asked: Array<string> = []
  const resolve: Resolve = (name, answer) => {
    asked.push(name)
    answer(null, [{ address: "127.0.0.1", family: 4 }])
  }
  const fetch = yield* PooledFetch.make("Test", PooledFetch.defaultTimeouts, resolve)
  return { asked, fetch, server }
})

const failureOf = (send: () => Promise<unknown>) =>
  Effect.flip(Effect.tryPromise({ try: send, catch: (cause) => PooledFetch.failure("Test", cause) }))

describe("an address that a policy judges", () => {
  it.scopedLive("is refused when its name resolves to a private one", () =>
    Effect.gen(function*() {
      const { asked, fetch, server } = yield* setup
      const error = yield* failureOf(() => fetch(policy)(`http://models.example:${server.port}/v1`))
      assert.strictEqual(error.reason, "InvalidInput")
      assert.include(error.message, "its address is not public (loopback)")
      assert.deepStrictEqual(asked, ["models.example"])
      assert.lengthOf(server.requests, 0)
    }))

  it.scopedLive("is refused when it is private itself", () =>
    Effect.gen(function*() {
      const { fetch, server } = yield* setup
      const error = yield* failureOf(() => fetch(policy)(server.url))
      assert.include(error.message, "must not be asked")
      assert.lengthOf(server.requests, 0)
    }))

  it.scopedLive("is asked where the operator opened it", () =>
    Effect.gen(function*() {
      const { fetch, server } = yield* setup
      const opened = NetworkPolicy.make({
        allow: [{ _tag: "Name", name: "models.example", subdomains: false, port: server.port }],
        deny: []
      })
      const response = yield* Effect.promise(() => fetch(opened)(`http://models.example:${server.port}/v1`))
      assert.strictEqual(response.status, 404)
    }))
})

describe("an address the operator chose", () => {
  it.scopedLive("may be private", () =>
    Effect.gen(function*() {
      const { fetch, server } = yield* setup
      assert.strictEqual((yield* Effect.promise(() => fetch()(server.url))).status, 404)
    }))
})
