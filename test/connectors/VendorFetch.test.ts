import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type { Resolve } from "../../src/connectors/PolicedPool.ts"
import * as VendorFetch from "../../src/connectors/VendorFetch.ts"
import * as NetworkPolicy from "../../src/subsystems/io/NetworkPolicy.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"

const closed = NetworkPolicy.make({ allow: [], deny: [] })

/** A server, and a `fetch` for whom every name means this machine. */
const setup = Effect.gen(function*() {
  const server = yield* HttpServer.make((_, response) => HttpServer.json(response, 200, {}))
  const resolve: Resolve = (_, answer) => answer(null, [{ address: "127.0.0.1", family: 4 }])
  const vendor = yield* VendorFetch.make("Test", Duration.seconds(20), resolve)
  const ask = (policy: NetworkPolicy.NetworkPolicy | undefined, host: string) => {
    const { attempt, fetch } = vendor.policed(policy)
    return attempt("embed", async () => (await fetch(`http://${host}:${server.port}/v1`)).status)
  }
  return { ask, server }
})

describe("an address that a policy judges", () => {
  for (const host of ["127.0.0.1", "localhost", "models.example"]) {
    it.scopedLive(`is refused at ${host}, which is this machine`, () =>
      Effect.gen(function*() {
        const { ask, server } = yield* setup
        const error = yield* Effect.flip(ask(closed, host))
        assert.deepInclude({ ...error }, { connector: "Test", method: "embed", reason: "InvalidInput" })
        assert.match(error.message, /must not be asked: it(s address is not public \(loopback\)| is this machine)/)
        assert.lengthOf(server.requests, 0)
      }))
  }

  it.scopedLive("is asked where the operator opened it, or chose it himself", () =>
    Effect.gen(function*() {
      const { ask, server } = yield* setup
      const allow = [{ _tag: "Name", name: "models.example", subdomains: false, port: server.port }] as const
      assert.strictEqual(yield* ask(NetworkPolicy.make({ allow, deny: [] }), "models.example"), 200)
      assert.strictEqual(yield* ask(undefined, "127.0.0.1"), 200)
    }))
})
