import { assert, describe, it } from "@effect/vitest"
import { Chunk, Context, Effect, Exit, Fiber, Option, Ref, type Scope, Stream } from "effect"
import * as Pull from "../../src/kernel/Pull.ts"

/** Gives each list once, noting when it is opened and closed. */
const source = (log: Ref.Ref<ReadonlyArray<string>>, name: string, ...lists: ReadonlyArray<ReadonlyArray<number>>) =>
  Pull.toStream(Effect.suspend(() => {
    const note = (what: string) => Ref.update(log, (all) => [...all, `${what} ${name}`])
    const left = Array.from(lists, (list) => Chunk.fromIterable(list))
    const next = Effect.suspend((): Pull.Pull<number> => {
      const elements = left.shift()
      return elements === undefined ? Pull.end : Effect.succeed(elements)
    })
    return Effect.as(Effect.acquireRelease(note("open"), () => note("close")), next)
  }))

const logged = Ref.make<ReadonlyArray<string>>([])

describe("Pull", () => {
  it.effect("is a stream like any other, and any other can be taken apart", () =>
    Effect.gen(function*() {
      const log = yield* logged
      const stream = source(log, "a", [1, 2], [], [3])
      assert.deepStrictEqual(Chunk.toArray(yield* Stream.runCollect(stream)), [1, 2, 3])
      assert.deepStrictEqual(Chunk.toArray(yield* Stream.runCollect(Stream.take(stream, 1))), [1])
      assert.deepStrictEqual(yield* Ref.get(log), ["open a", "close a", "open a", "close a"])
      const read: Array<number> = []
      const isLast = (one: number) => read.push(one) > 0 && one === 2
      yield* Pull.until(Stream.make(4, 5), isLast)
      yield* Pull.until(stream, isLast)
      assert.deepStrictEqual(read, [4, 5, 1, 2])
      assert.deepStrictEqual((yield* Ref.get(log)).slice(4), ["open a", "close a"])
    }))

  it.effect("fails where it is opened, and where it is read, and tells whoever watches", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const watched = Pull.tapError((error: string) => Effect.sync(() => void seen.push(error)))
      const refused = Pull.toStream<number, string, never>(Effect.fail("closed"))
      const broken = Pull.toStream<number, string, never>(Effect.succeed(Effect.fail(Option.some("broken"))))
      assert.deepStrictEqual(yield* Effect.exit(Stream.runDrain(watched(refused))), Exit.fail("closed"))
      assert.deepStrictEqual(yield* Effect.exit(Pull.until(watched(broken), () => false)), Exit.fail("broken"))
      assert.deepStrictEqual(seen, ["closed", "broken"])
    }))

  it.effect("of a list: all at once, as often as it runs, and nothing of an empty one", () =>
    Effect.gen(function*() {
      const read: Array<number> = []
      const stream = Pull.fromIterable([1, 2, 3])
      yield* Pull.forEach(stream, (one) => read.push(one))
      yield* Pull.forEach(Stream.take(stream, 2), (one) => read.push(one))
      yield* Pull.forEach(Pull.fromIterable<number>([]), (one) => read.push(one))
      assert.deepStrictEqual(read, [1, 2, 3, 1, 2])
      const chunks = yield* Stream.runCollect(Stream.chunks(stream))
      assert.deepStrictEqual(Array.from(chunks, Chunk.toArray), [[1, 2, 3]])
      assert.strictEqual(Chunk.size(yield* Stream.runCollect(Stream.chunks(Pull.fromIterable([])))), 0)
    }))

  it.effect("one after another: the next is opened when the one before is closed", () =>
    Effect.gen(function*() {
      const log = yield* logged
      const all = Pull.inTurn(function*() {
        yield source(log, "a", [1], [2])
        yield source(log, "b")
        yield source(log, "c", [3])
      })
      assert.deepStrictEqual(Chunk.toArray(yield* Stream.runCollect(all)), [1, 2, 3])
      assert.deepStrictEqual(yield* Ref.get(log), ["open a", "close a", "open b", "close b", "open c", "close c"])
      assert.deepStrictEqual(Chunk.toArray(yield* Stream.runCollect(Stream.take(all, 1))), [1])
      assert.deepStrictEqual((yield* Ref.get(log)).slice(6), ["open a", "close a"])
    }))

  it.scoped("begun: has its first elements, or has failed and left nothing open", () =>
    Effect.gen(function*() {
      const log = yield* logged
      const pull = yield* Pull.begun(Pull.open(source(log, "a", [], [1], [2])))
      assert.deepStrictEqual(Chunk.toArray(yield* pull), [1])
      assert.deepStrictEqual(Chunk.toArray(yield* pull), [2])
      assert.deepStrictEqual(yield* Effect.exit(pull), Exit.fail(Option.none()))
      const broken = Pull.inTurn(function*(): Generator<Stream.Stream<number, string>> {
        yield source(log, "b")
        yield Stream.fail("broken")
      })
      assert.deepStrictEqual(yield* Effect.exit(Pull.alone(Pull.begun(Pull.open(broken)))), Exit.fail("broken"))
      assert.deepStrictEqual(yield* Ref.get(log), ["open a", "open b", "close b"])
    }))

  it.effect("takes what it is given where it is opened", () =>
    Effect.gen(function*() {
      class Name extends Context.Tag("Name")<Name, string>() {}
      const named = Pull.toStream<string, never, Name>(
        Effect.sync(() => {
          let given = false
          return Effect.suspend((): Pull.Pull<string, never, Name> => {
            if (given) return Pull.end
            given = true
            return Effect.map(Name, Chunk.of)
          })
        })
      )
      const provided = Pull.provide(Context.make(Name, "ann"))(named)
      assert.deepStrictEqual(Chunk.toArray(yield* Stream.runCollect(provided)), ["ann"])
    }))

  it.scoped("what it opened is closed with it, whatever scope is in a context that it was provided with", () =>
    Effect.gen(function*() {
      const closed = yield* Ref.make(false)
      const opened = Pull.toStream(Effect.as(
        Effect.addFinalizer(() => Ref.set(closed, true)),
        Effect.never as Pull.Pull<never>
      ))
      // As a service has it that was built within a layer.
      const provided = Pull.provide(yield* Effect.context<Scope.Scope>())(opened)
      const fiber = yield* Effect.fork(Stream.runDrain(provided))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.isTrue(yield* Ref.get(closed))
    }))
})
