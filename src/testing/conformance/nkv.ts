/** What every store of namespaced values must do, by itself and behind the service that guards it. */
import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import { type ConnectorError, isConflict } from "../../kernel/ConnectorError.ts"
import * as Candidate from "../../security/Candidate.ts"
import { layer as guarded, NKV, NKVConnector } from "../../subsystems/io/NKV.ts"

const asAnn = Candidate.as(Candidate.user("ann"))
const asBob = Candidate.as(Candidate.user("bob"))
const none = Option.none<string>()

export interface Options {
  /** In one namespace, listed in pages. Default: 2,000. */
  readonly entries?: number
}

export const suite = <E>(
  name: string,
  connector: Layer.Layer<NKVConnector, E>,
  { entries = 2000 }: Options = {}
) =>
  layer(Layer.provideMerge(guarded, connector), { excludeTestServices: true, timeout: "60 seconds" })(
    `${name} is an NKVConnector`,
    (it) => {
      const value = (namespace: string, key: string) =>
        Effect.flatMap(NKVConnector, (store) => Effect.map(store.get(namespace, key), Option.map(({ value }) => value)))
      const all = (namespace: string) =>
        Effect.map(
          Stream.runCollect(Stream.unwrap(Effect.flatMap(NKV, (nkv) => nkv.list(namespace)))),
          (entries) => Array.from(entries)
        )

      it.effect("any text is a key, comes back as it was, and meets no other", () =>
        Effect.gen(function*() {
          const store = yield* NKVConnector
          const printable = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n))
          const keys = [
            ...printable,
            ...printable.map((one) => `a${one}b`),
            "a:b:c",
            "../../x",
            "x/y",
            "..",
            "line\nbreak\u0000",
            "日本語 👋",
            `${"k".repeat(1000)}1`,
            `${"k".repeat(1000)}2`
          ]
          for (const key of keys) yield* store.set("user:ann/keys", key, `value of ${key}`, none)
          for (const key of keys) {
            assert.deepStrictEqual(yield* value("user:ann/keys", key), Option.some(`value of ${key}`))
          }
          const listed = yield* store.list("user:ann/keys", { after: none, limit: 1000 })
          assert.sameMembers(listed.items.map(({ key }) => key), keys)
        }))

      it.effect("values come back as they were: empty, any character, 10 MB", () =>
        Effect.gen(function*() {
          const store = yield* NKVConnector
          const values = ["", "\n", "\u0000", "👋\r\n", "x".repeat(10_000_000)]
          for (const [n, text] of values.entries()) {
            yield* store.set("user:ann/values", String(n), text, none)
            assert.isTrue(Option.contains(yield* value("user:ann/values", String(n)), text))
          }
        }))

      it.effect("a write loses when the version is not the one it expects, and of many one wins", () =>
        Effect.gen(function*() {
          const store = yield* NKVConnector
          const lost = (self: Effect.Effect<void, ConnectorError>) =>
            Effect.map(Effect.flip(self), ({ reason }) => assert.strictEqual(reason, "Conflict"))
          const exits = yield* Effect.forEach(
            Array.from({ length: 20 }, (_, n) => String(n)),
            (n) => Effect.exit(store.set("user:ann/versions", "k", n, none)),
            { concurrency: "unbounded" }
          )
          const winners = exits.flatMap((exit, n) => Exit.isSuccess(exit) ? [String(n)] : [])
          const first = Option.getOrThrow(yield* store.get("user:ann/versions", "k"))
          assert.deepStrictEqual(winners, [first.value])
          yield* store.set("user:ann/versions", "k", "two", Option.some(first.version))
          yield* lost(store.set("user:ann/versions", "k", "x", Option.some(first.version)))
          yield* lost(store.remove("user:ann/versions", "k", first.version))
          const second = Option.getOrThrow(yield* store.get("user:ann/versions", "k"))
          yield* store.remove("user:ann/versions", "k", second.version)
          assert.deepStrictEqual(yield* store.get("user:ann/versions", "k"), Option.none())
          yield* lost(store.remove("user:ann/versions", "k", second.version))
        }))

      it.effect(`lists ${entries} entries in pages, each once, and clears them and no others`, () =>
        Effect.gen(function*() {
          const store = yield* NKVConnector
          const keys = Array.from({ length: entries }, (_, n) =>
            `k:${n}`)
          yield* Effect.forEach(keys, (key) => store.set("user:many/ns", key, key, none), {
            concurrency: 16,
            discard: true
          })
          for (const other of ["user:many/ns2", "user:many/ns/deeper", "user:many/n"]) {
            yield* store.set(other, "k", "other", none)
          }
          const pages = Stream.paginateEffect(none, (after) =>
            Effect.map(
              store.list("user:many/ns", { after, limit: 300 }),
              ({ items, next }) => [items, Option.map(next, Option.some)]
            ))
          const seen = Array.from(yield* Stream.runCollect(pages)).flat()
          assert.strictEqual(seen.length, entries)
          assert.deepStrictEqual(new Set(seen.map(({ key }) => key)), new Set(keys))
          assert.isTrue(seen.every(({ key, value }) => key === value))
          yield* store.clear("user:many/ns")
          assert.deepStrictEqual((yield* store.list("user:many/ns", { after: none, limit: 10 })).items, [])
          for (const other of ["user:many/ns2", "user:many/ns/deeper", "user:many/n"]) {
            assert.deepStrictEqual(yield* value(other, "k"), Option.some("other"))
          }
          yield* store.clear("user:nobody/was:here")
        }), 300_000)

      it.effect("a write that is interrupted happens whole or not at all, and keeps nobody from the next", () =>
        Effect.gen(function*() {
          const store = yield* NKVConnector
          const replace = (text: string) =>
            Effect.flatMap(store.get("user:ann/interrupted", "k"), (found) =>
              store.set(
                "user:ann/interrupted",
                "k",
                text,
                Option.map(found, ({ version }) =>
                  version)
              ))
          const texts = ["a", "b", "c", "d", "e"].map((letter) =>
            letter.repeat(300_000)
          )
          yield* replace(texts[0]!)
          for (const [n, text] of texts.entries()) {
            const writer = yield* Effect.fork(replace(text))
            yield* Effect.sleep(n)
            yield* Fiber.interrupt(writer)
            assert.include(texts, Option.getOrThrow(yield* value("user:ann/interrupted", "k")))
          }
          // One that was sent may happen late.
          yield* Effect.retry(replace("last"), { while: isConflict, times: 10 })
          assert.deepStrictEqual(yield* value("user:ann/interrupted", "k"), Option.some("last"))
        }))

      it.effect("the service keeps JSON, tells null from absent, and refuses what JSON lacks", () =>
        asAnn(Effect.gen(function*() {
          const nkv = yield* NKV
          const values = [null, 0, "", false, [], { a: { b: [1, "ü", null] } }, "half \ud800"]
          for (const [n, json] of values.entries()) {
            yield* nkv.set("json", `v${n}`, json)
            assert.deepStrictEqual(yield* nkv.get("json", `v${n}`), Option.some(json))
          }
          assert.deepStrictEqual(yield* nkv.get("json", "absent"), Option.none())
          assert.isFalse(yield* nkv.exists("json", "absent"))
          yield* nkv.remove("json", "absent")
          yield* nkv.remove("json", "v0")
          assert.deepStrictEqual((yield* all("json")).map(({ key }) => key), ["v1", "v2", "v3", "v4", "v5", "v6"])
          const circular: Record<string, unknown> = {}
          circular["self"] = circular
          for (const bad of [undefined, () => 1, Symbol("s"), 1n, circular]) {
            assert.deepInclude(yield* Effect.flip(nkv.set("json", "bad", bad)), { reason: "InvalidInput" })
          }
          for (
            const [namespace, key] of [["", "k"], ["ns", ""], ["../up", "k"], ["ns", "\ud800"], [
              "ns",
              "k".repeat(1025)
            ]]
          ) {
            assert.strictEqual((yield* Effect.flip(nkv.set(namespace!, key!, 1)))._tag, "InvalidKey")
          }
          yield* nkv.clear("json")
          assert.deepStrictEqual(yield* all("json"), [])
        })))

      it.effect("a namespace is its home's: others neither read, list, write nor clear it", () =>
        Effect.gen(function*() {
          const nkv = yield* NKV
          yield* asAnn(nkv.set("private", "k", "ann"))
          yield* asBob(nkv.set("private", "k", "bob"))
          assert.deepStrictEqual(yield* asAnn(nkv.get("private", "k")), Option.some("ann"))
          const anns = "smythfs://ann.user/private"
          for (const key of ["k", "absent"]) {
            const calls = [nkv.get(anns, key), nkv.set(anns, key, 1), nkv.exists(anns, key), nkv.remove(anns, key)]
            for (const call of calls) {
              const error = yield* Effect.flip<unknown, unknown, never>(asBob(call as Effect.Effect<unknown, unknown>))
              assert.deepInclude(error, { _tag: "AccessDenied" })
            }
          }
          assert.deepStrictEqual(yield* asBob(all(anns)), [])
          assert.strictEqual((yield* Effect.flip(asBob(nkv.clear(anns))))._tag, "AccessDenied")
          assert.deepStrictEqual(yield* asAnn(all("private")), [{ key: "k", value: "ann" }])
          assert.strictEqual((yield* Effect.flip(nkv.get("private", "k")))._tag, "NoCandidate")
        }))
    }
  )
