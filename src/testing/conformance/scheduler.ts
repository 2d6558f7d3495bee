/** What every keeper of jobs must do: hand each due job to one claimant, and keep what is written of its runs. */
import { assert, layer } from "@effect/vitest"
import { Effect, type Layer, Option } from "effect"
import { type Claim, SchedulerConnector, type StoredJob } from "../../subsystems/compute/Scheduler.ts"

const job = (owner: string, id: string, more: Partial<StoredJob> = {}): StoredJob => ({
  owner,
  id,
  kind: "work",
  job: `{"id":"${id}"}`,
  created: 0,
  paused: false,
  due: Option.some(1000),
  ...more
})

export const suite = <E>(name: string, connector: Layer.Layer<SchedulerConnector, E>) =>
  layer(connector, { excludeTestServices: true, timeout: "60 seconds" })(`${name} is a SchedulerConnector`, (it) => {
    // Each test has a kind of its own, so that it claims nobody else's jobs.
    const claim = (kind: string, now: number, limit = 100) =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        const claims: Array<Claim> = []
        for (const owner of yield* jobs.due([kind], now)) {
          while (claims.length < limit) {
            const claimed = yield* jobs.claim({ owner, kinds: [kind], now, until: now + 100 })
            if (Option.isNone(claimed)) break
            claims.push(claimed.value)
          }
        }
        return claims
      })
    const idsOf = (claims: ReadonlyArray<Claim>) => claims.map(({ id }) => id).sort()
    const settled = (due: Option.Option<number>, record = "{}") => ({ due, record: Option.some(record) })

    it.effect("jobs come back as they were put, of their owner alone", () =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        const mine = [
          job("user:ann", "a/b c/ü👋"),
          job("user:ann", "never", { due: Option.none(), paused: true, created: 1_700_000_000_123 }),
          job("user:ann", "A/B C/Ü👋", { kind: "some kind of ü", due: Option.some(1_700_000_000_123.5) })
        ]
        for (const one of [...mine, job("user:annie", "other"), job("agent:ann", "a/b c/ü👋")]) yield* jobs.put(one)
        for (const one of mine) assert.deepStrictEqual(yield* jobs.get(one.owner, one.id), Option.some(one))
        assert.sameDeepMembers([...yield* jobs.list("user:ann")], mine)
        assert.deepStrictEqual(yield* jobs.get("user:ann", "other"), Option.none())
        assert.deepStrictEqual(yield* jobs.list("user:nobody"), [])
        yield* jobs.remove("user:ann", "never")
        yield* jobs.remove("user:ann", "never")
        assert.deepStrictEqual(yield* jobs.get("user:ann", "never"), Option.none())
        assert.lengthOf(yield* jobs.list("user:ann"), 2)
      }))

    it.effect("a thousand jobs, with ids of every printable character, do not meet", () =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        const printable = Array.from({ length: 95 }, (_, n) => `x${String.fromCharCode(32 + n)}y`)
        const ids = [...printable, "UPPER", "upper", "%41", "..", ...Array.from({ length: 900 }, (_, n) => `${n}`)]
        yield* Effect.forEach(ids, (id) => jobs.put(job("user:crowd", id, { kind: "crowd" })), {
          concurrency: 8,
          discard: true
        })
        assert.deepStrictEqual(new Set((yield* jobs.list("user:crowd")).map(({ id }) => id)), new Set(ids))
        assert.deepStrictEqual(idsOf(yield* claim("crowd", 5000, 2000)), [...ids].sort())
      }), 60_000)

    it.effect("what is due is claimed, the earliest first; what is paused, over, early, or of another kind is not", () =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        const kind = "due"
        for (const [id, due] of [["third", 30], ["first", 10], ["second", 20], ["early", 101]] as const) {
          yield* jobs.put(job("user:due", id, { kind, due: Option.some(due) }))
        }
        yield* jobs.put(job("user:due", "paused", { kind, paused: true }))
        yield* jobs.put(job("user:due", "over", { kind, due: Option.none() }))
        yield* jobs.put(job("user:due", "other", { kind: "not due" }))
        assert.deepStrictEqual(yield* jobs.next([kind], 0), Option.some(10))
        assert.deepStrictEqual(yield* jobs.next([kind], 20), Option.some(30))
        assert.deepStrictEqual((yield* claim(kind, 100, 2)).map(({ id }) => id), ["first", "second"])
        assert.deepStrictEqual((yield* claim(kind, 100)).map(({ id }) => id), ["third"])
        assert.deepStrictEqual(yield* claim(kind, 100), [])
        assert.deepStrictEqual(yield* jobs.next([kind], 100), Option.some(101))
        assert.deepStrictEqual(yield* jobs.next(["unheard of"], 0), Option.none())
      }))

    it.effect("whose jobs are due is told once each, and each claims its own alone", () =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        const kind = "owned"
        for (const [owner, due] of [["user:o1", 20], ["user:o2", 10], ["user:o1", 30], ["user:o3", 200]] as const) {
          yield* jobs.put(job(owner, `at ${due}`, { kind, due: Option.some(due) }))
        }
        assert.deepStrictEqual(yield* jobs.due([kind], 100), ["user:o2", "user:o1"])
        assert.deepStrictEqual(yield* jobs.due(["unheard of"], 100), [])
        const claimed = yield* jobs.claim({ owner: "user:o1", kinds: [kind], now: 100, until: 200 })
        assert.deepInclude(Option.getOrThrow(claimed), { owner: "user:o1", id: "at 20" })
        assert.deepStrictEqual(yield* jobs.due([kind], 100), ["user:o2", "user:o1"])
        assert.lengthOf(yield* claim(kind, 100), 2)
        assert.deepStrictEqual(yield* jobs.due([kind], 100), [])
        const none = yield* jobs.claim({ owner: "user:o3", kinds: [kind], now: 100, until: 200 })
        assert.deepStrictEqual(none, Option.none())
      }))

    it.effect("of many claimants each job has one", () =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        const ids = Array.from({ length: 40 }, (_, n) => `c${n}`)
        yield* Effect.forEach(ids, (id) => jobs.put(job("user:many", id, { kind: "contended" })), { concurrency: 5 })
        const claims = yield* Effect.forEach(Array.from({ length: 20 }), () => claim("contended", 5000, 7), {
          concurrency: "unbounded"
        })
        const rest = yield* claim("contended", 5000)
        assert.deepStrictEqual(idsOf([...claims.flat(), ...rest]), [...ids].sort())
      }))

    it.effect("a claim is held until its lease ends, and longer when it is renewed; then another may have it", () =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        yield* jobs.put(job("user:lease", "one", { kind: "lease" }))
        const [first] = yield* claim("lease", 1000)
        assert.strictEqual(first?.claims, 1)
        assert.deepStrictEqual(yield* jobs.next(["lease"], 1000), Option.some(1100))
        assert.deepStrictEqual(yield* claim("lease", 1099), [])
        assert.isTrue(yield* jobs.renew(first!, 1200))
        assert.deepStrictEqual(yield* claim("lease", 1199), [])
        const [second] = yield* claim("lease", 1200)
        assert.strictEqual(second?.claims, 2)
        assert.isFalse(yield* jobs.renew(first!, 9999))
        yield* jobs.settle(first!, settled(Option.none(), "\"too late\""))
        assert.deepStrictEqual(yield* jobs.history("user:lease", "one"), [])
        yield* jobs.settle(second!, settled(Option.some(7000), "\"ü'\\u0000\""))
        assert.deepStrictEqual(yield* jobs.history("user:lease", "one"), ["\"ü'\\u0000\""])
        assert.deepStrictEqual(yield* claim("lease", 6999), [])
        assert.strictEqual((yield* claim("lease", 7000))[0]?.claims, 1)
      }))

    it.effect("a claim given back without a record is due as before, and remembers that it was claimed", () =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        yield* jobs.put(job("user:back", "one", { kind: "back" }))
        const [first] = yield* claim("back", 1000)
        yield* jobs.settle(first!, { due: first!.due, record: Option.none() })
        assert.strictEqual((yield* claim("back", 1000))[0]?.claims, 2)
        assert.deepStrictEqual(yield* jobs.history("user:back", "one"), [])
      }))

    it.effect("a job that is replaced or removed is no longer held; one that is paused is", () =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        const one = job("user:held", "one", { kind: "held" })
        yield* jobs.put(one)
        const [first] = yield* claim("held", 1000)
        assert.isTrue(yield* jobs.update({ ...one, paused: true }))
        assert.isTrue(yield* jobs.update({ ...one, paused: true }))
        assert.isTrue(yield* jobs.renew(first!, 1100))
        yield* jobs.settle(first!, settled(Option.some(2000)))
        assert.deepStrictEqual(yield* claim("held", 3000), [])
        yield* jobs.put({ ...one, due: Option.some(3000) })
        assert.lengthOf(yield* jobs.history("user:held", "one"), 1)
        const [second] = yield* claim("held", 3000)
        yield* jobs.put(one)
        assert.isFalse(yield* jobs.renew(second!, 9999))
        const [third] = yield* claim("held", 3000)
        yield* jobs.remove("user:held", "one")
        assert.isFalse(yield* jobs.renew(third!, 9999))
        yield* jobs.settle(third!, settled(Option.some(1)))
        assert.deepStrictEqual(yield* jobs.get("user:held", "one"), Option.none())
        assert.deepStrictEqual(yield* jobs.history("user:held", "one"), [])
        assert.isFalse(yield* jobs.update(one))
      }))

    it.effect("of the history the latest runs are kept, latest first", () =>
      Effect.gen(function*() {
        const jobs = yield* SchedulerConnector
        yield* jobs.put(job("user:past", "one", { kind: "past", due: Option.some(1) }))
        for (let n = 1; n <= 105; n++) {
          const [held] = yield* claim("past", n)
          yield* jobs.settle(held!, settled(Option.some(n + 1), String(n)))
        }
        const kept = yield* jobs.history("user:past", "one")
        assert.deepStrictEqual(kept.slice(0, 3), ["105", "104", "103"])
        assert.lengthOf(kept, 100)
      }))
  })
