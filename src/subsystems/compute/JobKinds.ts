/** What jobs can do: a layer above registers what a kind of task does, and its jobs run from then on. */
import { Context, Effect, Either, Layer, Option, ParseResult, Queue, Ref, type Schema, type Scope } from "effect"
import { didYouMean } from "../../kernel/Nearest.ts"
import type * as Candidate from "../../security/Candidate.ts"
import type { Task } from "./Jobs.ts"
import { issuesOf } from "./JobSchedule.ts"

/** Which run it is. */
export interface Occurrence {
  readonly owner: Candidate.Candidate
  readonly job: string
  /** Milliseconds since 1970; with the job, the same for every try of a run, so fit for not doing a thing twice. */
  readonly due: number
}

export interface Kind {
  readonly name: string
  /** What is wrong with data of a task, if anything. */
  readonly check: (data: unknown) => Option.Option<string>
  readonly run: (data: unknown, occurrence: Occurrence) => Effect.Effect<unknown, { readonly message: string }>
}

/** For hosts, never for agents: asks nobody who they are. */
export class JobKinds extends Context.Tag("effect-sre/JobKinds")<JobKinds, {
  /** Until the scope closes; the latest of one name answers. Jobs of a kind that nobody registered wait. */
  readonly register: (kind: Kind) => Effect.Effect<void, never, Scope.Scope>
  readonly all: Effect.Effect<ReadonlyMap<string, Kind>>
  /** Fails with what is wrong with the task. */
  readonly check: (task: Task) => Effect.Effect<void, string>
  /** Tells the runner to look for jobs now. */
  readonly wake: Effect.Effect<void>
  /** Waits for {@link wake}; several that came before count as one. */
  readonly woken: Effect.Effect<void>
}>() {}

export const layer: Layer.Layer<JobKinds> = Layer.effect(
  JobKinds,
  Effect.gen(function*() {
    const registered = yield* Ref.make<ReadonlyArray<Kind>>([])
    const signals = yield* Queue.sliding<void>(1)
    const wake = Effect.asVoid(Queue.offer(signals, undefined))
    const all = Effect.map(Ref.get(registered), (kinds) => new Map(kinds.map((kind) => [kind.name, kind])))

    return JobKinds.of({
      all,
      wake,
      woken: Queue.take(signals),
      register: (kind) =>
        Effect.acquireRelease(
          Effect.zipRight(Ref.update(registered, (kinds) => [...kinds, kind]), wake),
          () => Ref.update(registered, (kinds) => kinds.filter((one) => one !== kind))
        ),
      check: ({ data, kind: name }) =>
        Effect.flatMap(all, (kinds) => {
          const kind = kinds.get(name)
          const names = Array.from(kinds.keys())
          const problem = kind === undefined
            ? Option.some(`there is no task of kind "${name}".${didYouMean(name, names)} Known: ${names.join(", ")}`)
            : kind.check(data)
          return Option.match(problem, { onNone: () => Effect.void, onSome: Effect.fail })
        })
    })
  })
)

/** Registers what tasks of a kind do: `handler("endpoint", Call, (call) => agents.call(…))`. It runs as the owner of the job. */
export const handler = <A, I, R>(
  name: string,
  schema: Schema.Schema<A, I>,
  run: (data: A, occurrence: Occurrence) => Effect.Effect<unknown, { readonly message: string }, R>
): Layer.Layer<never, never, JobKinds | R> =>
  Layer.scopedDiscard(Effect.gen(function*() {
    const kinds = yield* JobKinds
    const context = yield* Effect.context<R>()
    const decode = (data: unknown) =>
      Either.mapLeft(
        ParseResult.decodeUnknownEither(schema)(data),
        (error) => ({ message: `task.data: ${issuesOf(error)}` })
      )
    yield* kinds.register({
      name,
      check: (data) => Option.map(Either.getLeft(decode(data)), ({ message }) => message),
      run: (data, occurrence) =>
        Effect.flatMap(decode(data), (decoded) => Effect.provide(run(decoded, occurrence), context))
    })
  }))
