/**
 * What connectors must do whose data outlive their process: whoever opens them next finds all of it, and who may do what with it.
 *
 * ```ts
 * lasting.storage("Local", Effect.map(tempFolder, (folder) => LocalStorage.contract({ folder })))
 * ```
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, Redacted, type Scope, Stream } from "effect"
import { HashedEmbeddings } from "../../connectors/embeddings/HashedEmbeddings.ts"
import * as Access from "../../security/Access.ts"
import * as Acl from "../../security/Acl.ts"
import * as Candidate from "../../security/Candidate.ts"
import { ManagedVaultConnector } from "../../security/ManagedVault.ts"
import { VaultConnector } from "../../security/Vault.ts"
import { SchedulerConnector } from "../../subsystems/compute/Scheduler.ts"
import * as NKV from "../../subsystems/io/NKV.ts"
import * as Storage from "../../subsystems/io/Storage.ts"
import * as VectorDB from "../../subsystems/io/VectorDB.ts"
import * as Cache from "../../subsystems/memory/Cache.ts"

/** What stays while connectors come and go (a folder, a server), as the connector on it. */
export type Backend<C, E> = Effect.Effect<Layer.Layer<C, E>, unknown, Scope.Scope>

const asAnn = Candidate.as(Candidate.user("ann"))
const asBob = Candidate.as(Candidate.user("bob"))
const asEve = Candidate.as(Candidate.user("eve"))

const anns = (path: string) => `smythfs://ann.user/${path}`

const denied = <A>(self: Effect.Effect<A, { readonly _tag: string }>) =>
  Effect.map(Effect.flip(self), ({ _tag }) => assert.strictEqual(_tag, "AccessDenied"))

/** One after the other, each with a connector of its own. */
const restarted = <C, Out, E, F>(
  name: string,
  backend: Backend<C, E>,
  on: (connector: Layer.Layer<C, E>) => Layer.Layer<Out, F>,
  uses: ReadonlyArray<Effect.Effect<void, unknown, Out>>
) =>
  describe(`${name} lasts`, () => {
    it.scopedLive("what was written is there when it is opened anew, and whose it is", () =>
      Effect.flatMap(backend, (connector) =>
        Effect.forEach(
          uses,
          (use) =>
            Effect.provide(use, on(Layer.fresh(connector))),
          { discard: true }
        )), 120_000)
  })

export const storage = <E>(name: string, backend: Backend<Storage.StorageConnector, E>) =>
  restarted(name, backend, (connector) => Layer.provide(Layer.fresh(Storage.layer), connector), [
    Effect.flatMap(Storage.Storage, (store) =>
      asAnn(Effect.gen(function*() {
        yield* store.write("lasting/a b", new TextEncoder().encode("kept"), {
          contentType: "text/x-kept",
          metadata: { title: "Grüße" },
          timeToLive: "1 hour"
        })
        yield* store.share("lasting/a b", Candidate.user("bob"), ["read"])
      }))),
    Effect.gen(function*() {
      const store = yield* Storage.Storage
      const key = anns("lasting/a b")
      const bytes = yield* asBob(store.read(key))
      assert.strictEqual(new TextDecoder().decode(bytes), "kept")
      yield* denied(asEve(store.read(key)))
      yield* denied(asBob(store.write(key, bytes)))
      yield* denied(asBob(store.remove(key)))
      const info = yield* asAnn(store.info("lasting/a b"))
      assert.deepInclude(info, { contentType: "text/x-kept", metadata: { title: "Grüße" } })
      assert.isTrue(Option.isSome(info.expires))
      assert.deepStrictEqual(Acl.owners(yield* asAnn(store.acl("lasting/a b"))).map(({ id }) => id), ["ann"])
    })
  ])

export const cache = <E>(name: string, backend: Backend<Cache.CacheConnector, E>) =>
  restarted(name, backend, (connector) => Layer.provide(Layer.fresh(Cache.layer), connector), [
    Effect.flatMap(Cache.Cache, (store) =>
      asAnn(Effect.gen(function*() {
        yield* store.set("lasting", "kept", { timeToLive: "1 hour", metadata: { title: "Grüße" } })
        yield* store.set("lasting for ever", "")
        yield* store.share("lasting", Candidate.user("bob"), ["read"])
      }))),
    Effect.gen(function*() {
      const store = yield* Cache.Cache
      assert.deepStrictEqual(yield* asBob(store.get(anns("lasting"))), Option.some("kept"))
      yield* denied(asEve(store.get(anns("lasting"))))
      yield* denied(asBob(store.set(anns("lasting"), "bob's")))
      yield* denied(asBob(store.remove(anns("lasting"))))
      assert.deepStrictEqual(yield* asAnn(store.metadata("lasting")), Option.some({ title: "Grüße" }))
      const left = Duration.toMillis(Option.getOrThrow(yield* asAnn(store.timeToLive("lasting"))))
      assert.isTrue(left > 3_000_000 && left <= 3_600_000, `${left} ms are left`)
      assert.deepStrictEqual(yield* asAnn(store.get("lasting for ever")), Option.some(""))
      assert.deepStrictEqual(yield* asAnn(store.timeToLive("lasting for ever")), Option.some(Duration.infinity))
    })
  ])

