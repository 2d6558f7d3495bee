/** What every store of objects must do, by itself and behind the service that guards it. */
import { assert, layer } from "@effect/vitest"
import { Chunk, Deferred, Duration, Effect, Either, Exit, Fiber, Layer, Option, Stream } from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Acl from "../../security/Acl.ts"
import * as Candidate from "../../security/Candidate.ts"
import { concat } from "../../subsystems/Guarded.ts"
import * as Storage from "../../subsystems/io/Storage.ts"

const ann = Candidate.user("ann")
const bob = Candidate.user("bob")
const asAnn = Candidate.as(ann)
const asBob = Candidate.as(bob)

const text = (value: string) => new TextEncoder().encode(value)
const plain = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const none = Option.none<string>()
const head = (owner: Candidate.Candidate): Storage.ObjectHead => ({
  acl: Acl.ownedBy(owner),
  contentType: "text/plain",
  metadata: {},
  expires: Option.none()
})
const printable = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n)).filter((one) =>
  !"/\\".includes(one)
)

export interface Options {
  /** Half of them with one prefix, listed in pages. Default: 600. */
  readonly objects?: number
}

export const suite = <E>(
  name: string,
  connector: Layer.Layer<Storage.StorageConnector, E>,
  { objects = 600 }: Options = {}
) =>
  layer(Layer.provideMerge(Storage.layer, connector), { excludeTestServices: true, timeout: "60 seconds" })(
    `${name} is a StorageConnector`,
    (it) => {
      const read = (key: string, range?: Storage.Range) =>
        Effect.scoped(Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          const opened = yield* store.open(key, range)
          return Option.isNone(opened) ? undefined : concat(yield* Stream.runCollect(opened.value.body))
        }))
      const readText = (key: string) => Effect.map(read(key), (bytes) => bytes === undefined ? undefined : plain(bytes))
      const version = (key: string) =>
        Effect.flatMap(
          Storage.StorageConnector,
          (store) => Effect.map(store.head(key), Option.map(({ version }) => version))
        )

      it.effect("what is put is there, with all that belongs to it", () =>
        Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          const object = {
            acl: Acl.ownedBy(ann, Candidate.team("t1")),
            contentType: "text/x-odd; charset=utf-8",
            metadata: { title: "Grüße 👋", nested: { n: [1, null, false] } },
            expires: Option.some(4102444800000)
          }
          yield* store.put("user:ann/all/of it", { ...object, body: text("hello") }, none)
          const found = Option.getOrThrow(yield* store.head("user:ann/all/of it"))
          const { modified, version, ...rest } = found
          assert.deepStrictEqual(rest, { key: "user:ann/all/of it", sizeBytes: 5, ...object })
          assert.isAbove(modified, 1577836800000)
          assert.isNotEmpty(version)
          assert.strictEqual(yield* readText("user:ann/all/of it"), "hello")
          assert.deepStrictEqual(yield* store.head("user:ann/all"), Option.none())
          assert.strictEqual(yield* readText("user:ann/all/of it/x"), undefined)
        }))

      it.effect(
        "keys of every printable character, of any length and of either case do not meet",
        () =>
          Effect.gen(function*() {
            const store = yield* Storage.StorageConnector
            const keys = [
              ...printable.map((one) => `x${one}y`),
              ...printable.filter((one) => one !== ".").map((one) => one),
              "CASE",
              "case",
              "%41",
              "a.",
              ".a",
              "...",
              "~tmp-x",
              ".lock",
              "con",
              "日本語/пример/👋",
              `${"long".repeat(200)}a`,
              `${"long".repeat(200)}b`,
              Array.from({ length: 500 }, () => "d").join("/")
            ].map((path) => `user:keys/${path}`)
            yield* Effect.forEach(keys, (key) => store.put(key, { ...head(ann), body: text(key) }, none), {
              concurrency: 8
            })
            const texts = yield* Effect.forEach(keys, readText, { concurrency: 8 })
            assert.deepStrictEqual(texts, keys)
            const listed = yield* store.list("user:keys/", { after: none, limit: 1000 })
            assert.sameMembers(listed.items.map(({ key }) => key), Array.from(new Set(keys)))
          }),
        60_000
      )

      it.effect("bytes come back as they are: none, all values, 10 MB, and parts of them", () =>
        Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          yield* store.put("user:ann/empty", { ...head(ann), body: new Uint8Array(0) }, none)
          assert.strictEqual((yield* read("user:ann/empty"))?.length, 0)
          const all = Uint8Array.from({ length: 10_000_000 }, (_, n) => (n * 31 + (n >> 8)) & 255)
          yield* store.put("user:ann/large", { ...head(ann), body: all }, none)
          assert.strictEqual(Buffer.compare((yield* read("user:ann/large"))!, all), 0)
          const parts: ReadonlyArray<Storage.Range> = [
            { offset: 0, length: 1 },
            { offset: 9_999_999 },
            { offset: 300_000, length: 600_000 },
            { offset: 5, length: 0 },
            { offset: 20_000_000, length: 4 },
            { offset: 9_999_990, length: 100 }
          ]
          for (const range of parts) {
            const expected = all.subarray(range.offset, range.offset + (range.length ?? all.length))
            assert.strictEqual(
              Buffer.compare((yield* read("user:ann/large", range))!, expected),
              0,
              JSON.stringify(range)
            )
          }
        }))

      it.effect("bytes are copied: what a caller does to its own later changes nothing", () =>
        Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          const mine = text("mine")
          yield* store.put("user:ann/copy", { ...head(ann), body: mine }, none)
          mine[0] = 0
          const got = (yield* read("user:ann/copy"))!
          got[1] = 0
          assert.strictEqual(yield* readText("user:ann/copy"), "mine")
        }))

      it.effect("a write loses when the version is not the one it expects, and changes nothing", () =>
        Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          const key = "user:ann/versions"
          const lost = (self: Effect.Effect<void, ConnectorError>) =>
            Effect.map(Effect.flip(self), ({ reason }) => assert.strictEqual(reason, "Conflict"))
          yield* lost(store.put(key, { ...head(ann), body: text("x") }, Option.some("1")))
          yield* store.put(key, { ...head(ann), body: text("one") }, none)
          const first = yield* version(key)
          yield* lost(store.put(key, { ...head(ann), body: text("x") }, none))
          yield* store.put(key, { ...head(ann), body: text("two") }, first)
          yield* lost(store.put(key, { ...head(bob), body: text("x") }, first))
          yield* lost(store.update(key, { acl: Acl.empty }, Option.getOrThrow(first)))
          yield* lost(store.remove(key, Option.getOrThrow(first)))
          assert.strictEqual(yield* readText(key), "two")
          const second = Option.getOrThrow(yield* version(key))
          yield* store.update(key, { metadata: { a: 1 }, expires: Option.some(4102444800000) }, second)
          yield* lost(store.remove(key, second))
          const third = Option.getOrThrow(yield* store.head(key))
          assert.deepStrictEqual([third.metadata, third.contentType, third.acl], [
            { a: 1 },
            "text/plain",
            Acl.ownedBy(ann)
          ])
          assert.strictEqual(yield* readText(key), "two")
          yield* store.remove(key, third.version)
          assert.isTrue(Option.isNone(yield* store.head(key)))
          yield* lost(store.remove(key, third.version))
          yield* lost(store.update(key, {}, third.version))
        }))

      it.effect("of many writers that expect the same version one wins", () =>
        Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          const exits = yield* Effect.forEach(
            Array.from({ length: 20 }, (_, n) => n),
            (n) => Effect.exit(store.put("user:ann/contended", { ...head(ann), body: text(String(n)) }, none)),
            { concurrency: "unbounded" }
          )
          const winners = exits.flatMap((exit, n) => Exit.isSuccess(exit) ? [String(n)] : [])
          assert.deepStrictEqual(winners, [(yield* readText("user:ann/contended"))!])
        }))

      it.effect("a reader keeps the object it opened while another replaces it", () =>
        Effect.scoped(Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          const key = "user:ann/snapshot"
          const old = new Uint8Array(1_000_000).fill(1)
          yield* store.put(key, { ...head(ann), body: old }, none)
          const opened = Option.getOrThrow(yield* store.open(key))
          yield* store.put(key, { ...head(ann), body: text("new") }, Option.some(opened.version))
          assert.strictEqual(Buffer.compare(concat(yield* Stream.runCollect(opened.body)), old), 0)
          assert.strictEqual(yield* readText(key), "new")
        })))

      it.effect("a stream is stored chunk by chunk, and a failing or interrupted one leaves the old object", () =>
        Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          const key = "user:ann/streamed"
          const chunks = Stream.range(1, 500).pipe(Stream.map((n) => new Uint8Array(1000).fill(n)), Stream.rechunk(1))
          yield* store.put(key, { ...head(ann), body: chunks }, none)
          const bytes = (yield* read(key))!
          assert.deepStrictEqual([bytes.length, bytes[0], bytes[499_999]], [500_000, 1, 500 & 255])
          const current = yield* version(key)
          const failed = yield* Effect.exit(
            store.put(key, { ...head(bob), body: Stream.concat(chunks, Stream.fail("source broke" as const)) }, current)
          )
          assert.deepStrictEqual(failed, Exit.fail("source broke"))
          const underway = yield* Deferred.make<void>()
          const endless = Stream.concat(Stream.ensuring(chunks, Deferred.succeed(underway, undefined)), Stream.never)
          const writer = yield* Effect.fork(store.put(key, { ...head(bob), body: endless }, current))
          yield* Deferred.await(underway)
          yield* Fiber.interrupt(writer)
          assert.strictEqual(Buffer.compare((yield* read(key))!, bytes), 0)
          assert.deepStrictEqual(yield* version(key), current)
        }))

      it.effect("a stream is read no faster than its consumer takes it, and can be left in the middle", () =>
        Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          yield* store.put("user:ann/slow", { ...head(ann), body: new Uint8Array(3_000_000) }, none)
          const first = yield* Effect.scoped(Effect.gen(function*() {
            const opened = Option.getOrThrow(yield* store.open("user:ann/slow"))
            return yield* Stream.runCollect(Stream.take(opened.body, 1))
          }))
          assert.isAtLeast(Chunk.unsafeHead(first).length, 1)
          yield* store.remove("user:ann/slow", Option.getOrThrow(yield* version("user:ann/slow")))
        }))

      it.effect(`lists ${objects} objects in pages, each once, those of the prefix alone`, () =>
        Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          const keys = Array.from({ length: objects }, (_, n) => `user:many/p${n % 2}/${n}`)
          yield* Effect.forEach(keys, (key) => store.put(key, { ...head(ann), body: text("x") }, none), {
            concurrency: 16,
            discard: true
          })
          yield* store.put("user:many2/p1/1", { ...head(ann), body: text("x") }, none)
          const seen: Array<string> = []
          let after: Option.Option<string> = Option.none()
          do {
            const page: Effect.Effect.Success<ReturnType<typeof store.list>> = yield* store.list("user:many/p1", {
              after,
              limit: 70
            })
            assert.isAtMost(page.items.length, 70)
            seen.push(...page.items.map(({ key }) => key))
            after = page.next
          } while (Option.isSome(after))
          const wanted = keys.filter((key) => key.startsWith("user:many/p1"))
          assert.strictEqual(seen.length, wanted.length)
          assert.deepStrictEqual(new Set(seen), new Set(wanted))
          assert.deepStrictEqual((yield* store.list("user:nobody/", { after: none, limit: 10 })).items, [])
        }), 300_000)

      it.effect("an object is gone when its time is up: to be read, listed and shared, and may be written anew", () =>
        asAnn(Effect.gen(function*() {
          const storage = yield* Storage.Storage
          yield* storage.write("expiring/short", text("short"), { timeToLive: "1 second" })
          yield* storage.write("expiring/long", text("long"), { timeToLive: "1 hour" })
          assert.strictEqual(plain(yield* storage.read("expiring/short")), "short")
          yield* storage.share("expiring/short", bob, ["read", "write"])
          yield* Effect.sleep("1050 millis")
          for (const use of [storage.read("expiring/short"), storage.share("expiring/short", bob, [])]) {
            const error = yield* Effect.flip<unknown, Storage.StorageError, never>(
              use as Effect.Effect<unknown, Storage.StorageError>
            )
            assert.strictEqual(error._tag, "ObjectNotFound")
          }
          const listed = yield* Stream.runCollect(Stream.unwrap(storage.list("expiring/")))
          assert.deepStrictEqual(Array.from(listed, ({ key }) => key), ["expiring/long"])
          yield* storage.write("expiring/short", text("anew"))
          assert.strictEqual(plain(yield* storage.read("expiring/short")), "anew")
          assert.strictEqual((yield* storage.acl("expiring/short")).grants.length, 1)
        })))

      it.effect("a URL for others, where there is one, gives the bytes of its version and no others", () =>
        Effect.gen(function*() {
          const store = yield* Storage.StorageConnector
          const key = "user:ann/for all + others.txt"
          yield* store.put(key, { ...head(ann), body: text("for all") }, none)
          const first = Option.getOrThrow(yield* version(key))
          const url = yield* store.publicUrl(key, first, Duration.minutes(1))
          yield* store.put(key, { ...head(ann), body: text("for few") }, Option.some(first))
          const outdated = yield* Effect.either(store.publicUrl(key, first, Duration.minutes(1)))
          if (Option.isNone(url)) return assert.deepStrictEqual(outdated, Either.right(Option.none()))
          assert.deepInclude(yield* Either.flip(outdated), { reason: "Conflict" })
          const answer = yield* Effect.promise((signal) => fetch(url.value, { signal }))
          assert.deepStrictEqual([answer.status, answer.headers.get("content-type")], [200, "text/plain"])
          assert.strictEqual(yield* Effect.promise(() => answer.text()), "for all")
        }))

      it.effect("a URL is made for those who may read, of what is there", () =>
        Effect.gen(function*() {
          const storage = yield* Storage.Storage
          yield* asAnn(storage.write("shared", text("x"), { timeToLive: "1 hour" }))
          const asked = (key: string) => storage.publicUrl(key, "1 minute")
          assert.strictEqual((yield* Effect.flip(asBob(asked("smythfs://ann.user/shared"))))._tag, "AccessDenied")
          assert.strictEqual((yield* Effect.flip(asAnn(asked("absent"))))._tag, "ObjectNotFound")
          yield* asAnn(storage.share("shared", bob, ["read"]))
          const [ofAnn, ofBob] = [yield* asAnn(asked("shared")), yield* asBob(asked("smythfs://ann.user/shared"))]
          assert.strictEqual(Option.isSome(ofBob), Option.isSome(ofAnn))
          yield* asAnn(storage.expire("shared", Duration.infinity))
          // No backend answers others for ever.
          assert.deepStrictEqual(yield* asAnn(storage.publicUrl("shared", Duration.infinity)), Option.none())
        }))

      it.effect("the first writer owns an object, also when two race; a later one does not become owner", () =>
        Effect.gen(function*() {
          const storage = yield* Storage.Storage
          const team = { read: "smythfs://race.team/r" }
          yield* Effect.all([
            asAnn(storage.write("race", text("ann"))),
            asAnn(storage.write("race", text("ann again")))
          ], { concurrency: "unbounded" })
          assert.deepStrictEqual(Acl.owners(yield* asAnn(storage.acl("race"))).map(({ id }) => id), ["ann"])
          yield* asAnn(storage.share("race", bob, ["write"]))
          yield* asBob(storage.write("smythfs://ann.user/race", text("bob")))
          assert.deepStrictEqual(Acl.owners(yield* asAnn(storage.acl("race"))).map(({ id }) => id), ["ann"])
          assert.strictEqual((yield* Effect.flip(asBob(storage.read("smythfs://ann.user/race"))))._tag, "AccessDenied")
          assert.strictEqual(
            (yield* Effect.flip(asBob(storage.remove("smythfs://ann.user/race"))))._tag,
            "AccessDenied"
          )
          assert.strictEqual((yield* Effect.flip(asBob(storage.write(team.read, text("x")))))._tag, "AccessDenied")
          assert.strictEqual(plain(yield* asAnn(storage.read("race"))), "bob")
        }))

      it.effect("concurrent changes through the service are all kept", () =>
        asAnn(Effect.gen(function*() {
          const storage = yield* Storage.Storage
          yield* storage.write("merged", text(""))
          const numbers = Array.from({ length: 15 }, (_, n) => n)
          yield* Effect.forEach(numbers, (n) =>
            Effect.all([
              storage.setMetadata("merged", { [`m${n}`]: n }),
              storage.share("merged", Candidate.user(`u${n}`), ["read"]),
              storage.modify("merged", (bytes) =>
                Effect.succeed(concat([Option.getOrThrow(bytes), Uint8Array.of(65 + n)])))
            ], { concurrency: "unbounded" }), { concurrency: "unbounded" })
          assert.strictEqual(Object.keys((yield* storage.info("merged")).metadata).length, 15)
          assert.strictEqual((yield* storage.acl("merged")).grants.length, 16)
          assert.sameMembers(Array.from(plain(yield* storage.read("merged"))), Array.from("ABCDEFGHIJKLMNO"))
        })))
    }
  )
