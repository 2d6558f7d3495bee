/** RuntimeContext: the state of paused or debugged runs as data, in the {@link Cache.Cache} of whoever runs them. */
import { Context, Duration, Effect, Layer, Option, ParseResult, Schema } from "effect"
import { traced } from "../../kernel/Trace.ts"
import * as Cache from "./Cache.ts"

/** How a state is written. A new `version` makes older states unreadable by intent, instead of misread by accident. */
export interface Format<A, I> {
  readonly schema: Schema.Schema<A, I>
  readonly version: number
}

/** A state that does not fit its format: of another version, damaged, or not encodable. */
export class InvalidState extends Schema.TaggedError<InvalidState>()("InvalidState", {
  runId: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `State of run "${this.runId}": ${this.problem}`
  }
}

export type RuntimeContextError = Cache.CacheError | InvalidState

export class RuntimeContext extends Context.Tag("effect-sre/RuntimeContext")<RuntimeContext, {
  /** Keeps a state for {@link timeToLive} from now, in place of the one before. */
  readonly save: <A, I>(format: Format<A, I>, runId: string, state: A) => Effect.Effect<void, RuntimeContextError>
  /** None: never saved, removed, or kept too long. */
  readonly load: <A, I>(format: Format<A, I>, runId: string) => Effect.Effect<Option.Option<A>, RuntimeContextError>
  readonly remove: (runId: string) => Effect.Effect<void, Cache.CacheError>
}>() {}

export const timeToLive = Duration.hours(3)

const Envelope = Schema.parseJson(Schema.Struct({ version: Schema.Int, state: Schema.Unknown }))
const readEnvelope = ParseResult.decode(Envelope)
const writeEnvelope = ParseResult.encode(Envelope)

const make = Effect.gen(function*() {
  const cache = yield* Cache.Cache

  return RuntimeContext.of({
    save: Effect.fnUntraced(function*({ schema, version }, runId, state) {
      const text = yield* ParseResult.encode(schema)(state).pipe(
        Effect.flatMap((encoded) => writeEnvelope({ version, state: encoded })),
        Effect.mapError(invalid(runId))
      )
      yield* cache.set(keyOf(runId), text, { timeToLive })
    }, traced("RuntimeContext.save")),
    load: Effect.fnUntraced(function*({ schema, version }, runId) {
      const text = yield* cache.get(keyOf(runId))
      if (Option.isNone(text)) return Option.none()
      const found = yield* Effect.mapError(readEnvelope(text.value), invalid(runId))
      if (found.version !== version) {
        const problem = `it was saved in version ${found.version}, this system reads version ${version}`
        return yield* new InvalidState({ runId, problem })
      }
      const state = yield* Effect.mapError(ParseResult.decodeUnknown(schema)(found.state), invalid(runId))
      return Option.some(state)
    }, traced("RuntimeContext.load")),
    remove: Effect.fnUntraced(function*(runId) {
      yield* cache.remove(keyOf(runId))
    }, traced("RuntimeContext.remove"))
  })
})

export const layer: Layer.Layer<RuntimeContext, never, Cache.Cache> = Layer.effect(RuntimeContext, make)

const keyOf = (runId: string) => `runs/${runId}`

/** Names paths, never values: a state holds what the agent worked on. */
const invalid = (runId: string) => (issue: ParseResult.ParseIssue) => {
  const paths = ParseResult.ArrayFormatter.formatIssueSync(issue).map(({ path }) => path.join("."))
  return new InvalidState({ runId, problem: `it does not fit its format at "${paths.join("\", \"")}"` })
}
