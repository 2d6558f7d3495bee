/** How a command ends: its failure as one message, and the code the process exits with. */
import { isValidationError } from "@effect/cli/ValidationError"
import { Cause, Console, Data, Effect, Option } from "effect"
import * as Json from "../kernel/Json.ts"

/** All has been said; only the code is left. */
export class Ended extends Data.TaggedError("Ended")<{ readonly code: number }> {}

/** What was asked for cannot be done as it was asked. Exit code 2. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** Ended by a signal: 128 and its number, as shells count. */
export class Stopped extends Data.TaggedError("Stopped")<{ readonly signal: Signal }> {
  override readonly message = `stopped by ${this.signal}`
}

export type Signal = "SIGINT" | "SIGTERM"
const numbers = { SIGINT: 2, SIGTERM: 15 } satisfies Record<Signal, number>

/** What a command may fail with: its message is for people, its fields are for programs. */
export interface Failure {
  readonly _tag: string
  readonly message: string
}

/**
 * Waits for the first signal. The next one ends the process at once, whatever is still being drained; unless it comes with
 * the first: Ctrl-C reaches a process that npm started from the terminal, and then again from npm.
 */
export const signal: Effect.Effect<Signal> = Effect.async((resume) => {
  const signals = Object.keys(numbers) as ReadonlyArray<Signal>
  const off = Effect.sync(() => signals.forEach((one) => process.off(one, on)))
  const on = (one: Signal) => resume(Effect.as(Effect.forkDaemon(Effect.delay(off, "500 millis")), one))
  signals.forEach((one) => process.on(one, on))
  return off
})

/** Ends with the first signal; what was under way has let go of its resources by then. */
export const untilStopped = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Stopped, R> =>
  Effect.raceFirst(self, Effect.flatMap(signal, (signal) => Effect.fail(new Stopped({ signal }))))

/** Tells a failure once: as JSON on standard output for programs, else in words on standard error. */
export const told =
  (json: boolean) => <A, E extends Failure, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, Ended, R> =>
    Effect.catchAll(self, (failure) => {
      if (failure instanceof Ended) return Effect.fail(failure)
      const ended = Effect.fail(new Ended({ code: codeOf(failure) }))
      return Effect.zipRight(json ? Console.log(toJson(failure)) : Console.error(failure.message), ended)
    })

/** The exit code of a whole program. What nobody foresaw is told without a stack, which `--log-level debug` shows. */
export const codeOfCause = (
  cause: Cause.Cause<unknown>,
  json: boolean,
  hint: () => string
): Effect.Effect<number> => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure instanceof Ended) return Effect.succeed(failure.code)
  if (isValidationError(failure)) {
    const { error } = failure as { readonly error: unknown }
    const told = json ? Console.log(toJson({ _tag: "UsageError", message: textOf(error) })) : Console.error(hint())
    return Effect.as(told, 2)
  }
  const defect = Cause.squash(cause)
  const message = defect instanceof Error ? defect.message : String(defect)
  const unforeseen = {
    _tag: "InternalError",
    message: `unforeseen: ${message}. This is a bug; --log-level debug shows more`
  }
  return Effect.logDebug("unforeseen", cause).pipe(
    Effect.zipRight(json ? Console.log(toJson(unforeseen)) : Console.error(unforeseen.message)),
    Effect.as(1)
  )
}

/** `{ "error": tag, "message": …, ...fields }`. A cause is for logs. */
export const toJson = (failure: Failure): string => {
  const { _tag: error, cause: _, message, ...fields } = failure as Failure & { readonly cause?: unknown }
  return Json.stringify({ error, message, ...fields })
}

const codeOf = (failure: Failure): number =>
  failure instanceof Stopped ? 128 + numbers[failure.signal] : failure instanceof UsageError ? 2 : 1

/** The words of a help document. */
const textOf = (doc: unknown): string =>
  typeof doc === "string"
    ? doc
    : typeof doc === "object" && doc !== null
    ? Object.entries(doc).filter(([key]) => key !== "_tag").map(([, value]) => textOf(value)).join("")
    : ""
