import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Either, Fiber, Layer, Option, Redacted, Ref } from "effect"
import { join } from "node:path"
import { DummyAccount } from "../../src/connectors/account/DummyAccount.ts"
import { JSONFileManagedVault } from "../../src/connectors/managedvault/JSONFileManagedVault.ts"
import * as Audit from "../../src/security/Audit.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { layer, ManagedVault, ManagedVaultConnector } from "../../src/security/ManagedVault.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const entries: Array<Audit.AuditEntry> = []

/** The service, and beside it its connector: what another process would write. */
const vault = Layer.unwrapScoped(
  Effect.map(
    tempFolder,
    (folder) => Layer.provideMerge(layer, JSONFileManagedVault.contract({ file: join(folder, "managed-vault.json") }))
  )
).pipe(
  Layer.provide(DummyAccount.layer({ data: { t1: { users: { ann: {} }, agents: { a1: {} } } } })),
  Layer.provide(Layer.succeed(Audit.Audit, {
    level: "owner",
    record: (entry) => Effect.sync(() => void entries.push(entry))
  }))
)

const a1 = Candidate.agent("a1")
const token = (text: string) => Redacted.make(text)

describe("homes", () => {
  it.effect("a key is of the asker's home; a team's is reached by its members only", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      yield* Candidate.as(vault.set("token", token("a1's")), a1)
      yield* Candidate.as(vault.set("token", token("ann's")), Candidate.user("ann"))
      yield* Candidate.as(vault.set("smythfs://t1.team/token", token("t1's")), a1)
      const seen = yield* Effect.forEach([a1, Candidate.user("ann"), Candidate.team("t1")], (who) =>
        Effect.map(Candidate.as(vault.get("token"), who), Redacted.value))
      assert.deepStrictEqual(seen, ["a1's", "ann's", "t1's"])
      const ofTeam = yield* Candidate.as(vault.get("smythfs://t1.team/token"), Candidate.user("ann"))
      assert.strictEqual(Redacted.value(ofTeam), "t1's")
    }).pipe(Effect.provide(Layer.fresh(vault))))

  it.effect("nobody, and nobody else, gets in by any method", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      yield* Candidate.as(vault.set("token", token("a1's")), a1)
      entries.length = 0
      const key = "smythfs://a1.agent/token"
      const methods: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
        vault.get(key),
        vault.exists(key),
        vault.set(key, token("stolen")),
        vault.remove(key),
        vault.refresh(key, () => Effect.succeedSome(token("stolen")))
      ]
      for (const method of methods) {
        assert.strictEqual((yield* Effect.flip(method))._tag, "NoCandidate")
        for (const who of [Candidate.user("ann"), Candidate.agent("a2"), Candidate.team("t1"), Candidate.anyone]) {
          assert.strictEqual((yield* Effect.flip(Candidate.as(method, who)))._tag, "AccessDenied")
        }
      }
      assert.strictEqual(entries.length, methods.length * 5)
      assert.isTrue(entries.every(({ verdict }) => verdict === "denied"))
      assert.strictEqual(Redacted.value(yield* Candidate.as(vault.get("token"), a1)), "a1's")
    }).pipe(Effect.provide(Layer.fresh(vault))))

  it.effect("every use is audited", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      entries.length = 0
      yield* Effect.all([
        vault.set("token", token("1")),
        vault.get("token"),
        vault.exists("token"),
        vault.remove("token")
      ])
      assert.deepStrictEqual(entries.map(({ operation }) => operation), ["set", "get", "exists", "remove"])
      assert.strictEqual(entries[0]?.resource, "agent:a1/token")
    }).pipe(Candidate.as(a1), Effect.provide(Layer.fresh(vault))))
})

