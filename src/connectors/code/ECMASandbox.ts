/**
 * Code in QuickJS, an engine of its own in WebAssembly: a heap for each call, and nothing of the host in it. Sandboxes run in
 * threads, which are ended when a call does not end by itself. https://github.com/justjake/quickjs-emscripten
 */
import { Cause, Duration, Effect, Option, Pool, Queue, Random, Redacted, Schema } from "effect"
import { createRequire } from "node:module"
import { Worker } from "node:worker_threads"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Deadlines from "../../kernel/Deadlines.ts"
import * as Scoped from "../../kernel/Scoped.ts"
import * as Tenants from "../../security/Tenants.ts"
import * as Code from "../../subsystems/compute/Code.ts"
import { guest } from "./SandboxGuest.ts"
import { type Called, type Done, type Run, type Settled, worker } from "./SandboxWorker.ts"

const ECMASandboxSettings = Schema.Struct({
  /** Threads, and so calls at once; others wait. They start when they are needed. Default: 2. */
  workers: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 64)), { default: () => 2 }),
  /** Of these, for one team, or one candidate that is in none. Default: half, at least one. */
  workersPerTenant: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** How long a call waits for a free thread before it is refused, in milliseconds. Default: 30 seconds. */
  patience: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
})

export const ECMASandbox = Connector.make({
  name: "ECMASandbox",
  contract: Code.CodeConnector,
  service: Code.layer,
  settings: ECMASandboxSettings,
  make: Effect.fnUntraced(function*({ patience, workers, workersPerTenant }) {
    const engine = yield* Connector.lazily(
      "ECMASandbox",
      quickjs,
      Effect.sync(() => createRequire(import.meta.url).resolve(quickjs))
    )
    const deadlines = yield* Deadlines.make(patience)
    const place = yield* Tenants.places(workers, workersPerTenant)
    const pool = yield* Pool.makeWithTTL({
      acquire: Effect.flatMap(engine, (engine) => startThread(engine, deadlines)),
      min: 0,
      max: workers,
      timeToLive: "1 minute"
    })

    const run = (call: Code.Call) =>
      Effect.scoped(Effect.gen(function*() {
        const thread = yield* deadlines.within(busy)(Effect.zipRight(place, Pool.get(pool)))
        // A thread that was left before its answer is still at work, or waits for an answer nobody gives.
        const [elapsed, message] = yield* Effect.timed(thread.run(call)).pipe(
          Effect.onError(() => Pool.invalidate(pool, thread))
        )
        if (message.type === "lost" || !message.isReusable) yield* Pool.invalidate(pool, thread)
        return yield* settled(call, message, elapsed)
      }))

    return Code.CodeConnector.of({
      run: (call) => {
        const problem = call.language !== "javascript"
          ? "it runs JavaScript alone; the connector Process runs TypeScript"
          : call.account !== undefined
          ? "an account of one's own is for connectors of a vendor; configure Code with AWSLambda"
          : undefined
        return problem === undefined ? run(call) : unsupported(problem)
      },
      deployments: () => Effect.succeed([]),
      remove: () => Effect.void
    })
  })
})

/** `Code` in sandboxes of this process. */
export const ECMASandboxLive = ECMASandbox.layer({})

const quickjs = "quickjs-emscripten"

type Message = Called | Ended
type Ended = Done | { readonly type: "lost"; readonly cause: unknown }

/** A function of the host crashed, or the thread is stuck: told by this side. */
interface GivenUp {
  readonly type: "givenUp"
  readonly cause: Cause.Cause<Code.CodeLimitExceeded>
}

/** Beyond the limits of a call, which the thread keeps itself, unless it is stuck. */
const grace = Duration.millis(500)

