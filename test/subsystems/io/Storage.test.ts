import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, Stream, TestClock } from "effect"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Access from "../../../src/security/Access.ts"
import * as Acl from "../../../src/security/Acl.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { concat } from "../../../src/subsystems/Guarded.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"

const asAnn = Candidate.as(Candidate.user("ann"))
const asBob = Candidate.as(Candidate.user("bob"))
const text = (value: string) => new TextEncoder().encode(value)

/** ann and bob are in team t1. */
const teams = Layer.succeed(Access.Teams, ({ id }) => Effect.succeed(["ann", "bob"].includes(id) ? ["t1"] : []))
const storage = Layer.provide(MemoryStorage.layer({}), teams)

const keys = (prefix: string) =>
  Effect.map(
    Stream.runCollect(Stream.unwrap(Effect.flatMap(Storage, (storage) => storage.list(prefix)))),
    (all) => Array.from(all, ({ key }) => key)
  )

describe("Storage", () => {
  it.effect("keys are relative to a home; absent, foreign and malformed ones are told apart", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      yield* asAnn(storage.write("data.json", text("ann")))
      yield* asBob(storage.write("data.json", text("bob")))
      assert.deepStrictEqual(yield* asAnn(storage.read("data.json")), text("ann"))
      assert.deepStrictEqual(yield* asAnn(storage.read("smythfs://ann.user/data.json")), text("ann"))
      assert.strictEqual((yield* Effect.flip(asAnn(storage.read("absent"))))._tag, "ObjectNotFound")
      for (const path of ["data.json", "absent"]) {
        for (const call of [storage.read, storage.exists, storage.info, storage.acl, storage.remove] as const) {
          const error = yield* Effect.flip<unknown, { readonly _tag: string }, never>(
            asBob(call(`smythfs://ann.user/${path}`) as Effect.Effect<unknown, { readonly _tag: string }>)
          )
          assert.strictEqual(error._tag, "AccessDenied")
        }
      }
      for (const key of ["", "../x", "a//b", "smythfs://ann.robot/x", "a\u0000"]) {
        assert.strictEqual((yield* Effect.flip(asAnn(storage.write(key, text("x")))))._tag, "InvalidKey")
      }
      assert.strictEqual((yield* Effect.flip(storage.read("data.json")))._tag, "NoCandidate")
      const nobody = yield* Effect.flip(Candidate.as(storage.write("x", text("x")), Candidate.anyone))
      assert.strictEqual(nobody._tag, "AccessDenied")
    }).pipe(Effect.provide(storage)))

  it.effect("a stream runs as whoever made it, wherever it is consumed", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      yield* asAnn(storage.write("s", text("0123456789")))
      const part = yield* asAnn(storage.readStream("s", { offset: 2, length: 3 }))
      assert.deepStrictEqual(concat(yield* Stream.runCollect(part)), text("234"))
      const bobs = yield* asBob(storage.readStream("smythfs://ann.user/s"))
      assert.strictEqual((yield* Effect.flip(asAnn(Stream.runDrain(bobs))))._tag, "AccessDenied")
      const listed = yield* asAnn(storage.list(""))
      assert.strictEqual(yield* asBob(Stream.runCount(listed)), 1)
      for (const range of [{ offset: -1 }, { offset: 0.5 }, { offset: 0, length: NaN }]) {
        const odd = yield* asAnn(storage.readStream("s", range))
        assert.deepInclude(yield* Effect.flip(Stream.runDrain(odd)), { reason: "InvalidInput" })
      }
    }).pipe(Effect.provide(storage)))

  it.effect("an expired object is absent, and whoever owns the home may start anew", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      const key = "smythfs://t1.team/shared"
      yield* asAnn(storage.write(key, text("1"), { timeToLive: Duration.minutes(1) }))
      yield* TestClock.adjust("1 minute")
      assert.isFalse(yield* asBob(storage.exists(key)))
      assert.strictEqual((yield* Effect.flip(asBob(storage.read(key))))._tag, "ObjectNotFound")
      assert.deepStrictEqual(yield* asBob(keys("smythfs://t1.team/")), [])
      yield* asBob(storage.write(key, text("2")))
      const owners = Acl.owners(yield* asBob(storage.acl(key))).map(({ id }) => id)
      assert.deepStrictEqual(owners, ["bob", "t1"])
      yield* asBob(storage.expire(key, "1 second"))
      yield* asBob(storage.expire(key, Duration.infinity))
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual((yield* asBob(storage.info(key))).expires, Option.none())
    }).pipe(Effect.provide(storage)))

  it.effect("deleting, expiring and lists are the owner's; a list without an owner is refused", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      const key = "smythfs://ann.user/doc"
      yield* asAnn(storage.write("doc", text("1")))
      yield* asAnn(storage.share("doc", Candidate.user("bob"), ["read", "write"]))
      yield* asBob(storage.write(key, text("2"), { metadata: { by: "bob" } }))
      yield* asBob(storage.setMetadata(key, { more: [1] }))
      const owners = [
        storage.remove(key),
        storage.expire(key, "1 second"),
        storage.write(key, text("3"), { timeToLive: "1 second" }),
        storage.share(key, Candidate.user("bob"), ["owner"]),
        storage.setAcl(key, Acl.ownedBy(Candidate.user("bob")))
      ]
      for (const call of owners) {
        const error = yield* Effect.flip<unknown, { readonly _tag: string }, never>(asBob(call))
        assert.strictEqual(error._tag, "AccessDenied")
      }
      for (const call of [storage.setAcl("doc", Acl.empty), storage.share("doc", Candidate.user("ann"), [])]) {
        assert.deepInclude(yield* Effect.flip(asAnn(call)), { reason: "InvalidInput" })
      }
      assert.deepStrictEqual((yield* asAnn(storage.info("doc"))).metadata, { by: "bob", more: [1] })
      yield* asAnn(storage.share("doc", Candidate.user("bob"), []))
      assert.strictEqual((yield* Effect.flip(asBob(storage.read(key))))._tag, "AccessDenied")
      assert.deepInclude(yield* Effect.flip(asAnn(storage.write("big", text("x"), { metadata: { n: 1n } }))), {
        reason: "InvalidInput"
      })
    }).pipe(Effect.provide(storage)))

  it.effect("a list shows what the asker may read, under names the asker may use", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      for (const key of ["a/1", "a/2", "ab", "b 1"]) yield* asAnn(storage.write(key, text(key)))
      yield* asAnn(storage.share("b 1", Candidate.anyone, ["read"]))
      assert.deepStrictEqual(yield* asAnn(keys("")), ["a/1", "a/2", "ab", "b 1"])
      assert.deepStrictEqual(yield* asAnn(keys("a/")), ["a/1", "a/2"])
      assert.deepStrictEqual(yield* asBob(keys("smythfs://ann.user/")), ["smythfs://ann.user/b%201"])
      const [key = ""] = yield* asBob(keys("smythfs://ann.user/b"))
      assert.deepStrictEqual(yield* asBob(storage.read(key)), text("b 1"))
      assert.strictEqual((yield* Effect.flip(asAnn(keys("../"))))._tag, "InvalidKey")
    }).pipe(Effect.provide(storage)))

  it.effect("a named instance is found where it is installed, else the error names those that are", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Storage.named("archive"))
      assert.include(error.message, "archive")
    }))
})