export const nkv = <E>(name: string, backend: Backend<NKV.NKVConnector, E>) => {
  const teams = Layer.succeed(Access.Teams, ({ id }) => Effect.succeed(id === "eve" ? [] : ["t1"]))
  const shared = "smythfs://t1.team/lasting"
  return restarted(
    name,
    backend,
    (connector) => Layer.provide(Layer.fresh(NKV.layer), Layer.merge(connector, teams)),
    [
      Effect.flatMap(NKV.NKV, (store) => asAnn(store.set(shared, "a:b/ü", { by: ["ann", null] }))),
      Effect.gen(function*() {
        const store = yield* NKV.NKV
        assert.deepStrictEqual(yield* asBob(store.get(shared, "a:b/ü")), Option.some({ by: ["ann", null] }))
        const listed = yield* asBob(Stream.runCollect(Stream.unwrap(store.list(shared))))
        assert.deepStrictEqual(Array.from(listed, ({ key }) => key), ["a:b/ü"])
        yield* denied(asEve(store.get(shared, "a:b/ü")))
        yield* denied(asEve(store.set(shared, "a:b/ü", 1)))
        yield* denied(asEve(store.clear(shared)))
      })
    ]
  )
}

export const vectorDB = <E>(
  name: string,
  backend: Backend<VectorDB.VectorDBConnector, E>,
  { dimensions = 512 }: { readonly dimensions?: number } = {}
) =>
  restarted(
    name,
    backend,
    (connector) =>
      Layer.provide(Layer.fresh(VectorDB.layer), Layer.merge(connector, HashedEmbeddings.layer({ dimensions }))),
    [
      Effect.flatMap(VectorDB.VectorDB, (store) =>
        asAnn(Effect.gen(function*() {
          yield* store.createNamespace("lasting", { metadata: { title: "Grüße" } })
          yield* store.insert("lasting", [{ id: "one", text: "a cat on a sofa", metadata: { kind: "cat" } }])
          yield* store.createDatasource("lasting", { id: "source", text: "stocks fell on Monday" })
          yield* store.share("lasting", Candidate.user("bob"), ["read"])
        }))),
      Effect.gen(function*() {
        const store = yield* VectorDB.VectorDB
        const [hit] = yield* asBob(store.search(anns("lasting"), "a cat on a sofa", { filter: { kind: "cat" } }))
        assert.deepInclude(hit, { id: "one", text: Option.some("a cat on a sofa"), metadata: { kind: "cat" } })
        yield* denied(asEve(store.search(anns("lasting"), "a cat")))
        yield* denied(asBob(store.insert(anns("lasting"), [{ text: "bob's" }])))
        yield* denied(asBob(store.deleteNamespace(anns("lasting"))))
        const { dimensions: length, metadata, model } = yield* asAnn(store.getNamespace("lasting"))
        assert.deepStrictEqual([length, metadata, model], [
          Option.some(dimensions),
          { title: "Grüße" },
          Option.some("Hashed")
        ])
        assert.isTrue(yield* asAnn(store.deleteDatasource("lasting", "source")))
        assert.lengthOf(yield* asAnn(store.search("lasting", "stocks")), 1)
      })
    ]
  )

export const vault = <E>(name: string, backend: Backend<VaultConnector, E>) =>
  restarted(name, backend, (connector) => connector, [
    Effect.flatMap(VaultConnector, (store) => store.set("team:lasting", "ключ", Redacted.make("s3cret"))),
    Effect.gen(function*() {
      const store = yield* VaultConnector
      const found = yield* store.get("team:lasting", "ключ")
      assert.deepStrictEqual(Option.map(found, Redacted.value), Option.some("s3cret"))
      assert.deepStrictEqual(yield* store.names("team:lasting"), ["ключ"])
      assert.deepStrictEqual(yield* store.get("user:lasting", "ключ"), Option.none())
    })
  ])

export const managedVault = <E>(name: string, backend: Backend<ManagedVaultConnector, E>) =>
  restarted(name, backend, (connector) => connector, [
    Effect.flatMap(
      ManagedVaultConnector,
      (store) => store.set("agent:lasting", "token", Redacted.make("old"), Option.none())
    ),
    Effect.gen(function*() {
      const store = yield* ManagedVaultConnector
      const { value, version } = Option.getOrThrow(yield* store.get("agent:lasting", "token"))
      assert.strictEqual(Redacted.value(value), "old")
      const stale = yield* Effect.flip(store.set("agent:lasting", "token", Redacted.make("x"), Option.none()))
      assert.strictEqual(stale.reason, "Conflict")
      yield* store.set("agent:lasting", "token", Redacted.make("new"), Option.some(version))
      assert.deepStrictEqual(yield* store.get("user:lasting", "token"), Option.none())
    })
  ])

export const scheduler = <E>(name: string, backend: Backend<SchedulerConnector, E>) => {
  const job = {
    owner: "user:lasting",
    id: "a/b ü",
    kind: "lasting",
    job: `{"id":"a/b ü"}`,
    created: 7,
    paused: false,
    due: Option.some(10)
  }
  return restarted(name, backend, (connector) => connector, [
    Effect.gen(function*() {
      const store = yield* SchedulerConnector
      yield* store.put(job)
      const held = yield* store.claim({ owner: job.owner, kinds: [job.kind], now: 10, until: 20 })
      yield* store.settle(Option.getOrThrow(held), { due: Option.some(30), record: Option.some("\"ran\"") })
      yield* store.claim({ owner: job.owner, kinds: [job.kind], now: 30, until: 40 })
    }),
    Effect.gen(function*() {
      const store = yield* SchedulerConnector
      assert.deepStrictEqual(yield* store.get(job.owner, job.id), Option.some({ ...job, due: Option.some(30) }))
      assert.deepStrictEqual(yield* store.history(job.owner, job.id), ["\"ran\""])
      // Whoever held it when the process ended holds it until the lease is over.
      assert.deepStrictEqual(yield* store.due([job.kind], 39), [])
      assert.deepStrictEqual(yield* store.due([job.kind], 40), [job.owner])
    })
  ])
}
