/** What every connector of code must do: inputs are data, limits hold, nothing of a call is seen by the next. */
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Redacted } from "effect"
import * as Candidate from "../../security/Candidate.ts"
import { Code, type CodeConnector, layer as guarded, type Request } from "../../subsystems/compute/Code.ts"

const asAgent = Candidate.as(Candidate.agent("a1"))

export interface Abilities {
  /** `cpu` and `memory` are kept. Default: true. */
  readonly limits?: boolean
  /** Runs TypeScript. */
  readonly typescript?: boolean
  /** Functions of the host can be called. */
  readonly functions?: boolean
  /** Code stays at the vendor. */
  readonly deploys?: boolean
}

export const suite = <E>(name: string, connector: Layer.Layer<CodeConnector, E>, can: Abilities = {}) =>
  layer(Layer.provideMerge(guarded, connector), { excludeTestServices: true, timeout: "60 seconds" })(
    `${name} is a CodeConnector`,
    (it) => {
      const run = (request: Request | string, inputs: Readonly<Record<string, unknown>> = {}) =>
        asAgent(
          Effect.flatMap(Code, (code) => code.run(typeof request === "string" ? { code: request, inputs } : request))
        )
      const output = (code: string, inputs?: Readonly<Record<string, unknown>>) =>
        Effect.map(run(code, inputs), (answer) => answer.output)
      const failure = (request: Request) => Effect.flip(run({ limits: { timeout: Duration.seconds(20) }, ...request }))
      const within = (limits: NonNullable<Request["limits"]>, code: string) => failure({ code, limits })

      it.effect("inputs come in by the names of the parameters, as data, and the result goes out as JSON", () =>
        Effect.gen(function*() {
          assert.strictEqual(yield* output("async function main(v) { return v + 1 }", { v: "a" }), "a1")
          const values = {
            text: "it's \"quoted\" `${1}` \\ \n\u2028 </script> {{x}} 👋",
            object: { a: [1, null, { b: true }], __proto__x: 1, "": 0 },
            list: [1, [2]],
            zero: 0,
            no: false,
            nothing: null
          }
          for (const [key, value] of Object.entries(values)) {
            const code = `async function main(${key}) { return ${key} }`
            assert.deepStrictEqual(yield* output(code, values), value)
          }
          assert.deepStrictEqual(yield* output("const main = async ({ zero, list }) => [zero, ...list]", values), [
            0,
            1,
            [2]
          ])
          const code = "async function main(b, a = 7, c) { return [a, b, c === undefined] }"
          assert.deepStrictEqual(yield* output(code, { b: 1, d: 2 }), [7, 1, true])
          assert.isUndefined(yield* output("async function main() {}"))
        }))

      it.effect("large inputs and results come through whole", () =>
        Effect.gen(function*() {
          const text = "é👋\n".repeat(100_000)
          assert.strictEqual(yield* output("async function main(text) { return text.length }", { text }), text.length)
          assert.strictEqual(
            yield* output("async function main(text) { return text }", { text: "é👋".repeat(20_000) }),
            "é👋".repeat(20_000)
          )
        }))

      it.effect("main may be declared, a variable, or assigned; helpers stand beside it", () =>
        Effect.gen(function*() {
          for (
            const code of [
              "const twice = (n) => n * 2\nasync function main(n) { return twice(n) } // the end",
              "let main = async function (n) { return n * 2 }",
              "main = async (n) => { await null; return n * 2 }",
              "const { a } = { a: 2 }; const main = async (n) => n * a"
            ]
          ) assert.strictEqual(yield* output(code, { n: 21 }), 42)
        }))

      it.effect("promises and timers work", () =>
        Effect.gen(function*() {
          const code = `async function main(n) {
            const wait = (ms) => new Promise((resolve) => setTimeout(() => resolve(ms), ms))
            const cancelled = setTimeout(() => { throw new Error("cancelled") }, 5)
            clearTimeout(cancelled)
            return await Promise.all([wait(n), wait(1), Promise.resolve(3)])
          }`
          assert.deepStrictEqual(yield* output(code, { n: 20 }), [20, 1, 3])
        }))

      it.effect("what the code says is kept, in order, up to a bound", () =>
        Effect.gen(function*() {
          const code = `async function main() { console.log("one", { two: 2 }); console.error("three"); return 1 }`
          assert.deepStrictEqual((yield* run(code)).logs, [
            { level: "log", text: "one {\"two\":2}" },
            { level: "error", text: "three" }
          ])
          const flood =
            `async function main() { for (let i = 0; i < 3000; i++) console.log("x".repeat(100)); return "done" }`
          const { logs, output } = yield* run({ code: flood, limits: { logBytes: 1000 } })
          assert.strictEqual(output, "done")
          assert.isAtMost(logs.reduce((sum, { text }) => sum + text.length, 0), 1000)
        }))

      it.effect("what the code throws is its failure, with its place and what it had said", () =>
        Effect.gen(function*() {
          const error = yield* failure({
            code: `async function main() {\n  console.log("before")\n  throw new TypeError("no good")\n}`
          })
          assert.deepInclude(error, { _tag: "CodeFailed", message: "TypeError: no good", line: 3 })
          assert.deepStrictEqual(error._tag === "CodeFailed" && error.logs.map(({ text }) => text), ["before"])
          assert.include((yield* failure({ code: "async function main() { return nope }" })).message, "nope")
          assert.include(
            (yield* failure({ code: "throw new Error('early'); async function main() {}" })).message,
            "early"
          )
          assert.strictEqual((yield* failure({ code: "async function main() { throw 'text' }" })).message, "text")
        }))

      it.effect("code that cannot run is refused with its place, before anything is done", () =>
        Effect.gen(function*() {
          const syntax = yield* failure({ code: "async function main() {\n  return 1 +\n}" })
          assert.deepInclude(syntax, { _tag: "CodeFailed", line: 3, column: 1 })
          assert.include((yield* failure({ code: "async function other() {}" })).message, "async function main")
          assert.include((yield* failure({ code: "function main() {}" })).message, "async")
          assert.include((yield* failure({ code: "async function main([a]) {}" })).message, "parameter")
          const long = yield* failure({ code: `async function main() {}//${"x".repeat(500_000)}` })
          assert.deepInclude(long, { _tag: "ConnectorError", reason: "InvalidInput" })
        }))

      it.effect("secrets are data, too", () =>
        Effect.gen(function*() {
          const code = `async function main() { return secrets["key"].length + secrets.other }`
          const secrets = { key: Redacted.make("it's"), other: Redacted.make("`${x}`") }
          assert.strictEqual((yield* run({ code, secrets })).output, "4`${x}`")
        }))

      it.effect("time and size have limits", () =>
        Effect.gen(function*() {
          const second = Duration.seconds(1)
          for (
            const body of ["for (;;);", "await new Promise((resolve) => setTimeout(resolve, 60000))"]
          ) {
            const error = yield* within({ timeout: second }, `async function main() { console.log("x"); ${body} }`)
            assert.deepInclude(error, { _tag: "CodeLimitExceeded", limit: "timeout", allowed: "1s" })
          }
          const large = yield* within({ outputBytes: 1000 }, "async function main() { return 'x'.repeat(999) }")
          assert.deepInclude(large, { _tag: "CodeLimitExceeded", limit: "output", allowed: "1000 bytes" })
          assert.strictEqual(yield* output("async function main() { return 'x'.repeat(9) }"), "x".repeat(9))
        }))

      if (can.limits !== false) {
        it.effect("computing time and memory have limits", () =>
          Effect.gen(function*() {
            const cpu = yield* within({ cpu: Duration.seconds(1) }, "async function main() { for (;;); }")
            assert.deepInclude(cpu, { _tag: "CodeLimitExceeded", limit: "cpu" })
            const hog = "async function main() { let a = [1.5]; for (;;) a = a.concat(a) }"
            const memory = yield* within({ memoryBytes: 32 * 1024 * 1024 }, hog)
            assert.deepInclude(memory, { _tag: "CodeLimitExceeded", limit: "memory", allowed: "32 MiB" })
            assert.strictEqual(yield* output("async function main() { return 1 }"), 1)
          }))
      }

      it.effect("a call that is interrupted ends, and those beside it do not", () =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(run("async function main() { for (;;); }"))
          yield* Effect.sleep("200 millis")
          yield* Fiber.interrupt(fiber)
          const outputs = yield* Effect.forEach([1, 2, 3, 4, 5], (n) =>
            output("async function main(n) { await null; return n * 2 }", { n }), { concurrency: "unbounded" })
          assert.deepStrictEqual(outputs, [2, 4, 6, 8, 10])
        }))

      it.effect("files, network and environment of the host are out of reach", () =>
        Effect.gen(function*() {
          for (
            const attempt of [
              "(await import('node:fs')).readFileSync('/etc/passwd', 'utf8')",
              "(await import('file:///etc/passwd')).default",
              "(await import('node:child_process')).execSync('id').toString()",
              "await (await fetch('http://127.0.0.1:1/')).text()",
              "process.env.PATH.slice(0)",
              "require('fs').readdirSync('/').length"
            ]
          ) {
            if (can.deploys === true) continue
            const error = yield* failure({ code: `async function main() { return ${attempt} }` })
            assert.strictEqual(error._tag, "CodeFailed", attempt)
          }
        }))

      if (can.typescript === true) {
        it.effect("runs TypeScript", () =>
          Effect.gen(function*() {
            const code = `interface Point { x: number; y: number }
              const scale = (p: Point, by: number): Point => ({ x: p.x * by, y: p.y * by })
              export async function main(point: Point, by: number = 2, tags?: Array<Record<string, number>>): Promise<Point> {
                return scale(point, by) satisfies Point
              }`
            const { output } = yield* run({ code, language: "typescript", inputs: { point: { x: 1, y: 2 }, by: 3 } })
            assert.deepStrictEqual(output, { x: 3, y: 6 })
          }))
      }

      it.effect("functions of the host are called by name, or refused where they cannot be", () =>
        Effect.gen(function*() {
          const functions = {
            add: (a: unknown, b: unknown) => Effect.delay(Effect.succeed(Number(a) + Number(b)), "5 millis"),
            who: () => Effect.map(Effect.orDie(Candidate.current), Candidate.format),
            fail: () => Effect.fail({ message: "refused by the host" })
          }
          const call = (body: string) => run({ code: `async function main() { ${body} }`, functions })
          if (can.functions !== true) {
            assert.deepInclude(yield* Effect.flip(call("return add(1, 2)")), { reason: "Unsupported" })
            return
          }
          assert.deepStrictEqual((yield* call("return Promise.all([add(1, 2), add(3, 4), who()])")).output, [
            3,
            7,
            "agent:a1"
          ])
          assert.strictEqual(
            (yield* call("try { await fail() } catch (e) { return e.message }")).output,
            "refused by the host"
          )
          assert.include((yield* Effect.flip(call("return fail()"))).message, "refused by the host")
          assert.include((yield* Effect.flip(call("return other()"))).message, "other")
        }))

      it.effect("deployments are the asker's own, where there are any", () =>
        Effect.gen(function*() {
          const code = yield* Code
          const one = { code: "async function main() { return 1 }", name: "agent-C1" }
          yield* asAgent(code.run(one))
          const names = Effect.map(code.deployments, (all) => all.map(({ name }) => name))
          assert.strictEqual((yield* asAgent(names)).includes("agent-C1"), can.deploys === true)
          assert.deepStrictEqual(yield* Candidate.as(names, Candidate.agent("a2")), [])
          yield* Candidate.as(code.remove("agent-C1"), Candidate.agent("a2"))
          assert.strictEqual((yield* asAgent(names)).includes("agent-C1"), can.deploys === true)
          yield* asAgent(code.remove("agent-C1"))
          yield* asAgent(code.remove("agent-C1"))
          assert.notInclude(yield* asAgent(names), "agent-C1")
          assert.deepInclude(yield* Effect.flip(asAgent(code.remove("../x"))), { reason: "InvalidInput" })
        }))
    }
  )
