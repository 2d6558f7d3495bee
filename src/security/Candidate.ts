/** Who is asking. The candidate travels with the fiber; nothing but this module touches the reference it travels in. */
import { Effect, FiberRef, Option, Schema, type Stream } from "effect"
import { dual } from "effect/Function"
import * as Pull from "../kernel/Pull.ts"

export const Role = Schema.Literal("user", "agent", "team", "public")
export type Role = typeof Role.Type

/** 1 to 128 characters, none of them white space, a control character or a slash; not `.` or `..`. */
export const CandidateId = Schema.String.pipe(
  Schema.filter((id) => /^[^\s/\\\p{C}]{1,128}$/u.test(id) && id !== "." && id !== "..", {
    message: () => "an id has 1 to 128 characters without white space, control characters or slashes"
  })
)

export const Candidate = Schema.Struct({ role: Role, id: CandidateId })
export type Candidate = typeof Candidate.Type

export const user = (id: string): Candidate => Candidate.make({ role: "user", id })
export const agent = (id: string): Candidate => Candidate.make({ role: "agent", id })
export const team = (id: string): Candidate => Candidate.make({ role: "team", id })
/** Anybody, also nobody known: has only what is open to the public. */
export const anyone: Candidate = { role: "public", id: "public" }

/** `agent:a1`: the candidate as text, and the name of its home. */
export const format = (candidate: Candidate): string => `${candidate.role}:${candidate.id}`

/** Reads `user:bob`. */
export const FromString = Schema.String.pipe(
  Schema.pattern(/^(user|agent|team|public):./, { message: () => `expected "user:<id>", "agent:<id>" or "team:<id>"` }),
  Schema.transform(Candidate, {
    decode: (text) => ({ role: text.slice(0, text.indexOf(":")) as Role, id: text.slice(text.indexOf(":") + 1) }),
    encode: format
  })
)

/** Nobody is known to be asking: a service refuses before it looks at anything. */
export class NoCandidate extends Schema.TaggedError<NoCandidate>()("NoCandidate", { operation: Schema.String }) {
  override get message(): string {
    return `${this.operation} refused: no identity. Run the effect with Candidate.as(Candidate.user("…"))`
  }
}

const current_ = FiberRef.unsafeMake<Option.Option<Candidate>>(Option.none())

/** What is done with the candidate of this fiber, and where none is set. */
export const withCurrent = <A, E, R, E1>(
  onNone: () => Effect.Effect<never, E1>,
  use: (candidate: Candidate) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | E1, R> =>
  Effect.withFiberRuntime<A, E | E1, R>((fiber) => {
    const candidate = fiber.getFiberRef(current_)
    return Option.isSome(candidate) ? use(candidate.value) : onNone()
  })

/** The candidate of this fiber; forgetting to set one is a refusal. */
export const current: Effect.Effect<Candidate, NoCandidate> = withCurrent(
  () => Effect.fail(new NoCandidate({ operation: "Candidate.current" })),
  Effect.succeed
)

/** Runs an effect, and all fibers it starts, as `candidate`. */
export const as: {
  (candidate: Candidate): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, candidate: Candidate): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, candidate: Candidate): Effect.Effect<A, E, R> => {
    const own = Option.some(candidate)
    const asOwn = Effect.locally(self, current_, own)
    return Effect.withFiberRuntime((fiber) => {
      const before = fiber.getFiberRef(current_)
      return Option.isSome(before) && before.value === candidate ? self : asOwn
    })
  }
)

/** Every pull of the stream happens as `candidate`, whoever consumes it: a bare stream would run as its consumer. */
export const streamAs: {
  (candidate: Candidate): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, candidate: Candidate): Stream.Stream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Stream.Stream<A, E, R>, candidate: Candidate): Stream.Stream<A, E, R> =>
    Pull.toStream(Effect.map(as(Pull.open(self), candidate), as(candidate)))
)
