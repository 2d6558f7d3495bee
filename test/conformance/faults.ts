/** What every connector with a network in between must do when the network fails. Time is real: servers have no test clock. */
import { assert, layer } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Option, Schedule, type Scope } from "effect"
import { isDeepStrictEqual } from "node:util"
import { ConnectorError, type Reason } from "../../src/kernel/ConnectorError.ts"
import * as FaultProxy from "../fixtures/FaultProxy.ts"

/**
 * A connector under test. Its own retries, if it has any, are part of it; use the contract, not the guarded service, so that
 * those of the service do not hide what it does.
 *
 * ```ts
 * faults.suite("Redis", {
 *   server: Effect.map(redisServer(), ({ port }) => port),
 *   connector: ({ port, timeoutMillis }) =>
 *     RedisCache.contract({ url: `redis://127.0.0.1:${port}`, timeout: timeoutMillis }),
 *   read: Effect.flatMap(CacheConnector, (cache) => Effect.map(cache.get("k"), Option.map(({ value }) => value))),
 *   write: (value) => Effect.flatMap(CacheConnector, (cache) => replace(cache, "k", value))
 * })
 * ```
 */
export interface Subject<I, A, E> {
  /** Starts the real server, once for all tests; gives its port on 127.0.0.1. */
  readonly server: Effect.Effect<number, never, Scope.Scope>
  /** The connector, talking to `port` instead of the server's. No call may take (much) longer than `timeoutMillis`. */
  readonly connector: (at: { readonly port: number; readonly timeoutMillis: number }) => Layer.Layer<I, E>
  /** A call that changes nothing. With `write` it gives what was written last, in any form. */
  readonly read: Effect.Effect<A, unknown, I>
  /** Replaces what `read` gives. Called one after the other; leave it out for what is only read. */
  readonly write?: (value: string) => Effect.Effect<void, unknown, I>
}

/** Time for a call that its connector was told to give up after `shortMillis`, on a busy machine and with retries. */
const patience = "15 seconds"
const shortMillis = 700
const longMillis = 120_000

class Port extends Context.Tag("test/faults/Port")<Port, number>() {}

