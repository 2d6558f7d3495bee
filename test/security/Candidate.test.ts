import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FastCheck, Fiber, FiberRef, Option, Queue, Runtime, Schema, Stream, TestClock } from "effect"
import * as Candidate from "../../src/security/Candidate.ts"

const ann = Candidate.user("ann")
const bob = Candidate.user("bob")

/** Who an effect runs as; `nobody` when it would be refused. */
const who = Candidate.current.pipe(
  Effect.map(Candidate.format),
  Effect.catchTag("NoCandidate", () => Effect.succeed("nobody"))
)

describe("a fiber and those it starts run as its candidate", () => {
  it.effect("nobody is asking until somebody is named", () =>
    Effect.gen(function*() {
      const refusal = yield* Effect.flip(Candidate.current)
      assert.strictEqual(refusal._tag, "NoCandidate")
      assert.include(refusal.message, "Candidate.as")
    }))

  it.effect("the candidate ends with the effect, also when that fails or is interrupted", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Candidate.as(who, ann), "user:ann")
      yield* Effect.exit(Candidate.as(Effect.fail("no"), ann))
      yield* Effect.exit(Candidate.as(Effect.interrupt, ann))
      assert.strictEqual(yield* who, "nobody")
    }))

  it.effect("the inner candidate counts, and only inside", () =>
    Effect.gen(function*() {
      const seen = yield* Candidate.as(Effect.all([who, Candidate.as(who, bob), who]), ann)
      assert.deepStrictEqual(seen, ["user:ann", "user:bob", "user:ann"])
    }))

  it.effect("forked, daemon and scoped fibers inherit it", () =>
    Effect.gen(function*() {
      const fibers = yield* Candidate.as(
        Effect.all([Effect.fork(who), Effect.forkDaemon(who), Effect.forkScoped(who)]),
        ann
      )
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), ["user:ann", "user:ann", "user:ann"])
    }).pipe(Effect.scoped))

  it.effect("joining a fiber does not take its candidate over", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Candidate.as(who, bob))
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* who, "nobody")
      const forever = yield* Candidate.as(Effect.fork(Effect.never), bob)
      yield* Fiber.interrupt(forever)
      assert.strictEqual(yield* who, "nobody")
    }))

  it.effect("both sides of a race, a timeout and concurrent branches keep it", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Candidate.as(Effect.race(Effect.never, who), ann), "user:ann")
      assert.strictEqual(yield* Candidate.as(Effect.timeout(who, "1 second"), ann), "user:ann")
      const late = yield* Candidate.as(
        Effect.timeoutTo(Effect.never, { duration: "1 second", onTimeout: () => who, onSuccess: () => who }),
        ann
      ).pipe(Effect.flatten, Effect.fork)
      yield* TestClock.adjust(Duration.seconds(1))
      assert.strictEqual(yield* Fiber.join(late), "nobody", "what a timeout returns is run by whoever takes it")
      const many = yield* Candidate.as(Effect.all([who, who, who], { concurrency: "unbounded" }), ann)
      assert.deepStrictEqual(many, ["user:ann", "user:ann", "user:ann"])
    }))

  it.effect("two candidates side by side do not meet", () =>
    Effect.gen(function*() {
      const seen = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, n) => Candidate.agent(`a${n}`)),
        (candidate) =>
          Candidate.as(Effect.zipRight(Effect.yieldNow(), who), candidate).pipe(
            Effect.map((seen) => seen === Candidate.format(candidate))
          ),
        { concurrency: "unbounded" }
      )
      assert.isTrue(seen.every((right) => right))
    }))

  it.effect("a finalizer runs as whoever acquired", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const acquire = Candidate.as(
        Effect.acquireRelease(Effect.void, () => Effect.map(who, (one) => seen.push(one))),
        ann
      )
      yield* Effect.scoped(acquire)
      assert.deepStrictEqual(seen, ["user:ann"])
    }))
})

describe("where a candidate is lost, the loss is a refusal", () => {
  it.effect("an effect handed over in a queue runs as its taker, unless it was pinned", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<Effect.Effect<string>>()
      const worker = yield* Effect.fork(Effect.replicateEffect(Effect.flatten(Queue.take(queue)), 2))
      yield* Candidate.as(Queue.offerAll(queue, [who, Candidate.as(who, ann)]), ann)
      assert.deepStrictEqual(yield* Fiber.join(worker), ["nobody", "user:ann"])
    }))

  it.effect("a runtime runs as the fiber that captured it", () =>
    Effect.gen(function*() {
      const boot = yield* Effect.runtime()
      const inside = yield* Candidate.as(Effect.promise(() => Runtime.runPromise(boot)(who)), ann)
      assert.strictEqual(inside, "nobody")
      const anns = yield* Candidate.as(Effect.runtime(), ann)
      assert.strictEqual(yield* Effect.promise(() => Runtime.runPromise(anns)(who)), "user:ann")
    }))

  it.effect("a run inside a run starts with nobody", () =>
    Effect.gen(function*() {
      const seen = yield* Candidate.as(Effect.promise(() => Effect.runPromise(who)), ann)
      assert.strictEqual(seen, "nobody")
    }))
})

