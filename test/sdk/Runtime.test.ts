/** Systems of the Promise API: how they start, stop and live side by side. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SDK, SRE } from "effect-sre/sdk"
import { inMemory, rejection, start, withServer } from "./systems.ts"

describe("a system", () => {
  it.scopedLive("that cannot start rejects `ready()` and every use with the same typed error", () =>
    Effect.gen(function*() {
      const sre = yield* start({ Storage: { Connector: "Lokal" } })
      const storage = new SDK.Storage({ sre })
      const errors = yield* Effect.all([rejection(() => sre.ready()), rejection(() => storage.read("x"))])
      for (const error of errors) {
        assert.strictEqual(error._tag, "BootError")
        assert.include(error.message, `Did you mean "Local"`)
      }
    }))

  it.scopedLive("starts with its first use, by itself", () =>
    Effect.gen(function*() {
      yield* start()
      const cache = new SDK.Cache()
      assert.deepStrictEqual(
        yield* Effect.promise(async () => {
          await cache.set("a", "1", 60)
          return [await cache.get("a"), await cache.exists("a"), await cache.exists("b"), await cache.get("b")]
        }),
        ["1", true, false, undefined]
      )
    }))

  it.scopedLive("lives beside others; an object belongs to the one described last, or to the one it names", () =>
    Effect.gen(function*() {
      const first = yield* start()
      const early = new SDK.Storage()
      const second = yield* start()
      const late = new SDK.Storage()
      const named = new SDK.Storage({ sre: first })
      const found = yield* Effect.promise(async () => {
        await early.write("x", "first")
        await second.stop()
        return [await early.exists("x"), await named.exists("x")]
      })
      assert.deepStrictEqual(found, [true, true])
      assert.strictEqual((yield* rejection(() => late.exists("x")))._tag, "ShuttingDown")
    }))

  it.scopedLive("is asked as whom the object says; who is nobody is refused at once", () =>
    Effect.gen(function*() {
      yield* start()
      const bob = new SDK.Storage({ as: "user:bob" })
      yield* Effect.promise(() => bob.write("note", "of bob"))
      assert.isFalse(yield* Effect.promise(() => new SDK.Storage({ as: "user:eve" }).exists("note")))
      assert.isTrue(yield* Effect.promise(() => new SDK.Storage({ as: "user:bob" }).exists("note")))
      assert.throws(() => new SDK.Storage({ as: "user:" }), /user:<id>/)
    }))
})

describe("stop", () => {
  it.scopedLive("lets what is under way end, and takes no more", () =>
    Effect.gen(function*() {
      const { server, sre } = yield* withServer("answered")
      const agent = new SDK.Agent({ name: "Slow", model: "gpt-4o" })
      let release = () => {}
      const waiting = new Promise<void>((resolve) => {
        release = resolve
      })
      let begun = () => {}
      const started = new Promise<void>((resolve) => {
        begun = resolve
      })
      agent.addSkill({
        name: "wait",
        process: async () => {
          begun()
          await waiting
          return "waited"
        }
      })
      const [answer, said] = yield* Effect.promise(async () => {
        const call = agent.call("wait")
        await started
        const prompt = agent.prompt("hi").run()
        while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
        const stopped = sre.stop()
        const refused = await agent.call("wait").catch(({ _tag }: { readonly _tag: string }) => _tag)
        assert.strictEqual(refused, "ShuttingDown")
        release()
        const both = await Promise.all([call, prompt])
        await stopped
        return both
      })
      assert.include(JSON.stringify(answer), "waited")
      assert.strictEqual(said, "answered")
    }))

  it.scopedLive("is the same however often it is called, also for a system that never started", () =>
    Effect.gen(function*() {
      const sre = SRE.init(inMemory)
      yield* Effect.promise(() => Promise.all([sre.stop(), sre.stop()]))
      assert.strictEqual((yield* rejection(() => sre.ready()))._tag, "ShuttingDown")
    }))
})
