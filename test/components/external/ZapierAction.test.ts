import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { ZapierAction } from "../../../src/components/external/ZapierAction.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import { PublicUrls } from "../../../src/subsystems/io/PublicUrls.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { memoryVault } from "../../fixtures/MemoryVault.ts"
import { runComponent } from "../harness.ts"

const zapier = (status = 200, body: unknown = { status: "success", result: { id: 7 } }) =>
  HttpServer.make((_, response) => HttpServer.json(response, status, body))

const run = (server: HttpServer.HttpServer, inputs: Readonly<Record<string, unknown>>, settings = {}) =>
  Effect.gen(function*() {
    const storage = yield* Storage
    yield* storage.write("report.txt", new TextEncoder().encode("hello"))
    return yield* runComponent(ZapierAction, {
      settings: {
        actionName: "Send",
        actionId: "01 ABC/x",
        apiKey: "{{KEY(zapier)}}",
        endpoint: server.url,
        logoUrl: "https://i.example/x.png",
        params: "{}",
        ...settings
      },
      inputs,
      variables: { secretOfTheAgent: "s" }
    })
  }).pipe(
    Candidate.as(Candidate.agent("a1")),
    Effect.provide(Layer.mergeAll(
      Layer.orDie(UndiciOutbound.layer({ allow: [server.rule] })),
      Layer.orDie(MemoryStorage.layer({})),
      Layer.provide(Vault.layer, memoryVault({ "agent:a1": { zapier: "k&y" } }))
    ))
  )

describe("ZapierAction", () => {
  it.scopedLive("sends its inputs, and of the agent's variables none, with the key of the vault", () =>
    Effect.gen(function*() {
      const server = yield* zapier()
      const inputs = { to: `a "quoted" b`, n: 5, list: [1], o: { url: "https://a.example/" } }
      assert.deepStrictEqual(yield* run(server, inputs), { Output: { status: "success", result: { id: 7 } } })
      const [request] = server.requests
      assert.deepInclude(request, { method: "POST", url: "/api/v1/exposed/01%20ABC%2Fx/execute/?api_key=k%26y" })
      assert.deepStrictEqual(JSON.parse(request!.body), inputs)
    }))

  it.scopedLive("gives Zapier addresses of stored files it can fetch, of those the agent may read", () =>
    Effect.gen(function*() {
      const server = yield* zapier()
      const urls = Layer.succeed(PublicUrls, {
        make: ({ path }) => Effect.succeed(`https://files.example/${path}`)
      })
      const inputs = { a: "smythfs://a1.agent/report.txt", b: { url: "smythfs://a1.agent/report.txt", size: 5 } }
      yield* Effect.provide(run(server, inputs), urls)
      const address = "https://files.example/report.txt"
      assert.deepStrictEqual(JSON.parse(server.requests[0]!.body), { a: address, b: address })
      const other = yield* Effect.flip(Effect.provide(run(server, { a: "smythfs://b1.agent/report.txt" }), urls))
      assert.notInclude(other.message, "hello")
      assert.include(
        (yield* Effect.flip(run(server, { a: "smythfs://a1.agent/report.txt" }))).message,
        "public address"
      )
      assert.lengthOf(server.requests, 1)
    }))

  it.scopedLive("asks no place that the policy of the network forbids, whatever the document says, and takes the key nowhere else", () =>
    Effect.gen(function*() {
      const other = yield* zapier()
      const server = yield* HttpServer.make((_, response) =>
        void response.writeHead(307, { location: other.url }).end()
      )
      for (const endpoint of ["http://10.0.0.1", other.url, "file:///etc/passwd#"]) {
        const { message } = yield* Effect.flip(run(server, { a: 1 }, { endpoint }))
        assert.match(message, /refused/)
        assert.notMatch(message, /k(&|%26)y/)
      }
      yield* Effect.flip(run(server, { a: 1 }))
      assert.lengthOf(server.requests, 1)
      assert.lengthOf(other.requests, 0)
    }))

  it.scopedLive("stops the request when it is interrupted", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(() => undefined)
      const fiber = yield* Effect.fork(run(server, { a: 1 }))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.length === 1 })
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => server.aborted)
    }))

  it.scopedLive("fails with what Zapier says, and never with the key", () =>
    Effect.gen(function*() {
      const server = yield* zapier(400, { error: "no such action" })
      const error = yield* Effect.flip(run(server, { a: 1 }))
      assert.include(error.message, "Send")
      assert.include(error.message, "no such action")
      assert.deepInclude(error, { outputs: { Output: { error: "no such action" } } })
      assert.notInclude(JSON.stringify(error), "k&y")
      assert.include((yield* Effect.flip(run(server, {}))).message, "no input")
      assert.include((yield* Effect.flip(run(server, { a: 1 }, { apiKey: "{{KEY(nope)}}" }))).message, "nope")
      assert.include((yield* Effect.flip(run(server, { a: 1 }, { apiKey: "" }))).message, "apiKey")
      assert.lengthOf(server.requests, 1)
    }))
})
