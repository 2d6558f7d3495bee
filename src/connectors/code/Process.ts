/**
 * Code in a process of its own for each call: Deno without any permission, or Node, which can keep no network from it, in a cage
 * of bubblewrap alone. Runs JavaScript, with Deno also TypeScript. https://docs.deno.com/runtime/fundamentals/security/
 */
import { Config, Effect, Redacted, Schema } from "effect"
import { accessSync, constants, realpathSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { constants as system, tmpdir } from "node:os"
import { basename, delimiter, isAbsolute, join } from "node:path"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import * as Tenants from "../../security/Tenants.ts"
import * as Code from "../../subsystems/compute/Code.ts"
import { answered, moduleOf } from "./CallMain.ts"
import * as Child from "./ProcessChild.ts"
import type { Task } from "./ProcessRunner.ts"

const ProcessSettings = Schema.Struct({
  /** What runs the code. Deno runs TypeScript, too. */
  runtime: Schema.optionalWith(Schema.Literal("deno", "node"), { default: () => "deno" as const }),
  /** The program, a name in `PATH` or a file. Default: the name of the runtime. */
  program: Schema.optional(Schema.NonEmptyString),
  /** `auto` uses `bwrap` where it is installed. Node needs it. */
  bubblewrap: Schema.optionalWith(Schema.Literal("auto", "always", "never"), { default: () => "auto" as const }),
  /** Processes at once; other calls wait. Default: 4. */
  concurrency: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 64)), { default: () => 4 }),
  /** Of these, for one team, or one candidate that is in none. Default: half, at least one. */
  concurrencyPerTenant: Schema.optional(Schema.Int.pipe(Schema.positive()))
})

export const Process = Connector.make({
  name: "Process",
  contract: Code.CodeConnector,
  service: Code.layer,
  settings: ProcessSettings,
  make: Effect.fnUntraced(function*({ bubblewrap, concurrency, concurrencyPerTenant, program, runtime }) {
    const path = (yield* Config.withDefault(Config.string("PATH"), "")).split(delimiter)
    const found = (name: string) =>
      (isAbsolute(name) ? [name] : path.map((folder) => join(folder, name))).find(isExecutable)
    const engine = found(program ?? runtime)
    if (engine === undefined) {
      return yield* notFound("program", `"${program ?? runtime}" is not installed, or not in PATH`)
    }
    const cage = bubblewrap === "never" ? undefined : found("bwrap")
    if (cage === undefined && (bubblewrap === "always" || runtime === "node")) {
      return yield* notFound(
        "bubblewrap",
        `bubblewrap is not in use; ${runtime} needs it here: install it, as Debian's package "bubblewrap"`
      )
    }
    const folder = yield* workFolder
    const limiter = found("prlimit")
    const place = yield* Tenants.places(concurrency, concurrencyPerTenant)

    const file = realpathSync(engine)
    const command = (limits: Code.Limits) => [
      ...(limiter === undefined ? [] : Child.limited(limiter, limits)),
      ...(cage === undefined ? [file] : [...Child.caged(cage, file), `/engine/${basename(file)}`]),
      ...(runtime === "deno" ? Child.denoArguments(limits) : Child.nodeArguments(limits))
    ]
    const run = (call: Code.Call) =>
      Effect.scoped(Effect.gen(function*() {
        yield* place
        const { limits } = call
        const logs: Array<Code.LogLine> = []
        const task = taskOf(call, yield* Ids.make("m"))
        const [elapsed, ended] = yield* Child.converse(command(limits), folder, task, limits, logs).pipe(
          Effect.timeoutFail({
            duration: limits.timeout,
            onTimeout: () => Code.exceeded("timeout", limits, logs)
          }),
          Effect.timed
        )
        return { output: yield* settled(ended, limits, logs), logs, stats: { elapsed } }
      }))

    return Code.CodeConnector.of({
      run: (call) => {
        const problem = call.account !== undefined
          ? "an account of one's own is for connectors of a vendor; configure Code with AWSLambda"
          : Object.keys(call.functions).length > 0
          ? "the code cannot call functions of the host from another process; the connector ECMASandbox can"
          : call.language === "typescript" && runtime === "node"
          ? "Node runs JavaScript alone; set the runtime deno"
          : call.limits.cpu !== undefined && limiter === undefined
          ? "it cannot limit computing time without prlimit, which Linux has in util-linux"
          : undefined
        return problem === undefined ? run(call) : Effect.fail(
          new ConnectorError({ connector: "Process", method: "run", reason: "Unsupported", detail: problem })
        )
      },
      deployments: () => Effect.succeed([]),
      remove: () => Effect.void
    })
  })
})

/** `Code` in processes of Deno, which has to be in `PATH`. */
export const ProcessLive = Process.layer({})

const isExecutable = (file: string) => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const notFound = (setting: string, problem: string) =>
  new BootError({ service: "Code", connector: "Process", path: `Code.Settings.${setting}`, problem })

/** Empty, and gone with the connector: what an engine keeps of code it has read is in it. */
const workFolder = Effect.acquireRelease(
  Effect.tryPromise({
    try: () => mkdtemp(join(tmpdir(), "sre-code-")),
    catch: (cause) =>
      new ConnectorError({
        connector: "Process",
        method: "open",
        reason: "Unavailable",
        detail: "no temporary folder",
        cause
      })
  }),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }).catch(() => {}))
)

const taskOf = ({ code, inputs, language, limits, main, secrets }: Code.Call, mark: string): Task => ({
  mark,
  module: `data:application/${language};base64,${Buffer.from(moduleOf(code, main.isAssigned)).toString("base64")}`,
  parameters: main.parameters,
  inputs: JSON.parse(inputs) as Task["inputs"],
  secrets: Redacted.value(secrets),
  logBytes: limits.logBytes
})

const settled = (
  { answer, exitCode, isTooMuch, signal, stderr }: Child.Ended,
  limits: Code.Limits,
  logs: ReadonlyArray<Code.LogLine>
): Effect.Effect<string | undefined, Code.RunError> => {
  if (isTooMuch) return Effect.fail(Code.exceeded("output", limits, logs))
  if (answer !== undefined) return answered(answer, limits, logs)
  // In a cage a signal is a number above 128.
  const ended = signal ?? signals[(exitCode ?? 0) - 128]
  if (ended === "SIGXCPU") return Effect.fail(Code.exceeded("cpu", limits, logs))
  if (crashes.has(ended ?? "") || /out of memory|memory allocation|heap limit/i.test(stderr)) {
    return Effect.fail(Code.exceeded("memory", limits, logs))
  }
  return Effect.fail(
    new Code.CodeFailed({ message: `the code ended its process without an answer (${ended ?? exitCode})`, logs })
  )
}

/** How engines end that get no more memory. */
const crashes: ReadonlySet<string> = new Set(["SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV", "SIGBUS"])
const signals = Object.fromEntries(Object.entries(system.signals).map(([name, number]) => [number, name]))
