import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Schema } from "effect"
import * as Undici from "../../../src/connectors/outbound/UndiciOutbound.ts"
import type * as PolicedPool from "../../../src/connectors/PolicedPool.ts"
import { agent, as } from "../../../src/security/Candidate.ts"
import * as NetworkPolicy from "../../../src/subsystems/io/NetworkPolicy.ts"
import * as Outbound from "../../../src/subsystems/io/Outbound.ts"
import * as faults from "../../conformance/faults.ts"
import { suite } from "../../conformance/outbound.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const asAgent = as(agent("a1"))

/** The service on a connector whose names resolve as the test says. */
const resolving = (resolve: PolicedPool.Resolve, allow: ReadonlyArray<string> = []) =>
  Layer.provide(
    Outbound.layer,
    Layer.scoped(
      Outbound.OutboundConnector,
      Undici.make({
        allow: Schema.decodeSync(Schema.Array(NetworkPolicy.RuleFromString))(allow),
        deny: [],
        connections: 4
      }, resolve)
    )
  )

const built = <E>(layer: Layer.Layer<Outbound.Outbound, E>) =>
  Effect.map(Layer.build(layer), Context.get(Outbound.Outbound))

const loopback = { address: "127.0.0.1", family: 4 }
const hello = HttpServer.make((_, response) => response.end("hello"))

describe("UndiciOutbound", () => {
  it.scopedLive("refuses a name that resolves to a private address", () =>
    Effect.gen(function*() {
      const server = yield* hello
      const outbound = yield* built(resolving((_, answer) => answer(null, [loopback])))
      const refused = yield* Effect.flip(
        asAgent(outbound.request({ method: "GET", url: `http://rebind.example:${server.port}/?q=secret` }))
      )
      assert.strictEqual(refused._tag === "OutboundRefused" && refused.reason, "Policy")
      assert.include(refused.message, "loopback")
      assert.notInclude(refused.message, "secret")
      assert.lengthOf(server.requests, 0)
    }))

  it.scopedLive("connects to the very address it judged, whatever the name resolves to next", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) => response.setHeader("connection", "close").end("hello"))
      let lookups = 0
      const resolve: PolicedPool.Resolve = (_, answer) =>
        answer(null, [lookups++ === 0 ? loopback : { address: "127.0.0.2", family: 4 }])
      const outbound = yield* built(resolving(resolve, [server.rule]))
      const request = asAgent(outbound.request({ method: "GET", url: `http://rebind.example:${server.port}/` }))
      assert.strictEqual((yield* request).status, 200)
      assert.strictEqual(lookups, 1)
      const refused = yield* Effect.flip(request)
      assert.strictEqual(refused._tag, "OutboundRefused")
      assert.strictEqual(lookups, 2)
      assert.lengthOf(server.requests, 1)
    }))

  it.scopedLive("leaves the refused addresses of a name out", () =>
    Effect.gen(function*() {
      const server = yield* hello
      const resolve: PolicedPool.Resolve = (_, answer) => answer(null, [{ address: "10.0.0.1", family: 4 }, loopback])
      const outbound = yield* built(resolving(resolve, [server.rule]))
      const answer = yield* asAgent(outbound.request({ method: "GET", url: `http://two.example:${server.port}/` }))
      assert.strictEqual(Buffer.from(answer.body).toString(), "hello")
    }))

  it.scopedLive("lets an allowed name resolve to a private address", () =>
    Effect.gen(function*() {
      const server = yield* hello
      const outbound = yield* built(resolving((_, answer) => answer(null, [loopback]), ["*.internal"]))
      const answer = yield* asAgent(outbound.request({ method: "GET", url: `http://api.internal:${server.port}/` }))
      assert.strictEqual(answer.status, 200)
    }))

  it.scopedLive("reads its rules from the environment and refuses to start on a bad one", () =>
    Effect.gen(function*() {
      const server = yield* hello
      const live = (allow: string) =>
        Effect.flatMap(Outbound.Outbound, (outbound) => outbound.request({ method: "GET", url: server.url })).pipe(
          asAgent,
          Effect.provide(Undici.UndiciOutboundLive),
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["OUTBOUND_ALLOW", allow]])))
        )
      assert.strictEqual((yield* live(`10.0.0.0/8, ${server.rule}`)).status, 200)
      const error = yield* Effect.flip(live("10.0.0.0/99"))
      assert.include(String(error), `"10.0.0.0/99" is not a rule`)
      const boot = yield* Effect.flip(
        built(Undici.UndiciOutbound.layer({ deny: ["http://x"] }))
      )
      assert.include(boot.message, `"http://x" is not a rule`)
      assert.include(boot.message, "Outbound.Settings.deny")
    }))
})

/** Where the server is, and how long one waits for it: both are the caller's, not the connector's. */
class Place
  extends Context.Tag("test/UndiciOutbound/Place")<Place, Pick<Outbound.OutboundRequest, "url" | "timeout">>()
{}

const sent = (request: Pick<Outbound.OutboundRequest, "method" | "body">) =>
  Effect.gen(function*() {
    const outbound = yield* Outbound.Outbound
    const { body } = yield* outbound.request({ ...yield* Place, ...request })
    return Buffer.from(body).toString()
  }).pipe(asAgent)

faults.suite("UndiciOutbound", {
  server: Effect.gen(function*() {
    let kept = ""
    const { port } = yield* HttpServer.make(({ body, method }, response) => {
      if (method === "PUT") kept = body
      response.end(kept)
    })
    return port
  }),
  connector: ({ port, timeoutMillis: timeout }) =>
    Layer.merge(
      Layer.succeed(Place, { url: `http://127.0.0.1:${port}/`, timeout }),
      Undici.UndiciOutbound.layer({ allow: [`127.0.0.1:${port}`] })
    ),
  read: sent({ method: "GET" }),
  write: (body) => Effect.asVoid(sent({ method: "PUT", body }))
})

// Last: the suite's `layer` replaces the `it.effect` of all that is described after it.
suite("Undici", (allow) => Undici.UndiciOutbound.contract({ allow: [...allow] }))
