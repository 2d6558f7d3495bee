/**
 * Code: runs a piece of code with inputs as data, JSON in and JSON out, within limits. Callers use {@link Code}, connectors
 * implement {@link CodeConnector}. The code defines `async function main(…)`, whose parameters name the inputs it gets.
 */
import { Context, Duration, Effect, Either, Layer, ParseResult, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import * as Json from "../../kernel/Json.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Candidate from "../../security/Candidate.ts"
import * as Main from "./Main.ts"

/** A line the code wrote to its console. */
export const LogLine = Schema.Struct({
  level: Schema.Literal("debug", "log", "info", "warn", "error"),
  text: Schema.String
})
export type LogLine = typeof LogLine.Type

const mebibyte = 2 ** 20
const time = (max: Duration.DurationInput) =>
  Schema.DurationFromSelf.pipe(
    Schema.betweenDuration("1 millis", max, { description: `1 ms to ${Duration.format(max)}` })
  )
const bytes = (min: number, max: number) => Schema.Int.pipe(Schema.between(min, max))

/** How far a call may go; beyond, it ends in {@link CodeLimitExceeded}. */
export const Limits = Schema.Struct({
  /** From the start of the code to its answer, waiting included. Default: 10 seconds; 15 minutes at most. */
  timeout: Schema.optionalWith(time("15 minutes"), { default: () => Duration.seconds(10) }),
  /** Time it may compute. Default: as the timeout. */
  cpu: Schema.optional(time("15 minutes")),
  /** Heap. Default: 64 MiB; from 1 MiB to 4 GiB. */
  memoryBytes: Schema.optionalWith(bytes(mebibyte, 4096 * mebibyte), { default: () => 64 * mebibyte }),
  /** The JSON of its answer. Default: 1 MiB; 64 MiB at most. */
  outputBytes: Schema.optionalWith(bytes(1, 64 * mebibyte), { default: () => mebibyte }),
  /** What is kept of its console; the rest is dropped. Default: 64 KiB. */
  logBytes: Schema.optionalWith(bytes(0, mebibyte), { default: () => 64 * 1024 })
})
export type Limits = typeof Limits.Type

/** The code is not fit to run, or it threw. */
export class CodeFailed extends Schema.TaggedError<CodeFailed>()("CodeFailed", {
  message: Schema.String,
  /** Where in the code, both from 1. */
  line: Schema.optional(Schema.Int),
  column: Schema.optional(Schema.Int),
  logs: Schema.Array(LogLine)
}) {}

export const Limit = Schema.Literal("timeout", "cpu", "memory", "output")
export type Limit = typeof Limit.Type

export class CodeLimitExceeded extends Schema.TaggedError<CodeLimitExceeded>()("CodeLimitExceeded", {
  limit: Limit,
  /** As a person reads it: `5s`, `64 MiB`. */
  allowed: Schema.String,
  logs: Schema.Array(LogLine)
}) {
  override get message(): string {
    const what = { timeout: "time", cpu: "computing time", memory: "memory", output: "output" }[this.limit]
    return `the code was ended: it took more ${what} than the ${this.allowed} it may`
  }
}

export type RunError = CodeFailed | CodeLimitExceeded | ConnectorError
export type CodeError = RunError | Candidate.NoCandidate

/** A function of the host that the code may call under its name: JSON in, JSON out, a promise on the inside. */
export type HostFunction = (
  ...args: ReadonlyArray<unknown>
) => Effect.Effect<unknown, { readonly message: string }>

export interface Request {
  readonly code: string
  /** Default: `javascript`. */
  readonly language?: Main.Language
  /** JSON; by name. Those `main` has no parameter for are left out. */
  readonly inputs?: Readonly<Record<string, unknown>>
  readonly limits?: Partial<Limits>
  /** What the code may call beside the language itself: nothing, when left out. */
  readonly functions?: Readonly<Record<string, HostFunction>>
  /** The code reads them as `secrets.name`. */
  readonly secrets?: Readonly<Record<string, Redacted.Redacted>>
  /** What a connector that deploys keeps the code under, for this asker: 1 to 100 letters, digits, `-` and `_`. */
  readonly name?: string
  /** An account of the asker's own at the vendor, in place of the connector's. */
  readonly account?: VendorAccount
}

export interface VendorAccount {
  readonly accessKeyId: Redacted.Redacted
  readonly secretAccessKey: Redacted.Redacted
  readonly region?: string | undefined
  /** What the code runs as there, where the vendor wants to know: the ARN of a role. */
  readonly role?: string | undefined
}

export interface Stats {
  /** From the call to its answer, without waiting for a free place. */
  readonly elapsed: Duration.Duration
  /** Time it computed, where the connector can tell. */
  readonly cpu?: Duration.Duration
  /** Heap in use at the end, where the connector can tell. */
  readonly memoryBytes?: number
}

export interface Answer {
  /** What `main` returned, as JSON keeps it; `undefined` when it returned nothing. */
  readonly output: unknown
  readonly logs: ReadonlyArray<LogLine>
  readonly stats: Stats
}

/** Code that stays at the vendor between calls. */
export interface Deployment {
  readonly name: string
  /** Opaque; another one with every other code. */
  readonly version: string
}

/** What a connector gets: checked, inputs as JSON text of one object. */
export interface Call {
  readonly owner: Candidate.Candidate
  readonly name: string
  readonly code: string
  readonly language: Main.Language
  readonly main: Main.Main
  readonly inputs: string
  readonly secrets: Redacted.Redacted<Readonly<Record<string, string>>>
  readonly limits: Limits
  readonly functions: Readonly<Record<string, HostFunction>>
  readonly account: VendorAccount | undefined
}

/** `output` is JSON, or `undefined`. */
export interface Ran extends Omit<Answer, "output"> {
  readonly output: string | undefined
}

/** No access code. What a connector cannot honour of a call (language, functions, account) is `Unsupported`. */
export class CodeConnector extends Context.Tag("effect-sre/CodeConnector")<CodeConnector, {
  /** Interruption ends the code. */
  readonly run: (call: Call) => Effect.Effect<Ran, RunError>
  readonly deployments: (owner: Candidate.Candidate) => Effect.Effect<ReadonlyArray<Deployment>, ConnectorError>
  /** Also succeeds when there is none of that name. */
  readonly remove: (owner: Candidate.Candidate, name: string) => Effect.Effect<void, ConnectorError>
}>() {}

export class Code extends Context.Tag("effect-sre/Code")<Code, {
  /** Runs `main` once; never again by itself, since the code may have done something. */
  readonly run: (request: Request) => Effect.Effect<Answer, CodeError>
  /** The asker's own, on connectors that deploy. */
  readonly deployments: Effect.Effect<ReadonlyArray<Deployment>, Access.AccessError>
  /** Removes one of the asker's own; also succeeds when it is not there. */
  readonly remove: (name: string) => Effect.Effect<void, Access.AccessError>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

const make = Effect.gen(function*() {
  const connector = yield* CodeConnector
  const guard = yield* Access.guard("Code")
  const known = new Map<string, Either.Either<Main.Main, Main.Problem>>()

  /** Parsed once for calls that follow each other. */
  const mainOf = Effect.fnUntraced(function*(code: string, language: Main.Language) {
    const key = `${language}\n${code}`
    const main = known.get(key) ?? (yield* Effect.either(Main.read(code, language)))
    known.delete(key)
    known.set(key, main)
    for (const oldest of known.keys()) if (known.size > maxKnown) known.delete(oldest)
    return yield* Either.mapLeft(main, (problem) => new CodeFailed({ ...problem, logs: [] }))
  })

  return Code.of({
    run: Effect.fnUntraced(function*(request) {
      const owner = yield* guard.candidate("run")
      const { account, code, functions = {}, language = "javascript", name = "code" } = request
      if (code.length > maxCode) return yield* invalid("run", `the code is longer than ${maxCode} characters`)
      yield* checkName("run", name)
      yield* guard.granted("run", name)
      const { logs, output, stats } = yield* connector.run({
        owner,
        name,
        code,
        language,
        main: yield* mainOf(code, language),
        inputs: yield* encode(request.inputs ?? {}),
        secrets: revealed(request.secrets ?? {}),
        limits: yield* limitsOf(request.limits),
        functions,
        account
      }).pipe(Effect.catchTag("CodeFailed", (error) => Effect.fail(bounded(error))))
      return { output: output === undefined ? undefined : yield* decode(output), logs, stats }
    }, traced("Code.run")),
    deployments: guard.candidate("deployments").pipe(
      Effect.flatMap((owner) => retrying(connector.deployments(owner))),
      traced("Code.deployments")
    ),
    remove: Effect.fnUntraced(function*(name) {
      const owner = yield* guard.candidate("remove")
      yield* checkName("remove", name)
      yield* guard.check(Access.ofHome(owner), { operation: "remove", level: "owner", resource: name })
      yield* retrying(connector.remove(owner, name))
    }, traced("Code.remove"))
  })
})

export const layer: Layer.Layer<Code, never, CodeConnector> = Layer.effect(Code, make)

/** `64 MiB` of a limit, for {@link CodeLimitExceeded}. */
export const exceeded = (limit: Limit, limits: Limits, logs: ReadonlyArray<LogLine> = []): CodeLimitExceeded => {
  const size = (amount: number) => amount % mebibyte === 0 ? `${amount / mebibyte} MiB` : `${amount} bytes`
  const allowed = {
    timeout: Duration.format(limits.timeout),
    cpu: Duration.format(limits.cpu ?? limits.timeout),
    memory: size(limits.memoryBytes),
    output: size(limits.outputBytes)
  }[limit]
  return new CodeLimitExceeded({ limit, allowed, logs })
}

/** What code says of its failure goes into answers and logs. */
const bounded = (error: CodeFailed): CodeFailed =>
  error.message.length <= maxMessage
    ? error
    : new CodeFailed({ ...error, message: `${error.message.slice(0, maxMessage)}…` })

const maxMessage = 10_000
const maxKnown = 64
const maxCode = 500_000
const maxInputs = 16 * mebibyte

const invalid = (method: string, detail: string, cause?: unknown) =>
  new ConnectorError({ connector: "Code", method, reason: "InvalidInput", detail, cause })

const checkName = (method: string, name: string) =>
  /^[\w-]{1,100}$/.test(name)
    ? Effect.void
    : invalid(method, `the name ${Json.preview(name)} has to be 1 to 100 letters, digits, "-" and "_"`)

const encode = (inputs: Readonly<Record<string, unknown>>) =>
  Effect.flatMap(
    Effect.try({
      try: () => JSON.stringify(inputs),
      catch: (cause) => invalid("run", "the inputs are not JSON", cause)
    }),
    (text) =>
      text.length > maxInputs
        ? invalid("run", `the inputs are more than ${maxInputs} characters of JSON`)
        : Effect.succeed(text)
  )

const decode = (output: string) =>
  Effect.try({
    try: (): unknown => JSON.parse(output),
    catch: (cause) =>
      new ConnectorError({
        connector: "Code",
        method: "run",
        reason: "Protocol",
        detail: "the output is not JSON",
        cause
      })
  })

const revealed = (secrets: Readonly<Record<string, Redacted.Redacted>>) =>
  Redacted.make(Object.fromEntries(Object.entries(secrets).map(([name, one]) => [name, Redacted.value(one)])))

const decodeLimits = ParseResult.validateEither(Limits)
const defaults = Limits.make({})

const limitsOf = (given: Partial<Limits> | undefined) =>
  given === undefined ? Effect.succeed(defaults) : Either.mapLeft(
    decodeLimits({ ...defaults, ...given }),
    (error) =>
      invalid(
        "run",
        `limits: ${
          ParseResult.ArrayFormatter.formatIssueSync(error).map(({ message, path }) => `${path.join(".")}: ${message}`)
            .join("; ")
        }`
      )
  )
