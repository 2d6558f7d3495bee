/**
 * The debug protocol of older clients: headers on a call that run an agent step by step, show what its components got and
 * gave, and put other outputs in their place. For owners of the agent. A session is a debugged run, its id the run's.
 */
import { Effect, Either, Option, ParseResult, Schema } from "effect"
import type * as Agents from "../agents/Agents.ts"
import { MalformedRequest } from "./Failures.ts"

type AgentsService = typeof Agents.Agents.Service
type Headers = Readonly<Record<string, string | undefined>>

/** Whether a call brings any of them. A call within another run never does: its tag disables them. */
export const areIn = (headers: Headers): boolean =>
  ("x-debug-run" in headers || "x-debug-inj" in headers || "x-debug-read" in headers || "x-debug-stop" in headers ||
    "x-mock-data-inj" in headers) && (headers["x-request-tag"] ?? "") === ""

/**
 * - `X-DEBUG-RUN:` begins a session at the called endpoint; with a session id it goes on by one step, on any path.
 * - `X-DEBUG-INJ:` runs the components of the body alone; with a session id it puts the outputs in their place, and steps.
 * - `X-DEBUG-READ: id` shows the session, `X-DEBUG-STOP: id` ends it.
 * - `X-MOCK-DATA-INJ` with one that steps: the body lists outputs to use from now on.
 *
 * None when the call is an ordinary one all the same.
 */
export const answer = Effect.fnUntraced(function*(
  agents: AgentsService,
  id: string,
  headers: Headers,
  call: Agents.CallRequest
) {
  const agent = yield* agents.owned(id)
  const { "x-debug-inj": inject, "x-debug-read": read, "x-debug-run": run, "x-debug-stop": stop } = headers
  const session = new Session(agents, agent)
  if (stop !== undefined) return Option.some<State>(yield* session.stop(yield* named(stop, "X-DEBUG-STOP")))
  if (read !== undefined) return Option.some<State>(yield* session.read(yield* named(read, "X-DEBUG-READ")))
  if (inject !== undefined) {
    const given = yield* entries(call.body)
    return Option.some<State>(yield* inject === "" ? session.alone(given) : session.inject(inject, given))
  }
  if (run === undefined) return Option.none<State>()
  const mocks = headers["x-mock-data-inj"] === undefined || (run === "" && !Array.isArray(call.body))
    ? {}
    : outputsOf(yield* entries(call.body))
  if (run !== "") return Option.some<State>(yield* session.step(run, { mocks }))
  const body = Array.isArray(call.body) ? {} : call.body
  const started = yield* agents.start(id, { ...call, body, debug: { hold: true, mocks } })
  return Option.some<State>(yield* session.step(started.id))
})

/** What a debug header is answered with. */
export interface State {
  /** What this step ran, with what it led to; of `X-DEBUG-READ`: what is known, by component. */
  readonly state: unknown
  readonly dbgSession: string | null
  readonly expiredDbgSession?: string
  readonly sessionClosed: boolean
  /** Steps so far. */
  readonly step?: number
  readonly finalResult?: unknown
}

class Session {
  readonly #agents: AgentsService
  readonly #agent: Agents.LoadedAgent

  constructor(agents: AgentsService, agent: Agents.LoadedAgent) {
    this.#agents = agents
    this.#agent = agent
  }

