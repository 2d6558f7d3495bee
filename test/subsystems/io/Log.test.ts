import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, FastCheck, Layer, Redacted, Ref } from "effect"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Access from "../../../src/security/Access.ts"
import * as Acl from "../../../src/security/Acl.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Log from "../../../src/subsystems/io/Log.ts"

/** Runs `use` against a sink that keeps what it is given; the records are complete once the service is closed. */
const recordsOf = <A, E, R>(use: Effect.Effect<A, E, R | Log.Log>) =>
  Effect.gen(function*() {
    const written = yield* Ref.make<ReadonlyArray<Log.LogRecord>>([])
    const sink = Layer.succeed(Log.LogConnector, {
      write: (records) => Ref.update(written, (all) => [...all, ...records])
    })
    yield* Effect.provide(use, Layer.provide(Log.layer, sink))
    return yield* Ref.get(written)
  })

const say = (message: string, more: Partial<Log.Entry> = {}) =>
  Effect.flatMap(Log.Log, (log) => log.record({ level: "info", message, ...more }))

describe("Log", () => {
  it.effect("records carry the candidate, and the agent only when one is asking", () =>
    Effect.gen(function*() {
      const records = yield* recordsOf(Effect.all([
        Candidate.as(say("one", { componentId: "C1", runId: "r1" }), Candidate.agent("a1")),
        Candidate.as(say("two"), Candidate.user("bob"))
      ]))
      assert.deepStrictEqual(
        records.map((
          { agentId, candidate, componentId, message, runId, time }
        ) => [candidate?.id, agentId, componentId, runId, message, time]),
        [["a1", "a1", "C1", "r1", "one", 0], ["bob", undefined, undefined, undefined, "two", 0]]
      )
    }))

  it.effect("nobody logs anonymously", () =>
    Effect.gen(function*() {
      const refused = yield* Ref.make<ReadonlyArray<string>>([])
      const attempt = <A>(effect: Effect.Effect<A, Candidate.NoCandidate, Log.Log>) =>
        Effect.catchTag(effect, "NoCandidate", (error) => Ref.update(refused, (all) => [...all, error.operation]))
      const records = yield* recordsOf(
        Effect.zip(attempt(say("x")), attempt(Effect.flatMap(Log.Log, (log) => log.task(1))))
      )
      assert.deepStrictEqual(records, [])
      assert.deepStrictEqual(yield* Ref.get(refused), ["Log.record", "Log.task"])
    }))

  it.effect("tasks are counted", () =>
    Effect.gen(function*() {
      const tasks = Effect.flatMap(Log.Log, (log) => Effect.zip(log.task(1, "r1"), log.task(4)))
      const records = yield* recordsOf(Candidate.as(tasks, Candidate.agent("a1")))
      assert.deepStrictEqual(records.map(({ count, kind, runId }) => [kind, count, runId]), [
        ["task", 1, "r1"],
        ["task", 4, undefined]
      ])
    }))

  it.effect("secrets stay redacted and cyclic or hostile values are shown or refused, never thrown", () =>
    Effect.gen(function*() {
      const cyclic: Record<string, unknown> = { key: Redacted.make("s3cret") }
      cyclic["self"] = cyclic
      const hostile = {
        get [Symbol.toStringTag](): string {
          throw new Error("no")
        }
      }
      const [record] = yield* recordsOf(
        Candidate.as(say("x", { input: cyclic, output: hostile, error: new Error("boom") }), Candidate.agent("a1"))
      )
      assert.notInclude(JSON.stringify(record), "s3cret")
      assert.include(record?.input, "redacted")
      assert.isString(record?.output)
      assert.include(record?.error, "boom")
    }))

  it.prop("a preview is bounded and keeps short texts as they are", [FastCheck.anything(), FastCheck.string()], (
    [value, text]
  ) => {
    assert.isAtMost(Log.preview(value).length, Log.maxPreview)
    const long = text.repeat(2000)
    assert.strictEqual(Log.preview(text), text)
    assert.isAtMost(Log.preview(long).length, Log.maxPreview)
    assert.isTrue(Log.preview(long).isWellFormed() || !long.isWellFormed())
  })

  it.live("a sink that hangs delays no caller; what is too much is dropped and reported", () =>
    Effect.gen(function*() {
      const open = yield* Deferred.make<void>()
      const written = yield* Ref.make<ReadonlyArray<Log.LogRecord>>([])
      const sink = Layer.succeed(Log.LogConnector, {
        write: (records) => Effect.zipRight(Deferred.await(open), Ref.update(written, (all) => [...all, ...records]))
      })
      yield* Effect.gen(function*() {
        yield* Candidate.as(
          Effect.forEach(Array.from({ length: 115_000 }, (_, index) => `${index}`), (text) => say(text)),
          Candidate.agent("a1")
        )
        yield* Deferred.succeed(open, undefined)
      }).pipe(Effect.provide(Layer.provide(Log.layer, sink)))
      const records = yield* Ref.get(written)
      const dropped = records.reduce((sum, { count, kind }) => sum + (kind === "activity" ? count ?? 0 : 0), 0)
      const kept = records.filter(({ count }) => count === undefined)
      assert.isAbove(dropped, 0)
      assert.strictEqual(kept.length + dropped, 115_000)
      assert.strictEqual(kept[0]?.message, "0")
    }))

  it.live("a sink that is down costs its records, reported once it is back, and nothing else", () =>
    Effect.gen(function*() {
      const down = yield* Ref.make(true)
      const written = yield* Ref.make<ReadonlyArray<Log.LogRecord>>([])
      const failed = yield* Deferred.make<void>()
      const sink = Layer.succeed(Log.LogConnector, {
        write: (records) =>
          Effect.if(Ref.get(down), {
            onTrue: () =>
              Effect.zipRight(
                Deferred.succeed(failed, undefined),
                new ConnectorError({ connector: "Test", method: "write", reason: "Unauthorized" })
              ),
            onFalse: () => Ref.update(written, (all) => [...all, ...records])
          })
      })
      yield* Effect.gen(function*() {
        yield* say("lost")
        yield* Deferred.await(failed)
        yield* Ref.set(down, false)
        yield* say("kept")
      }).pipe(Candidate.as(Candidate.agent("a1")), Effect.provide(Layer.provide(Log.layer, sink)))
      const messages = (yield* Ref.get(written)).map(({ message }) => message)
      assert.deepStrictEqual(messages, ["kept", "1 log records dropped: the sink is too slow or failing"])
    }))

  it.effect("access decisions go to the sink: denials as warnings", () =>
    Effect.gen(function*() {
      const written = yield* Ref.make<ReadonlyArray<Log.LogRecord>>([])
      const sink = Layer.succeed(Log.LogConnector, {
        write: (records) => Ref.update(written, (all) => [...all, ...records])
      })
      yield* Effect.gen(function*() {
        const guard = yield* Access.guard("Storage")
        const acl = Acl.ownedBy(Candidate.user("bob"))
        const check = (level: Acl.Level) => guard.check(acl, { operation: "touch", level, resource: "k" })
        yield* Candidate.as(check("owner"), Candidate.user("bob"))
        yield* Candidate.as(check("read"), Candidate.user("bob"))
        yield* Effect.flip(Candidate.as(check("read"), Candidate.agent("eve")))
        yield* Effect.flip(check("read"))
      }).pipe(Effect.provide(Layer.provide(Log.auditLayer(), sink)))
      assert.deepStrictEqual(
        (yield* Ref.get(written)).map((
          { agentId, candidate, kind, level, message }
        ) => [kind, level, candidate?.id, agentId, message]),
        [
          ["audit", "info", "bob", undefined, "granted Storage.touch k"],
          ["audit", "warning", "eve", "eve", "denied Storage.touch k"],
          ["audit", "warning", undefined, undefined, "denied Storage.touch"]
        ]
      )
    }))
})
