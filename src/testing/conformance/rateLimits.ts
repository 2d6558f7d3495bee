/** What every store of rate limits must do. A minute is long: waits are told, and nobody sits them out here. */
import { assert, layer } from "@effect/vitest"
import { Array as Arr, Clock, Duration, Effect, type Layer } from "effect"
import { RateLimitStoreConnector, type Share } from "../../subsystems/llm/RateLimitStore.ts"

const forever = Duration.days(1)

export const suite = <E>(name: string, connector: Layer.Layer<RateLimitStoreConnector, E>) =>
  layer(connector, { excludeTestServices: true, timeout: "60 seconds" })(
    `${name} is a RateLimitStoreConnector`,
    (it) => {
      const share = (of: string, limit: number, takes: number): Share => ({ of, limit, takes })
      /** Waits in seconds, rounded: all is asked for in a moment. */
      const waits = (key: string, calls: ReadonlyArray<ReadonlyArray<Share>>, maxWait = forever) =>
        Effect.gen(function*() {
          const { take } = yield* RateLimitStoreConnector
          return yield* Effect.forEach(calls, (shares) =>
            Effect.map(
              take(key, shares, maxWait),
              ({ isTaken, wait }) => isTaken ? Math.round(Duration.toSeconds(wait)) : undefined
            ))
        })
      const requests = (limit: number, count: number) => Arr.makeBy(count, () => [share("requests", limit, 1)])

      it.effect("calls of a minute go at once, others when the minute after them is over", () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* waits("minute", requests(2, 5)), [0, 0, 60, 60, 120])
          assert.deepStrictEqual(yield* waits("no limit", [[], []]), [0, 0])
        }))

      it.effect("keys do not meet", () =>
        Effect.gen(function*() {
          for (const key of ["a", "b", "a b", "{a}", "日本"]) {
            assert.deepStrictEqual(yield* waits(`key ${key}`, requests(1, 2)), [0, 60])
          }
        }))

      it.effect("the scarcest share decides, and nobody overtakes", () =>
        Effect.gen(function*() {
          const call = (tokens: number) => [share("requests", 3, 1), share("tokens", 100, tokens)]
          assert.deepStrictEqual(
            yield* waits("scarce", [call(60), call(60), call(10), call(10), call(10), call(100)]),
            [0, 60, 60, 60, 120, 180]
          )
        }))

      it.effect("who would wait too long takes nothing", () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* waits("long", requests(1, 3), Duration.seconds(30)), [0, undefined, undefined])
          assert.deepStrictEqual(yield* waits("long", requests(1, 2), Duration.seconds(90)), [60, undefined])
        }))

      it.effect("no minute holds more than the limit, whatever is asked for at once", () =>
        Effect.gen(function*() {
          const { take } = yield* RateLimitStoreConnector
          const limit = 50
          const started = yield* Clock.currentTimeMillis
          const turns = yield* Effect.forEach(
            Arr.makeBy(200, (n) => n % 13 + 1),
            (takes) =>
              Effect.gen(function*() {
                const before = yield* Clock.currentTimeMillis
                const { isTaken, wait } = yield* take("many", [share("tokens", limit, takes)], forever)
                assert.isTrue(isTaken)
                return { at: before + Duration.toMillis(wait), takes }
              }),
            { concurrency: 40 }
          )
          // Asking takes its time, by which a turn is later than it seems from here.
          const slack = (yield* Clock.currentTimeMillis) - started
          for (const { at } of turns) {
            const held = turns.filter((one) => one.at <= at && one.at > at - 60_000 + slack)
            assert.isAtMost(held.reduce((sum, { takes }) => sum + takes, 0), limit)
          }
        }))
    }
  )