  /** One step further, after a change when one is asked for. Of a session that is over: what it came to. */
  step(session: string, change: Agents.DebugChange = {}) {
    const agents = this.#agents
    const ref = this.#ref(session)
    return Effect.gen(this, function*() {
      const before = yield* agents.inspect(ref)
      if (before.endedAt !== undefined) return { ...expired(session), finalResult: yield* this.#final(ref) }
      yield* agents.debug(ref, change)
      yield* agents.resume(ref, "into")
      const now = yield* agents.inspect(ref)
      const seen = new Set(before.steps.filter(isDone).map(({ key }) => key))
      const records = now.steps.filter((step) => isDone(step) && !seen.has(step.key)).map(this.#record)
      const state = [...this.#activated(now), ...records]
      const closed = now.endedAt !== undefined
      return {
        state: state.length === 1 ? state[0] : state,
        dbgSession: session,
        sessionClosed: closed,
        ...(closed ? { finalResult: yield* this.#final(ref) } : {})
      } satisfies State
    })
  }

  read(session: string) {
    return Effect.map(this.#agents.inspect(this.#ref(session)), ({ endedAt, next = [], steps }): State => {
      const waiting = next.map(componentOf)
      const contexts = steps.map(({ componentId, error, inputs, outputs }) =>
        [componentId, {
          active: waiting.includes(componentId),
          input: inputs,
          output: outputs ?? (error === undefined ? {} : { _error: error })
        }] as const
      )
      return {
        state: Object.fromEntries(contexts),
        dbgSession: session,
        sessionClosed: endedAt !== undefined,
        step: steps.length
      }
    })
  }

  stop(session: string) {
    return Effect.as(this.#agents.stop(this.#ref(session), "its debugger stopped it"), expired(session))
  }

  inject(session: string, given: Entries) {
    const outputs = outputsOf(given)
    const without = given.find(({ id }) => !(id in outputs))
    return without === undefined
      ? this.step(session, { inject: outputs })
      : Effect.fail(
        new MalformedRequest({
          problem: `"${without.id}": a session takes outputs in, as ctx.output with a value in it`
        })
      )
  }

  /** Each of the components for itself, to its end. */
  alone(given: Entries) {
    const agents = this.#agents
    return Effect.gen(this, function*() {
      const runs = yield* Effect.forEach(
        given.filter(({ ctx }) => ctx.active !== false),
        (entry) =>
          Effect.gen(this, function*() {
            const debug = { mocks: outputsOf([entry]) }
            const inputs = entry.ctx.input
            const { id } = yield* agents.startComponent(this.#agent.id, { component: entry.id, inputs, debug })
            const ref = this.#ref(id)
            return yield* Effect.onInterrupt(this.#final(ref), () => Effect.ignore(agents.stop(ref))).pipe(
              Effect.map((answer) => ({ id, answer }))
            )
          })
      )
      const answers = runs.map(({ answer }) => answer)
      return {
        state: answers.length === 1 ? answers[0] : answers,
        dbgSession: runs.at(-1)?.id ?? null,
        sessionClosed: true,
        finalResult: answers.length === 1 ? answers[0] : answers
      } satisfies State
    })
  }

  #ref(run: string): Agents.RunRef {
    return { agent: this.#agent.id, run }
  }

  readonly #record = ({ componentId, error, outputs }: Step) => ({
    id: componentId,
    name: this.#nameOf(componentId),
    result: outputs ?? { _error: error },
    ...(error === undefined ? {} : { error })
  })

  /** What comes next, with the values that have arrived there. */
  #activated({ next = [], values }: Agents.RunInspection) {
    return next.map(componentOf).map((id) => ({
      id,
      name: this.#nameOf(id),
      inputs: Object.fromEntries(
        values.filter(({ to }) => to.startsWith(`${id}.`)).map(({ to, value }) => [to.slice(id.length + 1), value])
      )
    }))
  }

  #nameOf(id: string): string {
    const found = this.#agent.definition.document.components.find((one) => one.id === id)
    return found?.displayName ?? found?.name ?? id
  }

  /** Its answer, or why it has none. */
  #final(ref: Agents.RunRef) {
    const told = ({ _tag, message }: { readonly _tag: string; readonly message: string }) =>
      Effect.succeed<unknown>({ error: _tag, message })
    return Effect.map(this.#agents.result(ref), ({ answer }) => answer).pipe(
      Effect.catchTags({
        RunStopped: told,
        RunTimedOut: told,
        RoundsExceeded: told,
        Overloaded: told,
        ShuttingDown: told
      })
    )
  }
}

type Step = Agents.RunInspection["steps"][number]
const isDone = ({ error, outputs }: Step) => error !== undefined || outputs !== undefined

/** `L[3]/B#1` is a step of `B`. */
const componentOf = (key: string) => key.slice(key.lastIndexOf("/") + 1).replace(/#\d+$/, "")

const expired = (session: string): State => ({
  state: { sessionClosed: true },
  dbgSession: null,
  expiredDbgSession: session,
  sessionClosed: true
})

const named = (session: string, header: string) =>
  session === ""
    ? Effect.fail(new MalformedRequest({ problem: `the header ${header}: expected the id of a session` }))
    : Effect.succeed(session)

const Values = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const Entries = Schema.Array(Schema.Struct({
  id: Schema.String,
  ctx: Schema.Struct({
    active: Schema.optional(Schema.Boolean),
    input: Schema.optional(Values),
    output: Schema.optional(Values)
  })
}))
type Entries = typeof Entries.Type

const decode = ParseResult.decodeUnknownEither(Entries)

const entries = (body: unknown): Either.Either<Entries, MalformedRequest> =>
  Either.mapLeft(decode(body), () =>
    new MalformedRequest({
      problem: "the body: expected a list like [{\"id\":\"C1\",\"ctx\":{\"input\":{},\"output\":{}}}]"
    }))

/** By component; outputs that are nothing but empty text are none. */
const outputsOf = (given: Entries): Readonly<Record<string, Readonly<Record<string, unknown>>>> =>
  Object.fromEntries(
    given.flatMap(({ ctx: { output = {} }, id }) =>
      Object.values(output).every((value) => value === "") ? [] : [[id, output]]
    )
  )