describe("refresh", () => {
  it.effect("is done once by those who ask at the same time", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      yield* vault.set("token", token("stale"))
      const calls = yield* Ref.make(0)
      const renew = (current: Redacted.Redacted) =>
        Redacted.value(current) === "stale"
          ? Effect.as(Ref.update(calls, (n) => n + 1), Option.some(token("fresh")))
          : Effect.succeedNone
      const seen = yield* Effect.all(Array.from({ length: 10 }, () => vault.refresh("token", renew)), {
        concurrency: "unbounded"
      })
      assert.isTrue(seen.every((one) => Redacted.value(one) === "fresh"))
      assert.strictEqual(yield* Ref.get(calls), 1)
    }).pipe(Candidate.as(a1), Effect.provide(Layer.fresh(vault))))

  it.effect("does not lose what another process wrote meanwhile: it is asked again", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      const connector = yield* ManagedVaultConnector
      yield* vault.set("token", token("old"))
      const seen: Array<string> = []
      const renewed = yield* vault.refresh("token", (current) =>
        Effect.gen(function*() {
          seen.push(Redacted.value(current))
          if (seen.length > 1) return Option.none()
          const stored = yield* connector.get("agent:a1", "token")
          yield* connector.set("agent:a1", "token", token("theirs"), Option.map(stored, ({ version }) => version))
          return Option.some(token("mine"))
        }))
      assert.deepStrictEqual(seen, ["old", "theirs"])
      assert.strictEqual(Redacted.value(renewed), "theirs")
      assert.strictEqual(Redacted.value(yield* vault.get("token")), "theirs")
    }).pipe(Candidate.as(a1), Effect.provide(Layer.fresh(vault))))

  it.effect("gives up with a conflict when it is always outrun", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      const connector = yield* ManagedVaultConnector
      yield* vault.set("token", token("old"))
      const outrun = vault.refresh("token", () =>
        Effect.gen(function*() {
          const stored = yield* connector.get("agent:a1", "token")
          yield* connector.set("agent:a1", "token", token("theirs"), Option.map(stored, ({ version }) => version))
          return Option.some(token("mine"))
        }))
      const error = yield* Effect.flip(outrun)
      assert.isTrue(error._tag === "ConnectorError" && error.reason === "Conflict")
    }).pipe(Candidate.as(a1), Effect.provide(Layer.fresh(vault))))

  it.effect("a failed or interrupted one keeps the stored secret and lets the next one in", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      yield* vault.set("token", token("old"))
      assert.deepStrictEqual(
        yield* Effect.either(vault.refresh("token", () => Effect.fail("down"))),
        Either.left("down")
      )
      const started = yield* Deferred.make<void>()
      const hanging = yield* Effect.fork(
        vault.refresh("token", () => Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))
      )
      yield* Deferred.await(started)
      yield* Fiber.interrupt(hanging)
      const kept = yield* vault.refresh("token", () => Effect.succeedNone)
      assert.strictEqual(Redacted.value(kept), "old")
    }).pipe(Candidate.as(a1), Effect.provide(Layer.fresh(vault))))

  it.effect("what was renewed is kept, also when its caller is gone by then", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      yield* vault.set("token", token("old"))
      const done = yield* Deferred.make<void>()
      const caller = yield* Effect.fork(
        vault.refresh("token", () => Effect.as(Deferred.succeed(done, undefined), Option.some(token("new"))))
      )
      yield* Deferred.await(done)
      yield* Fiber.interrupt(caller)
      assert.strictEqual(Redacted.value(yield* vault.get("token")), "new")
    }).pipe(Candidate.as(a1), Effect.provide(Layer.fresh(vault))))

  it.effect("different keys do not wait for each other", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      yield* vault.set("slow", token("1"))
      yield* vault.set("quick", token("1"))
      const started = yield* Deferred.make<void>()
      const slow = yield* Effect.fork(
        vault.refresh("slow", () => Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))
      )
      yield* Deferred.await(started)
      const quick = yield* vault.refresh("quick", () => Effect.succeedSome(token("2")))
      assert.strictEqual(Redacted.value(quick), "2")
      yield* Fiber.interrupt(slow)
    }).pipe(Candidate.as(a1), Effect.provide(Layer.fresh(vault))))

  it.effect("there must be something to refresh", () =>
    Effect.gen(function*() {
      const vault = yield* ManagedVault
      const error = yield* Effect.flip(vault.refresh("missing", () => Effect.succeedNone))
      assert.strictEqual(error._tag, "SecretNotFound")
    }).pipe(Candidate.as(a1), Effect.provide(Layer.fresh(vault))))
})