export const suite = <I, A, E>(name: string, { connector, read, server, write }: Subject<I, A, E>) =>
  layer(Layer.scoped(Port, server), { excludeTestServices: true, timeout: "60 seconds" })(
    `${name} on a network that fails`,
    (it) => {
      /** A connector behind a proxy of its own. */
      const connected = (timeoutMillis = shortMillis) =>
        Effect.gen(function*() {
          const proxy = yield* FaultProxy.make(yield* Port)
          const context = yield* Layer.build(connector({ port: proxy.port, timeoutMillis }))
          return { proxy, on: <B, F>(use: Effect.Effect<B, F, I>) => Effect.provide(use, context) }
        })

      it.scoped(
        "a server that is not there is an error of the start or of the call, and told as one",
        () =>
          Effect.gen(function*() {
            const proxy = yield* FaultProxy.make(yield* Port)
            yield* proxy.set("refuse")
            const use = Effect.provide(read, connector({ port: proxy.port, timeoutMillis: shortMillis }))
            const error = yield* Effect.flip(inTime(use))
            if (error instanceof ConnectorError) yield* honest(error)
            else assert.deepInclude(error, { _tag: "BootError" })
          }),
        60_000
      )

      it.scoped(
        "a server that accepts and says nothing does not hold up the start",
        () =>
          Effect.gen(function*() {
            const proxy = yield* FaultProxy.make(yield* Port)
            yield* proxy.set({ stall: Duration.infinity })
            const use = Effect.provide(read, connector({ port: proxy.port, timeoutMillis: shortMillis }))
            assert.isTrue(Exit.isFailure(yield* Effect.exit(inTime(use))))
          }),
        60_000
      )

      it.scoped(
        "an answer that breaks off anywhere is an error that may pass, never a wrong answer, and the next call is well",
        () =>
          Effect.gen(function*() {
            const { on, proxy } = yield* connected()
            if (write !== undefined) yield* on(write("whole"))
            const expected = yield* on(read)
            for (const cutAfterBytes of [0, 1, 3, 17, 64, 200]) {
              yield* proxy.set({ cutAfterBytes })
              const exit = yield* outcome(on(read), ["Unavailable"])
              if (Exit.isSuccess(exit)) assert.deepStrictEqual(exit.value, expected)
              yield* proxy.set("pass")
              assert.deepStrictEqual(yield* eventually(on(read)), expected)
            }
          }),
        60_000
      )

      it.scoped(
        "a call without an answer ends when its time is up, and what comes late belongs to no other call",
        () =>
          Effect.gen(function*() {
            const { on, proxy } = yield* connected()
            if (write !== undefined) yield* on(write("before"))
            const expected = yield* on(read)
            yield* proxy.set({ stall: Duration.infinity })
            assert.isTrue(Exit.isFailure(yield* outcome(on(read), ["Timeout"])))
            // A connection that said nothing for so long may be given up by now.
            if (write !== undefined) assert.isTrue(Exit.isFailure(yield* outcome(on(write("stalled")))))
            yield* proxy.set("pass")
            const after = yield* eventually(on(read))
            if (write === undefined) return assert.deepStrictEqual(after, expected)
            for (const value of ["after", "before"]) {
              yield* on(write(value))
              const got = yield* on(read)
              assert.strictEqual(value === "before", isDeepStrictEqual(got, expected))
            }
          }),
        60_000
      )

      it.scoped("an answer in drops is an answer", () =>
        Effect.gen(function*() {
          const { on, proxy } = yield* connected(longMillis)
          if (write !== undefined) yield* on(write("drops"))
          const expected = yield* on(read)
          yield* proxy.set({ dripMillis: 1 })
          assert.deepStrictEqual(yield* inTime(on(read)), expected)
        }), 60_000)

      it.scoped("a call that waits is interrupted at once, and the connector lives on", () =>
        Effect.gen(function*() {
          const { on, proxy } = yield* connected(longMillis)
          const expected = yield* on(read)
          yield* proxy.set({ stall: Duration.infinity })
          for (const waiting of write === undefined ? [read] : [read, write("interrupted")]) {
            const fiber = yield* Effect.fork(on(Effect.asVoid(waiting)))
            yield* Effect.sleep("100 millis")
            assert.isTrue(Exit.isInterrupted(yield* inTime(Fiber.interrupt(fiber))))
          }
          yield* proxy.set("pass")
          const after = yield* eventually(on(read))
          if (write === undefined) assert.deepStrictEqual(after, expected)
        }), 60_000)

      it.scoped("it comes back by itself when the server does", () =>
        Effect.gen(function*() {
          const { on, proxy } = yield* connected()
          const expected = yield* on(read)
          for (let times = 0; times < 2; times++) {
            yield* proxy.downFor("500 millis")
            assert.isTrue(Exit.isFailure(yield* outcome(on(read))))
            assert.deepStrictEqual(yield* eventually(on(read)), expected)
          }
        }), 60_000)

      if (write === undefined) return

      it.scoped(
        "a write whose answer is lost is not sent again, nor called a conflict with itself",
        () =>
          Effect.gen(function*() {
            const { on, proxy } = yield* connected()
            yield* proxy.set("pass")
            yield* on(write("marker-one"))
            const usual = occurrences(proxy.sent(), "marker-one")
            for (const cutAfterBytes of [0, 1, 2, 3, 9, 40]) {
              const value = `marker-cut-${cutAfterBytes}`
              // Of what `write` asks before it writes the answers come; where the value cannot be seen on the wire, they do not.
              yield* proxy.set(usual > 0 ? { cutAfterBytes, onceSent: value } : { cutAfterBytes })
              yield* outcome(on(write(value)))
              assert.isAtMost(occurrences(proxy.sent(), value), usual, `after ${cutAfterBytes} bytes`)
              yield* proxy.set("pass")
              yield* eventually(on(read))
            }
          }),
        60_000
      )

      it.scoped("no write that was acknowledged is lost", () =>
        Effect.gen(function*() {
          const { on, proxy } = yield* connected()
          const values = Array.from({ length: 24 }, (_, n) => `write-${n}`)
          yield* on(write("write-first"))
          let possible = ["write-first"]
          for (const [n, value] of values.entries()) {
            const fault = n % 4
            yield* fault === 0
              ? proxy.set("pass")
              : fault === 1
              ? proxy.set({ cutAfterBytes: n * 13 })
              : fault === 2
              ? proxy.downFor("50 millis")
              : proxy.set({ stall: "20 millis" })
            const exit = yield* outcome(on(write(value)))
            // One that failed may have happened all the same.
            possible = Exit.isSuccess(exit) ? [value] : [...possible, value]
          }
          yield* proxy.set("pass")
          const last = yield* eventually(on(read))
          // Told apart by writing each of them again: `read` may give them in a form of its own.
          const forms = yield* Effect.forEach(possible, (value) =>
            Effect.zipRight(eventually(on(write(value))), on(read)))
          assert.deepInclude(forms, last)
        }), 60_000)
    }
  )

/** The end of a call under a fault: it comes in time, and a failure of it says that it may pass. */
const outcome = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  reasons?: ReadonlyArray<Reason>
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.flatMap(
    Effect.exit(inTime(self)),
    (exit) => Effect.as(Exit.isFailure(exit) ? honest(Cause.squash(exit.cause), reasons) : Effect.void, exit)
  )

const honest = (error: unknown, reasons: ReadonlyArray<Reason> = ["Unavailable", "Timeout"]) =>
  Effect.sync(() => {
    assert.instanceOf(error, ConnectorError)
    assert.include(reasons, error.reason, error.message)
  })

const inTime = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.timeoutOption(Effect.exit(self), patience).pipe(
    Effect.flatMap(Option.getOrElse(() => assert.fail(`still waiting after ${patience}`)))
  )

/** What the call gives once the connector has found its way back. */
const eventually = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  inTime(Effect.retry(self, { schedule: Schedule.spaced("50 millis") }))

const occurrences = (text: string, part: string) => text.split(part).length - 1
