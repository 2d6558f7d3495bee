import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Either, Fiber, Option, Schedule } from "effect"
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { Process } from "../../../src/connectors/code/Process.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Code, type Request } from "../../../src/subsystems/compute/Code.ts"
import * as code from "../../../src/testing/conformance/code.ts"
import { hostileScripts } from "../../fixtures/hostile-scripts.ts"
import { isInstalled } from "../../fixtures/Processes.ts"

const deno = join(import.meta.dirname, "../../../node_modules/.bin/deno")
const settings = { program: deno, concurrency: 2 }

const run = (request: Request, agent = "a1") =>
  Candidate.as(Effect.flatMap(Code, (service) => service.run(request)), Candidate.agent(agent))

/** Processes of this machine whose command line has this text in it. */
const processesWith = (text: string) =>
  execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" }).split("\n").filter((line) => line.includes(text))

layer(Process.layer({ ...settings, concurrency: 4, concurrencyPerTenant: 4 }), { excludeTestServices: true })(
  "hostile code in a process",
  (it) => {
    it.effect("ends in what a call may end in, and leaves no process behind", () =>
      Effect.gen(function*() {
        const limits = {
          timeout: Duration.seconds(3),
          memoryBytes: 64 * 2 ** 20,
          outputBytes: 100_000,
          cpu: Duration.seconds(2)
        }
        const results = yield* Effect.forEach(
          hostileScripts.filter(({ ends }) => ends !== "limit"),
          ({ code, name }) => Effect.map(Effect.either(run({ code, limits })), (result) => ({ name, code, result })),
          { concurrency: 4 }
        )
        for (const { name, result } of results) {
          const tag = Either.match(result, { onLeft: ({ _tag }) => _tag, onRight: () => "output" })
          assert.include(["output", "CodeFailed", "CodeLimitExceeded"], tag, `${name}: ${JSON.stringify(result)}`)
        }
        const fine = yield* run({ code: "async function main() { return 1 }" })
        assert.strictEqual(fine.output, 1)
      }), 120_000)

    it.effect("writing without end is too much, and no harm to whoever reads", () =>
      Effect.gen(function*() {
        const code = "async function main() { for (;;) Deno.stdout.writeSync(new Uint8Array(65536).fill(97)) }"
        // Of one line: what is read of it again and again would take longer than the time there is.
        for (const outputBytes of [1000, 8 * 2 ** 20]) {
          const error = yield* Effect.flip(run({ code, limits: { outputBytes } }))
          assert.deepInclude(error, { _tag: "CodeLimitExceeded", limit: "output" })
        }
      }))

    it.effect("what the code says in the place of its runner is a failure, or its own word", () =>
      Effect.gen(function*() {
        for (
          const said of ["null", "5", `{"log":{"level":"loud","text":1}}`, `{"failed":{"line":1e30}}`, `{"output":{}}`]
        ) {
          const code = `const encode = TextEncoder.prototype.encode
TextEncoder.prototype.encode = function (text) {
  return encode.call(this, text.replace(/^(\\n?m[^{]*).*/s, ${JSON.stringify(`$1${said}\n`)}))
}
async function main() { console.log("a"); return 1 }`
          const result = yield* Effect.either(run({ code }))
          const tag = Either.match(result, { onLeft: ({ _tag }) => _tag, onRight: () => "output" })
          assert.include(["output", "CodeFailed"], tag, said)
        }
      }))

    it.effect("a call that is interrupted or takes too long leaves no process", () =>
      Effect.gen(function*() {
        // Shows in the arguments of the engine: no other call has this limit of memory.
        const endless = {
          code: "async function main() { for (;;); }",
          limits: { memoryBytes: 77 * 2 ** 20, timeout: Duration.seconds(1) }
        }
        const fiber = yield* Effect.fork(
          run({ ...endless, limits: { ...endless.limits, timeout: Duration.seconds(60) } })
        )
        yield* Effect.repeat(Effect.sync(() => processesWith("max-old-space-size=77")), {
          until: (all) => all.length > 0,
          // Looking takes the thread: what is looked for has to have its turn.
          schedule: Schedule.spaced("50 millis")
        })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(processesWith("max-old-space-size=77"), [])
        yield* Effect.flip(run(endless))
        assert.deepStrictEqual(processesWith("max-old-space-size=77"), [])
      }))
  }
)

describe("Process", () => {
  it.live("one tenant's calls leave processes to others", () =>
    Effect.gen(function*() {
      const endless = { code: "async function main() { for (;;); }", limits: { timeout: Duration.minutes(5) } }
      const held = yield* Effect.replicateEffect(Effect.fork(run(endless)), 3)
      yield* Effect.yieldNow()
      assert.strictEqual((yield* run({ code: "async function main() { return 1 }" }, "a2")).output, 1)
      for (const fiber of held) assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* Fiber.interruptAll(held)
    }).pipe(Effect.provide(Process.layer(settings))))

  it.effect("is refused at boot where its program is missing, and Node where the cage is", () =>
    Effect.gen(function*() {
      const refused = (settings: Parameters<typeof Process.layer>[0]) =>
        Effect.map(Effect.flip(Effect.provide(Code, Process.layer(settings))), (error) => error.message)
      assert.include(yield* refused({ program: "no-such-program" }), "not installed")
      assert.include(yield* refused({ runtime: "node", program: process.execPath, bubblewrap: "never" }), "bubblewrap")
    }))
})

if (isInstalled("bwrap")) {
  code.suite("Process of Deno in a cage", Process.contract({ ...settings, bubblewrap: "always" }), { typescript: true })
  code.suite(
    "Process of Node in a cage",
    Process.contract({ runtime: "node", program: process.execPath, bubblewrap: "always" })
  )
}

code.suite("Process of Deno", Process.contract({ ...settings, bubblewrap: "never" }), { typescript: true })
