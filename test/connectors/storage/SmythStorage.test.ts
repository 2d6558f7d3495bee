import { assert, layer } from "@effect/vitest"
import { Chunk, ConfigProvider, Context, Effect, Layer, Option, Stream } from "effect"
import { SmythStorage, SmythStorageLive } from "../../../src/connectors/storage/SmythStorage.ts"
import type { BootError } from "../../../src/kernel/BootError.ts"
import * as Acl from "../../../src/security/Acl.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { StorageConnector } from "../../../src/subsystems/io/Storage.ts"
import { suite } from "../../../src/testing/conformance/storage.ts"
import * as faults from "../../conformance/faults.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { managedHost, tokens } from "../../fixtures/managed.ts"

type Settings = Parameters<typeof SmythStorage.contract>[0]

const open = (settings: Settings) =>
  Effect.map(Layer.build(SmythStorage.contract(settings)), Context.get(StorageConnector))

const head = {
  acl: Acl.ownedBy(Candidate.user("ann")),
  contentType: "text/plain",
  metadata: {},
  expires: Option.none()
}
const text = (value: string) => new TextEncoder().encode(value)

class Host extends Context.Tag("test/Host")<Host, Effect.Effect.Success<typeof managedHost>>() {}

layer(Layer.scoped(Host, managedHost), { excludeTestServices: true, timeout: "30 seconds" })("SmythStorage", (it) => {
  it.scoped("a token opens what its team may see, and nothing else", () =>
    Effect.gen(function*() {
      const { url } = yield* Host
      const acme = yield* open({ url, team: "acme", token: tokens.acme })
      const other = yield* open({ url, team: "other", token: tokens.other })
      yield* acme.put("user:ann/x", { ...head, body: text("acme's") }, Option.none())
      assert.isTrue(Option.isNone(yield* other.head("user:ann/x")))
      assert.deepStrictEqual((yield* other.list("user:ann/", { after: Option.none(), limit: 10 })).items, [])
      // What is another team's, or the host's own, has no name that would get there.
      for (
        const key of ["tenant:acme/user:ann/x", "user:ann/../../tenant:acme/x", "../x", "user:../x", "public:public/x"]
      ) {
        assert.strictEqual((yield* Effect.flip(other.head(key))).reason, "InvalidInput")
      }
      const refused = [
        { team: "acme", token: "no token of anybody" },
        { team: "acme", token: tokens.other },
        { team: "acme", token: tokens.member },
        { team: "nobody", token: tokens.acme }
      ]
      for (const settings of refused) {
        const stranger = yield* open({ url, ...settings })
        const attempts = [
          stranger.head("user:ann/x"),
          Effect.scoped(stranger.open("user:ann/x")),
          stranger.put("user:ann/x", { ...head, body: text("stolen") }, Option.none()),
          stranger.remove("user:ann/x", "1")
        ]
        for (const attempt of attempts) {
          const error = yield* Effect.flip(attempt)
          assert.strictEqual(error.reason, "Unauthorized")
          assert.notInclude(error.message, settings.token)
        }
      }
      assert.isTrue(Option.isSome(yield* acme.head("user:ann/x")))
    }))

  it.scoped("an object larger than the host takes is refused, and leaves nothing", () =>
    Effect.gen(function*() {
      const { team, token, url } = yield* Host
      const store = yield* open({ url, team, token })
      const body = Stream.repeatValue(new Uint8Array(2 ** 20)).pipe(Stream.take(64), Stream.rechunk(1))
      const error = yield* Effect.flip(store.put("user:ann/huge", { ...head, body }, Option.none()))
      assert.include(["InvalidInput", "Unavailable"], error.reason)
      assert.isTrue(Option.isNone(yield* store.head("user:ann/huge")))
    }))

  it.scoped("a server that is no such system is told as one", () =>
    Effect.gen(function*() {
      const page = yield* HttpServer.make((_, response) => void response.end("<html>welcome</html>"))
      const store = yield* open({ url: page.url, team: "acme", token: "s3cret" })
      for (const attempt of [store.head("user:ann/x"), Effect.scoped(store.open("user:ann/x"))]) {
        const error = yield* Effect.flip(attempt)
        assert.strictEqual(error.reason, "Protocol")
        assert.notMatch(error.message, /s3cret|welcome/)
      }
    }))

  it.effect("a token does not go over a network in clear text", () =>
    Effect.gen(function*() {
      const settings = { url: "http://sre.example", team: "acme", token: "s3cret" }
      const error = yield* Effect.flip(Effect.scoped(Layer.build(SmythStorage.contract(settings)))) as Effect.Effect<
        BootError
      >
      assert.strictEqual(error.path, "Storage.Settings.url")
      assert.notInclude(error.message, "s3cret")
      const variables = new Map([["SMYTH_URL", settings.url], ["SMYTH_TEAM", "acme"], ["SMYTH_TOKEN", "s3cret"]])
      const live = Layer.provide(SmythStorageLive, Layer.setConfigProvider(ConfigProvider.fromMap(variables)))
      assert.include(String(yield* Effect.flip(Effect.scoped(Layer.build(live)))), "expected https://")
    }))
})

faults.suite("SmythStorage", {
  server: Effect.map(managedHost, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    SmythStorage.contract({
      url: `http://127.0.0.1:${port}`,
      team: "acme",
      token: tokens.acme,
      timeout: timeoutMillis
    }),
  read: Effect.scoped(Effect.gen(function*() {
    const store = yield* StorageConnector
    const opened = yield* store.open("user:ann/fault")
    if (Option.isNone(opened)) return undefined
    return Buffer.concat(Chunk.toArray(yield* Stream.runCollect(opened.value.body))).toString()
  })),
  write: (value) =>
    Effect.gen(function*() {
      const store = yield* StorageConnector
      const found = yield* store.head("user:ann/fault")
      yield* store.put("user:ann/fault", { ...head, body: text(value) }, Option.map(found, ({ version }) => version))
    })
})

suite(
  "SmythStorage",
  Layer.unwrapScoped(Effect.map(managedHost, ({ team, token, url }) => SmythStorage.contract({ url, team, token })))
)