describe("streams", () => {
  const three = Stream.repeatEffect(who).pipe(Stream.take(3))

  it.effect("a bare stream runs as its consumer", () =>
    Effect.gen(function*() {
      const made = yield* Candidate.as(Effect.succeed(three), ann)
      assert.deepStrictEqual(Array.from(yield* Candidate.as(Stream.runCollect(made), bob)), [
        "user:bob",
        "user:bob",
        "user:bob"
      ])
      assert.deepStrictEqual(Array.from(yield* Stream.runCollect(made)), ["nobody", "nobody", "nobody"])
    }))

  it.effect("a pinned one runs as who it is pinned to, and its consumer stays itself", () =>
    Effect.gen(function*() {
      const seen = yield* Candidate.streamAs(three, ann).pipe(
        Stream.mapEffect((inside) => Effect.map(who, (outside) => [inside, outside] as const)),
        Stream.runCollect,
        Candidate.as(bob)
      )
      assert.deepStrictEqual(Array.from(seen), Array.from({ length: 3 }, () => ["user:ann", "user:bob"] as const))
    }))

  it.effect("pinned through buffers, merges, inner streams and callbacks", () =>
    Effect.gen(function*() {
      const inner = Stream.mergeAll(
        [
          three,
          Stream.flatMap(Stream.range(1, 2), () => Stream.fromEffect(who)),
          Stream.buffer(three, { capacity: 1 })
        ],
        { concurrency: 3 }
      )
      const seen = yield* Stream.runCollect(Stream.buffer(Candidate.streamAs(inner, ann), { capacity: 2 }))
      assert.deepStrictEqual(Array.from(seen), Array.from({ length: 8 }, () => "user:ann"))
    }))

  it.effect("its finalizers run as who it is pinned to: at the end, when its consumer stops, and when it fails", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const note = Effect.map(who, (one) => void seen.push(one))
      const pinned = Candidate.streamAs(Stream.ensuring(three, note), ann)
      yield* Stream.runDrain(pinned)
      yield* Stream.runDrain(Stream.take(pinned, 1))
      yield* Effect.exit(Stream.runDrain(Stream.mapEffect(pinned, () => Effect.fail("stop"))))
      assert.deepStrictEqual(seen, ["user:ann", "user:ann", "user:ann"])
    }))

  it.effect("errors and the end pass through", () =>
    Effect.gen(function*() {
      const failing = Candidate.streamAs(Stream.concat(Stream.make(1, 2), Stream.fail("broken")), ann)
      const seen: Array<number> = []
      const error = yield* Effect.flip(Stream.runForEach(failing, (n) => Effect.sync(() => void seen.push(n))))
      assert.strictEqual(error, "broken")
      assert.deepStrictEqual(seen, [1, 2])
    }))
})

describe("ids and text", () => {
  const decode = Schema.decodeUnknownOption(Candidate.FromString)

  it.prop(
    "a candidate reads back as it was written",
    [
      FastCheck.constantFrom<Candidate.Role>("user", "agent", "team", "public"),
      FastCheck.string({ unit: "grapheme", minLength: 1, maxLength: 40 })
    ],
    ([role, id]) => {
      FastCheck.pre(Schema.is(Candidate.CandidateId)(id))
      const candidate = { role, id } as const
      assert.deepStrictEqual(decode(Candidate.format(candidate)), Option.some(candidate))
    }
  )

  it("what could leave a home is no id", () => {
    for (const id of ["", ".", "..", "a/b", "a\\b", "a b", "a\nb", "a\u0000", "\u202e", "x".repeat(129)]) {
      assert.isFalse(Schema.is(Candidate.CandidateId)(id), JSON.stringify(id))
    }
    for (const text of ["bob", "root:bob", "user:", "user:a/b", "user:..", 7, null]) {
      assert.deepStrictEqual(decode(text), Option.none())
    }
  })
})

it("the reference itself is not exported", () => {
  const refs = Object.values(Candidate).filter((value) =>
    typeof value === "object" && value !== null && FiberRef.FiberRefTypeId in value
  )
  assert.deepStrictEqual(refs, [])
})
