import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Duration, Effect, Either, Exit } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { ECMASandbox } from "../../../src/connectors/code/ECMASandbox.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Code, type Request } from "../../../src/subsystems/compute/Code.ts"
import * as code from "../../../src/testing/conformance/code.ts"
import { hostileScripts } from "../../fixtures/hostile-scripts.ts"

const run = (request: Request) =>
  Candidate.as(Effect.flatMap(Code, (service) => service.run(request)), Candidate.agent("a1"))
const fine = run({
  code: "async function main(n) { return [n, globalThis.left, {}.left, {}.polluted] }",
  inputs: { n: 1 }
})

describe("ECMASandbox", () => {
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

layer(ECMASandbox.layer({ workers: 1 }), { excludeTestServices: true })("what code makes up in ECMASandbox", (it) => {
  const functions = { f: () => Effect.succeed(1) }
  const failureOf = (body: string) =>
    Effect.flatMap(Effect.exit(run({ code: `async function main() { ${body} }`, functions })), (exit) => {
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

layer(ECMASandbox.layer({ workers: 2, patience: 200 }), { excludeTestServices: true })(
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