const startThread = Effect.fnUntraced(function*(engine: string, deadlines: Deadlines.Deadlines) {
  const inbox = yield* Queue.unbounded<Message | GivenUp>()
  const thread = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const started = new Worker(source, {
        eval: true,
        env: {},
        stdout: true,
        stderr: true,
        argv: [engine, guest],
        resourceLimits: { maxOldGenerationSizeMb: 512, stackSizeMb: 8 }
      })
      started.on("message", (message: Message) => Queue.unsafeOffer(inbox, message))
      started.on("error", (cause) => Queue.unsafeOffer(inbox, { type: "lost", cause }))
      started.on("exit", () => Queue.unsafeOffer(inbox, { type: "lost", cause: undefined }))
      // Nothing is written there but the last words of an engine that breaks, which the answer tells as well.
      started.stdout.resume()
      started.stderr.resume()
      // An idle thread keeps no process alive.
      started.unref()
      return started
    }),
    (started) => Effect.promise(() => started.terminate())
  )
  const post = (message: Run | Settled) => Effect.sync(() => thread.postMessage(message))

  const answer = ({ args, id, name }: Called, functions: Code.Call["functions"]) =>
    Effect.suspend(() => {
      const fn = Object.hasOwn(functions, name) ? functions[name] : undefined
      return fn === undefined
        ? Effect.fail({ message: `there is no function ${name}` })
        : Effect.flatMap(argumentsIn(args), (values) => fn(...values))
    }).pipe(
      Effect.flatMap((output) => Effect.try((): string | undefined => JSON.stringify(output))),
      Effect.match({
        onSuccess: (text): Settled => ({ type: "settled", id, isOutput: true, text }),
        onFailure: ({ message }): Settled => ({ type: "settled", id, isOutput: false, text: message })
      }),
      Effect.flatMap(post)
    )

  const giveUp = (cause: GivenUp["cause"]) => void Queue.unsafeOffer(inbox, { type: "givenUp", cause })

  /** The thread stays awake for the call, and is given up when it is not done with it long after it should be. */
  const busyWith = ({ limits }: Code.Call) =>
    Scoped.make(() => {
      thread.ref()
      const after = Duration.toMillis(limits.timeout) + Duration.toMillis(grace)
      return deadlines.start(() => giveUp(Cause.fail(Code.exceeded("timeout", limits))), after)
    }, (deadline) => {
      deadlines.cancel(deadline)
      thread.unref()
    })

  const run = (call: Code.Call) =>
    Effect.scoped(Effect.gen(function*() {
      yield* busyWith(call)
      yield* post(yield* requestOf(call))
      for (;;) {
        const message = yield* Queue.take(inbox)
        if (message.type === "givenUp") return yield* Effect.failCause(message.cause)
        if (message.type !== "called") return message
        // A defect of a function of the host is not the fault of the code.
        yield* Effect.forkScoped(Effect.onError(answer(message, call.functions), (cause) =>
          Cause.isInterruptedOnly(cause) ? Effect.void : Effect.sync(() =>
            giveUp(cause)
          )))
      }
    }))
  return { run }
})

const requestOf = ({ code, functions, inputs, limits, main, secrets }: Code.Call) =>
  Effect.map(seed, (seed): Run => ({
    type: "run",
    code,
    parameters: main.parameters === undefined ? "" : JSON.stringify(main.parameters),
    inputs,
    secrets: JSON.stringify(Redacted.value(secrets)),
    functions: JSON.stringify(Object.keys(functions)),
    seed: JSON.stringify(seed),
    limits: {
      timeoutMillis: Duration.toMillis(limits.timeout),
      cpuMillis: Duration.toMillis(limits.cpu ?? limits.timeout),
      memoryBytes: limits.memoryBytes,
      outputBytes: limits.outputBytes,
      logBytes: limits.logBytes
    }
  }))

const seed = Effect.all(Array.from({ length: 4 }, () => Random.nextIntBetween(-(2 ** 31), 2 ** 31)))

const settled = (
  call: Code.Call,
  message: Ended,
  elapsed: Duration.Duration
): Effect.Effect<Code.Ran, Code.RunError> => {
  if (message.type === "lost") return unavailable("its thread ended before the code did", message.cause)
  const { cpuMillis, limit, logs, outcome, text } = message
  switch (outcome) {
    case "output":
      return Effect.succeed({ output: text, logs, stats: { elapsed, cpu: Duration.millis(cpuMillis) } })
    case "limit":
      return Effect.fail(Code.exceeded(limit ?? "timeout", call.limits, logs))
    case "broken":
      return unavailable(`the engine gave up: ${text ?? ""}`)
    case "failed":
      return Effect.fail(failureOf(text, call.limits, logs))
  }
}

const readArguments = Schema.decode(Schema.parseJson(Schema.Array(Schema.Unknown)))
const argumentsIn = (text: string) =>
  Effect.mapError(readArguments(text), () => ({ message: "the arguments are not JSON" }))

const readFailure = Schema.decodeUnknownOption(
  Schema.parseJson(Schema.Struct({ name: Schema.String, message: Schema.String, stack: Schema.String }))
)
const unreadable = { name: "", message: "an error that cannot be read", stack: "" }

/** What the inside says of its failure; the code may have made it up, so it is text and no more. */
const failureOf = (text: string | undefined, limits: Code.Limits, logs: ReadonlyArray<Code.LogLine>) => {
  const { message, name, stack } = Option.getOrElse(readFailure(text), () => unreadable)
  if (name === "InternalError" && message === "out of memory") return Code.exceeded("memory", limits, logs)
  const [, line, column] = /\(?code\.js:(\d{1,9})(?::(\d{1,9}))?/.exec(stack) ?? []
  return new Code.CodeFailed({
    message: name === "" ? message : `${name}: ${message}`,
    ...(line === undefined ? {} : { line: Number(line) }),
    ...(column === undefined ? {} : { column: Number(column) }),
    logs
  })
}

const busy = () =>
  new ConnectorError({
    connector: "ECMASandbox",
    method: "run",
    reason: "Unavailable",
    detail: "all threads are at work; try again, or set more workers"
  })

const unavailable = (detail: string, cause?: unknown) =>
  Effect.fail(new ConnectorError({ connector: "ECMASandbox", method: "run", reason: "Unavailable", detail, cause }))

const unsupported = (detail: string) =>
  Effect.fail(new ConnectorError({ connector: "ECMASandbox", method: "run", reason: "Unsupported", detail }))

/** Some build tools name functions with a helper of theirs, which the text alone does not bring along. */
const source = `globalThis.__name = (fn) => fn
void (${worker.toString()})(require, process.argv[2], process.argv[3])`
