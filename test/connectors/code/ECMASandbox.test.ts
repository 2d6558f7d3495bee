import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Duration, Effect, Either, Exit, Fiber, Option } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { ECMASandbox } from "../../../src/connectors/code/ECMASandbox.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Code, type Request } from "../../../src/subsystems/compute/Code.ts"
import * as code from "../../../src/testing/conformance/code.ts"
import { hostileScripts } from "../../fixtures/hostile-scripts.ts"

const run = (request: Request, agent = "a1") =>
  Candidate.as(Effect.flatMap(Code, (service) => service.run(request)), Candidate.agent(agent))
const fine = run({
  code: "async function main(n) { return [n, globalThis.left, {}.left, {}.polluted] }",
  inputs: { n: 1 }
})

describe("ECMASandbox", () => {
  it.live("one tenant's code leaves threads to others", () =>
    Effect.gen(function*() {
      const endless = run({ code: "async function main() { for (;;); }", limits: { timeout: Duration.minutes(5) } })
      const held = yield* Effect.replicateEffect(Effect.fork(endless), 3)
      yield* Effect.yieldNow()
      assert.strictEqual((yield* run({ code: "async function main() { return 1 }" }, "a2")).output, 1)
      for (const fiber of held) assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* Fiber.interruptAll(held)
    }).pipe(Effect.provide(ECMASandbox.layer({ workers: 2 }))))

  it("has at least 50 hostile scripts to stand", () => assert.isAtLeast(hostileScripts.length, 50))
})

layer(ECMASandbox.layer({ workers: 1 }), { excludeTestServices: true })("hostile code in ECMASandbox", (it) => {
  for (const { code, ends, name } of hostileScripts) {
    it.effect(`${name} is ${ends}, and the next call is fine`, () =>
      Effect.gen(function*() {
        const globals = Object.getOwnPropertyNames(globalThis).length
        const limits = { timeout: Duration.millis(300), memoryBytes: 16 * 2 ** 20, outputBytes: 100_000 }
        const result = yield* Effect.either(run({ code, limits }))
        const tag = Either.match(result, { onLeft: ({ _tag }) => _tag, onRight: () => "output" })
        const expected = {
          harmless: ["output", "CodeFailed", "CodeLimitExceeded"],
          failed: ["CodeFailed"],
          limit: ["CodeLimitExceeded"]
        }
        assert.include(expected[ends], tag, JSON.stringify(result))
        assert.notMatch(JSON.stringify(result), /node_modules|file:|node:internal|polluted":|stolen"?:/)
        if (Either.isRight(result) && typeof result.right.output === "string" && code.includes("typeof g.")) {
          assert.strictEqual(result.right.output, "nothing")
        }
        assert.deepStrictEqual((yield* fine).output, [1, null, null, null])
        assert.lengthOf(Object.getOwnPropertyNames(globalThis), globals)
        assert.notProperty({}, "polluted")
      }))
  }
})

layer(ECMASandbox.layer({ workers: 1 }), { excludeTestServices: true })("calls in one thread of ECMASandbox", (it) => {
  const look = run({
    code: `async function main() {
      const seen = new Map()
      const walk = (value, path) => {
        if (value === null || (typeof value !== "object" && typeof value !== "function") || seen.has(value)) return
        seen.set(value, path)
        for (const key of Reflect.ownKeys(value)) {
          const { value: inner, get } = Object.getOwnPropertyDescriptor(value, key)
          walk(inner ?? get, path + "." + String(key))
        }
      }
      walk(globalThis, "")
      return Array.from(seen, ([value, path]) => path + " " + (typeof value === "function" ? String(value) : "")).sort()
    }`
  })

  it.effect("begin with the same world, whatever was done to it before", () =>
    Effect.gen(function*() {
      const before = yield* look
      assert.isAbove((before.output as ReadonlyArray<string>).length, 500)
      const deeds = [
        `Array.prototype.concat = Promise.prototype.then = () => "mine"; return 1`,
        `for (const n of Reflect.ownKeys(globalThis)) try { delete globalThis[n] } catch {} return 1`,
        `const a = []; for (let i = 0; i < 2e5; i++) a.push({ [i]: i }); globalThis.mine = a; return a.length`,
        `globalThis.mine = Array.from({ length: 2000 }, (_, i) => Symbol.for("mine" + i)); throw new Error("mine")`,
        `setInterval(() => { globalThis.mine = 1 }, 1); await new Promise(() => {})`
      ]
      for (const body of deeds) {
        const limits = { timeout: Duration.millis(500) }
        yield* Effect.either(run({ code: `async function main() { ${body} }`, limits }))
        assert.deepStrictEqual((yield* look).output, before.output, body)
      }
    }))

  it.effect("have random numbers of their own, evenly spread", () =>
    Effect.gen(function*() {
      const { output } = yield* run({
        code: `async function main() {
          const tenths = new Array(10).fill(0)
          for (let i = 0; i < 10000; i++) tenths[Math.floor(Math.random() * 10)]++
          return [Math.min(...tenths) > 800, Math.max(...tenths) < 1200]
        }`
      })
      assert.deepStrictEqual(output, [true, true])
      const drawn = yield* Effect.replicateEffect(run({ code: "async function main() { return Math.random() }" }), 20)
      assert.strictEqual(new Set(drawn.map((one) => one.output)).size, 20)
    }))
})

