/** What every cache must do, by itself and behind the service that guards it. Time is real: servers have no test clock. */
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { type ConnectorError, isConflict } from "../../kernel/ConnectorError.ts"
import * as Acl from "../../security/Acl.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Cache, CacheConnector, layer as guarded } from "../../subsystems/memory/Cache.ts"

const asAnn = Candidate.as(Candidate.user("ann"))
const asBob = Candidate.as(Candidate.user("bob"))
const none = Option.none<string>()
const forever = Duration.infinity

export interface Options {
  /** Set side by side and read again. Default: 500. */
  readonly entries?: number
}

export const suite = <E>(
  name: string,
  connector: Layer.Layer<CacheConnector, E>,
  { entries = 500 }: Options = {}
) =>
  layer(Layer.provideMerge(guarded, connector), { excludeTestServices: true, timeout: "60 seconds" })(
    `${name} is a CacheConnector`,
    (it) => {
      const value = (key: string) =>
        Effect.flatMap(CacheConnector, (cache) => Effect.map(cache.get(key), Option.map(({ value }) => value)))
      const version = (key: string) =>
        Effect.flatMap(CacheConnector, (cache) => Effect.map(cache.get(key), Option.map(({ version }) => version)))
      const lost = (self: Effect.Effect<void, ConnectorError>) =>
        Effect.map(Effect.flip(self), ({ reason }) => assert.strictEqual(reason, "Conflict"))

      it.effect("text comes back as it was set: empty, any character, 10 MB of them", () =>
        Effect.gen(function*() {
          const cache = yield* CacheConnector
          assert.deepStrictEqual(yield* cache.get("user:ann/never set"), Option.none())
          const texts = [
            "",
            " ",
            "\n\r\t\u0000",
            "👋 日本語",
            "{\"a\":1}",
            "never",
            "keep",
            "0",
            "x".repeat(10_000_000)
          ]
          for (const [n, text] of texts.entries()) {
            yield* cache.set(`user:ann/texts:${n} {}*`, text, forever, none)
            assert.isTrue(Option.contains(yield* value(`user:ann/texts:${n} {}*`), text), text.slice(0, 20))
          }
        }))

      it.effect("keys of every printable character, of any length and of either case do not meet", () =>
        Effect.gen(function*() {
          const cache = yield* CacheConnector
          const printable = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n))
          const keys = [
            ...printable.filter((one) => !"/\\".includes(one)).map((one) => `x${one}y`),
            "CASE",
            "case",
            "%41",
            ".a",
            "a.",
            "日本語/пример/👋",
            `${"long".repeat(200)}a`,
            `${"long".repeat(200)}b`
          ].map((path) => `user:keys/${path}`)
          yield* Effect.forEach(keys, (key) => cache.set(key, key, forever, none), { concurrency: 8, discard: true })
          assert.deepStrictEqual(yield* Effect.forEach(keys, value, { concurrency: 8 }), keys.map(Option.some))
        }))

      it.effect("a write loses when the version is not the one it expects", () =>
        Effect.gen(function*() {
          const cache = yield* CacheConnector
          const key = "user:ann/versions"
          yield* lost(cache.set(key, "x", forever, Option.some("1")))
          yield* cache.set(key, "one", forever, none)
          const first = yield* version(key)
          yield* lost(cache.set(key, "x", forever, none))
          yield* cache.set(key, "two", forever, first)
          yield* lost(cache.set(key, "x", forever, first))
          yield* lost(cache.touch(key, Duration.seconds(1), Option.getOrThrow(first)))
          yield* lost(cache.remove(key, Option.getOrThrow(first)))
          assert.deepStrictEqual(yield* value(key), Option.some("two"))
          yield* cache.remove(key, Option.getOrThrow(yield* version(key)))
          assert.deepStrictEqual(yield* value(key), Option.none())
          yield* cache.set(key, "again", forever, none)
          yield* lost(cache.set(key, "x", forever, first))
        }))

      it.effect("of many that expect the same version one wins", () =>
        Effect.gen(function*() {
          const cache = yield* CacheConnector
          const exits = yield* Effect.forEach(
            Array.from({ length: 30 }, (_, n) => String(n)),
            (n) => Effect.exit(cache.set("user:ann/contended", n, forever, none)),
            { concurrency: "unbounded" }
          )
          const winners = exits.flatMap((exit, n) => Exit.isSuccess(exit) ? [String(n)] : [])
          assert.deepStrictEqual(winners, [Option.getOrThrow(yield* value("user:ann/contended"))])
        }))

      it.effect("one write may replace what begins as it says, or nothing; whoever cannot do that leaves it to others", () =>
        Effect.gen(function*() {
          const cache = yield* CacheConnector
          const key = "user:ann/overwritten"
          const isAble = yield* cache.overwrite(key, "mine: 1", Duration.hours(1), "mine: ")
          if (!isAble) return assert.deepStrictEqual(yield* value(key), Option.none())
          const first = yield* version(key)
          assert.isTrue(yield* cache.overwrite(key, "theirs: 1", forever, "mine: "))
          yield* lost(cache.set(key, "x", forever, first))
          assert.isFalse(Duration.isFinite(Option.getOrThrow(yield* cache.get(key)).timeToLive))
          for (const start of ["mine: ", "theirs: 1 ", "heirs", "THEIRS", ".*"]) {
            assert.isFalse(yield* cache.overwrite(key, "x", forever, start), start)
          }
          assert.deepStrictEqual(yield* value(key), Option.some("theirs: 1"))
          assert.isTrue(yield* cache.overwrite(key, "é: 👋\n1", Duration.millis(1), "theirs: 1"))
          yield* Effect.sleep("10 millis")
          assert.isTrue(yield* cache.overwrite(key, "é: 👋\n2", forever, "anything"))
          assert.isTrue(yield* cache.overwrite(key, "3", forever, "é: 👋\n"))
          assert.deepStrictEqual(yield* value(key), Option.some("3"))
        }))

      it.effect("an entry is gone after its time to live, and may be set anew as if it had not been", () =>
        Effect.gen(function*() {
          const cache = yield* CacheConnector
          yield* cache.set("user:ann/short", "1", Duration.seconds(1), none)
          const left = Option.getOrThrow(yield* cache.get("user:ann/short")).timeToLive
          assert.isAbove(Duration.toMillis(left), 0)
          assert.isAtMost(Duration.toMillis(left), 1000)
          yield* Effect.sleep("1050 millis")
          assert.deepStrictEqual(yield* cache.get("user:ann/short"), Option.none())
          yield* cache.set("user:ann/short", "2", Duration.zero, none)
          yield* Effect.sleep("10 millis")
          yield* cache.set("user:ann/short", "3", forever, none)
          assert.isFalse(Duration.isFinite(Option.getOrThrow(yield* cache.get("user:ann/short")).timeToLive))
        }))

      it.effect("a write may keep the time that is left, and touching starts it anew or lifts it", () =>
        Effect.gen(function*() {
          const cache = yield* CacheConnector
          const key = "user:ann/touched"
          const left = Effect.map(cache.get(key), (found) => Duration.toMillis(Option.getOrThrow(found).timeToLive))
          const touch = (duration: Duration.Duration) =>
            Effect.flatMap(version(key), (current) => cache.touch(key, duration, Option.getOrThrow(current)))
          yield* cache.set(key, "1", Duration.hours(1), none)
          yield* cache.set(key, "2", "keep", yield* version(key))
          assert.isTrue((yield* left) > 3_500_000 && (yield* left) <= 3_600_000)
          yield* touch(Duration.hours(2))
          assert.isAbove(yield* left, 7_100_000)
          yield* touch(forever)
          assert.strictEqual(yield* left, Infinity)
          yield* touch(Duration.millis(10))
          yield* Effect.sleep("40 millis")
          assert.deepStrictEqual(yield* value(key), Option.none())
        }))

      it.effect(`${entries} entries do not meet`, () =>
        Effect.gen(function*() {
          const cache = yield* CacheConnector
          const keys = Array.from({ length: entries }, (_, n) => `user:many/${n}`)
          yield* Effect.forEach(keys, (key) => cache.set(key, key, forever, none), { concurrency: 50, discard: true })
          const values = yield* Effect.forEach(keys, value, { concurrency: 50 })
          assert.deepStrictEqual(values, keys.map(Option.some))
        }), 300_000)

      it.effect("a write that is interrupted happens whole or not at all, and keeps nobody from the next", () =>
        Effect.gen(function*() {
          const cache = yield* CacheConnector
          const key = "user:ann/interrupted"
          const replace = (text: string) =>
            Effect.flatMap(version(key), (expected) => cache.set(key, text, forever, expected))
          const texts = ["a", "b", "c", "d", "e"].map((letter) => letter.repeat(300_000))
          yield* replace(texts[0]!)
          for (const [n, text] of texts.entries()) {
            const writer = yield* Effect.fork(replace(text))
            yield* Effect.sleep(n)
            yield* Fiber.interrupt(writer)
            assert.include(texts, Option.getOrThrow(yield* value(key)))
          }
          // One that was sent may happen late.
          yield* Effect.retry(replace("last"), { while: isConflict, times: 10 })
          assert.deepStrictEqual(yield* value(key), Option.some("last"))
        }))

      it.effect("of many who add an entry one does, and nobody replaces one that is there", () =>
        Effect.gen(function*() {
          const { add, get } = yield* Cache
          const added = yield* Effect.forEach(
            Array.from({ length: 20 }, (_, n) => String(n)),
            (n) => asAnn(add("once", n, { timeToLive: "1 minute" })),
            { concurrency: "unbounded" }
          )
          const winners = added.flatMap((is, n) => is ? [String(n)] : [])
          assert.deepStrictEqual(winners, [Option.getOrThrow(yield* asAnn(get("once")))])
          assert.isFalse(yield* asAnn(add("once", "again")))
          assert.isTrue(yield* asBob(add("once", "bob's")))
          assert.strictEqual((yield* Effect.flip(asBob(add("smythfs://ann.user/new", "x"))))._tag, "AccessDenied")
        }))

      it.effect("nobody can occupy or read another's key; an owner can share it, and a writer does not become owner", () =>
        Effect.gen(function*() {
          const cache = yield* Cache
          yield* Effect.all([asAnn(cache.set("mine", "ann's")), asBob(cache.set("mine", "bob's"))], {
            concurrency: "unbounded"
          })
          assert.deepStrictEqual(yield* asAnn(cache.get("mine")), Option.some("ann's"))
          assert.deepStrictEqual(yield* asBob(cache.get("mine")), Option.some("bob's"))
          const anns = "smythfs://ann.user/mine"
          for (const key of [anns, "smythfs://ann.user/not there"]) {
            assert.strictEqual((yield* Effect.flip(asBob(cache.get(key))))._tag, "AccessDenied")
            assert.strictEqual((yield* Effect.flip(asBob(cache.set(key, "x"))))._tag, "AccessDenied")
          }
          yield* asAnn(cache.share("mine", Candidate.user("bob"), ["read", "write"]))
          yield* asBob(cache.set(anns, "bob wrote"))
          assert.deepStrictEqual(yield* asAnn(cache.get("mine")), Option.some("bob wrote"))
          assert.deepStrictEqual(Acl.owners(yield* asAnn(cache.acl("mine"))).map(({ id }) => id), ["ann"])
          assert.strictEqual((yield* Effect.flip(asBob(cache.remove(anns))))._tag, "AccessDenied")
          yield* asAnn(cache.share("mine", Candidate.user("bob"), []))
          assert.strictEqual((yield* Effect.flip(asBob(cache.exists(anns))))._tag, "AccessDenied")
        }))

      it.effect("setting an entry again keeps its list, whoever changed that meanwhile, and replaces all else", () =>
        Effect.gen(function*() {
          const cache = yield* Cache
          const anns = "smythfs://ann.user/again"
          yield* asAnn(cache.set("again", "1", { metadata: { a: 1 }, timeToLive: "1 hour" }))
          yield* asAnn(cache.set("again", "2"))
          assert.deepStrictEqual(yield* asAnn(cache.metadata("again")), Option.some({}))
          assert.deepStrictEqual(yield* asAnn(cache.timeToLive("again")), Option.some(forever))
          yield* asAnn(cache.share("again", Candidate.user("bob"), ["owner"]))
          yield* asAnn(cache.set("again", "3"))
          assert.deepStrictEqual(yield* asBob(cache.get(anns)), Option.some("3"))
          // Now ann may only look, in her own home.
          yield* asBob(
            cache.setAcl(anns, Acl.grant(Acl.ownedBy(Candidate.user("bob")), Candidate.user("ann"), ["read"]))
          )
          assert.strictEqual((yield* Effect.flip(asAnn(cache.set("again", "4"))))._tag, "AccessDenied")
          assert.deepStrictEqual(yield* asAnn(cache.get("again")), Option.some("3"))
        }))

      it.effect("metadata and lists change without touching value and time to live, and no change is lost", () =>
        asAnn(Effect.gen(function*() {
          const cache = yield* Cache
          yield* cache.set("merged", "value", { timeToLive: "1 hour", metadata: { first: true } })
          yield* Effect.forEach(Array.from({ length: 20 }, (_, n) => n), (n) =>
            Effect.all([
              cache.setMetadata("merged", { [`m${n}`]: n }),
              cache.share("merged", Candidate.agent(`a${n}`), ["read"])
            ], { concurrency: "unbounded" }), { concurrency: "unbounded", discard: true })
          assert.strictEqual(Object.keys(Option.getOrThrow(yield* cache.metadata("merged"))).length, 21)
          assert.strictEqual((yield* cache.acl("merged")).grants.length, 21)
          assert.deepStrictEqual(yield* cache.get("merged"), Option.some("value"))
          const left = Duration.toMillis(Option.getOrThrow(yield* cache.timeToLive("merged")))
          assert.isTrue(left > 3_500_000 && left <= 3_600_000)
        })))

      it.effect("what is not there is absent, and what JSON text holds is decoded", () =>
        asAnn(Effect.gen(function*() {
          const cache = yield* Cache
          assert.deepStrictEqual(yield* cache.get("absent"), Option.none())
          assert.isFalse(yield* cache.exists("absent"))
          assert.isFalse(yield* cache.touch("absent", "1 second"))
          assert.deepStrictEqual(yield* cache.timeToLive("absent"), Option.none())
          assert.deepStrictEqual(yield* cache.metadata("absent"), Option.none())
          yield* cache.remove("absent")
          assert.strictEqual((yield* Effect.flip(cache.acl("absent")))._tag, "EntryNotFound")
          assert.strictEqual((yield* Effect.flip(cache.setMetadata("absent", {})))._tag, "EntryNotFound")
          const Shape = Schema.Struct({ at: Schema.Date, list: Schema.Array(Schema.Number) })
          const shape = { at: new Date(0), list: [1, 2] }
          yield* cache.setJson("json", Shape, shape)
          assert.deepStrictEqual(yield* cache.getJson("json", Shape), Option.some(shape))
          yield* cache.set("json", "[]")
          assert.strictEqual((yield* Effect.flip(cache.getJson("json", Shape)))._tag, "ParseError")
          yield* cache.set("half", "a\ud800b")
          assert.deepStrictEqual(yield* cache.get("half"), Option.some("a\ufffdb"))
        })))
    }
  )
