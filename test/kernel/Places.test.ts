import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, FastCheck as fc, Fiber } from "effect"
import { half, type Keys, Places } from "../../src/kernel/Places.ts"

/** What stands behind one door until it is opened. */
const guests = (places: Places<string>) => {
  const order: Array<string> = []
  const doors = new Map<string, Deferred.Deferred<void>>()
  const enter = (name: string, ...more: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const door = yield* Deferred.make<void>()
      doors.set(name, door)
      const inside = Effect.zipRight(Effect.sync(() => void order.push(name)), Deferred.await(door))
      const place = places.place([name.replace(/\d+$/, ""), ...more])
      const fiber = yield* Effect.fork(Effect.scoped(Effect.zipRight(place, inside)))
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      return fiber
    })
  const open = (name: string) =>
    Effect.zipRight(Deferred.succeed(doors.get(name)!, undefined), Effect.repeatN(Effect.yieldNow(), 10))
  return { order, enter, open }
}

describe("Places", () => {
  it.effect("one key has no more than its share, and keeps nobody else from the rest", () =>
    Effect.gen(function*() {
      const { enter, open, order } = guests(new Places({ total: 4, each: [2] }))
      for (const name of ["a1", "a2", "a3", "b1"]) yield* enter(name)
      assert.deepStrictEqual(order, ["a1", "a2", "b1"])
      yield* open("a1")
      assert.deepStrictEqual(order, ["a1", "a2", "b1", "a3"])
    }))

  it.effect("keys take turns, however many of one wait; within one who came first is first", () =>
    Effect.gen(function*() {
      const { enter, open, order } = guests(new Places({ total: 1, each: [1] }))
      for (const name of ["x1", "a1", "a2", "a3", "b1", "c1", "b2"]) yield* enter(name)
      const served = ["x1", "a1", "b1", "c1", "a2", "b2", "a3"]
      for (const name of served) yield* open(name)
      assert.deepStrictEqual(order, served)
    }))

  it.effect("every key counts for itself", () =>
    Effect.gen(function*() {
      const { enter, open, order } = guests(new Places({ total: 10, each: [5, 1] }))
      yield* enter("a1", "agent")
      yield* enter("b1", "agent")
      yield* enter("a2", "other")
      assert.deepStrictEqual(order, ["a1", "a2"])
      yield* open("a1")
      assert.deepStrictEqual(order, ["a1", "a2", "b1"])
    }))

  it.effect("a full line sends away the latest of the key that has most in it", () =>
    Effect.gen(function*() {
      const places = new Places<string>({ total: 1, each: [1], line: { max: 3, crowded: () => "crowded" } })
      const { enter, open, order } = guests(places)
      yield* enter("x1")
      const flood = yield* Effect.forEach(["a1", "a2", "a3", "a4"], (name) => enter(name))
      assert.deepStrictEqual(yield* Fiber.await(flood[3]!), Exit.fail("crowded"))
      yield* enter("b1")
      assert.deepStrictEqual(yield* Fiber.await(flood[2]!), Exit.fail("crowded"))
      assert.strictEqual(places.waiting, 3)
      for (const name of ["x1", "a1", "b1", "a2"]) yield* open(name)
      assert.deepStrictEqual(order, ["x1", "a1", "b1", "a2"])
      assert.deepStrictEqual([places.taken, places.waiting], [0, 0])
    }))

  it.effect("who is interrupted, in line or inside, leaves nothing behind", () =>
    Effect.gen(function*() {
      const places = new Places<string>({ total: 1, each: [1] })
      const { enter } = guests(places)
      const inside = yield* enter("a1")
      const waiting = yield* enter("a2")
      yield* Fiber.interrupt(waiting)
      assert.deepStrictEqual([places.taken, places.waiting], [1, 0])
      const next = yield* enter("b1")
      yield* Fiber.interrupt(inside)
      yield* Fiber.interrupt(next)
      assert.deepStrictEqual([places.taken, places.waiting], [0, 0])
    }))

  it.prop(
    "no bound is ever passed, nobody waits who could have a place, and all of it is given back",
    [
      fc.array(
        fc.record({ key: fc.constantFrom("a", "b", "c"), other: fc.constantFrom("x", "y"), leaves: fc.nat(20) }),
        { maxLength: 60 }
      )
    ],
    ([moves]) => {
      const places = new Places<string>({ total: 4, each: [2, 3], line: { max: 5, crowded: () => "crowded" } })
      const tickets: Array<ReturnType<typeof places.join>> = []
      const placed = (keep: (keys: Keys) => boolean = () => true) =>
        tickets.filter(({ keys, state }) => state === "placed" && keep(keys)).length
      for (const { key, leaves, other } of moves) {
        if (leaves < tickets.length) places.quit(tickets[leaves]!)
        tickets.push(places.join([key, other]))
        const waiting = tickets.filter(({ state }) => state === "waiting")
        assert.deepStrictEqual([places.taken, places.waiting], [placed(), waiting.length])
        assert.isAtMost(places.taken, 4)
        assert.isAtMost(places.waiting, 5)
        for (const one of ["a", "b", "c"]) assert.isAtMost(placed(([first]) => first === one), 2)
        for (const one of ["x", "y"]) assert.isAtMost(placed(([, second]) => second === one), 3)
        for (const { keys } of waiting) assert.isDefined(places.full(keys))
      }
      for (const ticket of tickets) places.quit(ticket)
      assert.deepStrictEqual([places.taken, places.waiting], [0, 0])
    }
  )

  it("half is at least one", () => {
    assert.deepStrictEqual([1, 2, 3, 4, 10].map(half), [1, 1, 1, 2, 5])
  })
})