layer(ECMASandbox.layer({ workers: 1 }), { excludeTestServices: true })("what code makes up in ECMASandbox", (it) => {
  const functions = { f: () => Effect.succeed(1) }
  // What calls itself until the stack is full takes a while on a busy machine.
  const limits = { timeout: Duration.minutes(1) }
  const failureOf = (body: string) =>
    Effect.flatMap(Effect.exit(run({ code: `async function main() { ${body} }`, functions, limits })), (exit) => {
      assert.isTrue(Exit.isFailure(exit) && Cause.isFailType(exit.cause), `${body}: ${String(exit)}`)
      return Effect.flip(exit)
    })

  it.effect("is no more than a failure of the code", () =>
    Effect.gen(function*() {
      for (
        const json of ["null", "5", `({ name: 5, message: [1] })`, `({ stack: "code.js:99999999999999999999999" })`]
      ) {
        const error = yield* failureOf(`Object.prototype.toJSON = () => ${json}; throw new Error("x")`)
        assert.strictEqual(error._tag, "CodeFailed", json)
      }
      for (const json of ["undefined", "5", "null"]) {
        const error = yield* failureOf(`Array.prototype.toJSON = () => ${json}; await f(1)`)
        assert.include(error.message, "the arguments are not JSON")
      }
    }))

  it.effect("is cut where it is long", () =>
    Effect.gen(function*() {
      const error = yield* failureOf(
        `String.prototype.slice = () => "y".repeat(5e6); throw new Error("x".repeat(9000))`
      )
      assert.isBelow(error.message.length, 20_000)
    }))
})

layer(ECMASandbox.layer({ workers: 2, workersPerTenant: 2, patience: 200 }), { excludeTestServices: true })(
  "threads of ECMASandbox",
  (it) => {
    const loop = run({ code: "async function main() { for (;;); }", limits: { timeout: Duration.seconds(2) } })

    it.effect("a sandbox that computes does not hold up the process", () =>
      Effect.gen(function*() {
        yield* fine
        const delay = monitorEventLoopDelay({ resolution: 5 })
        delay.enable()
        const ticks = yield* Effect.raceFirst(
          Effect.as(Effect.flip(loop), -1),
          Effect.as(Effect.repeatN(Effect.sleep("5 millis"), 20), 20)
        )
        delay.disable()
        // A hundred times the process got its turn before the two seconds of the loop were over.
        assert.strictEqual(ticks, 20)
      }))

    it.effect("when all are at work, a call waits, and then is refused", () =>
      Effect.gen(function*() {
        const errors = yield* Effect.forEach([loop, loop, Effect.delay(fine, "100 millis")], Effect.flip, {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(errors.map(({ _tag }) => _tag), [
          "CodeLimitExceeded",
          "CodeLimitExceeded",
          "ConnectorError"
        ])
        assert.deepInclude(errors[2], { reason: "Unavailable" })
        assert.strictEqual((yield* run({ code: "async function main() { return 2 }" })).output, 2)
      }))

    it.effect("a crash of a function of the host is the host's, and not the code's", () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(run({
          code: "async function main() { try { await crash() } catch { return 'hidden' } }",
          functions: { crash: () => Effect.die(new Error("boom")) }
        }))
        assert.include(Exit.match(exit, { onFailure: Cause.pretty, onSuccess: String }), "boom")
        assert.strictEqual((yield* fine).output instanceof Array, true)
      }))
  }
)

code.suite("ECMASandbox", ECMASandbox.contract({}), { functions: true })
