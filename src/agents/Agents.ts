/** The process table: agents that are loaded, and their runs. Every face works through it; an agent's parts run as the agent. */
import { Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Ref, Schema, Stream } from "effect"
import type * as Component from "../components/Component.ts"
import type { Services } from "../components/Services.ts"
import * as Ids from "../kernel/Ids.ts"
import { didYouMean } from "../kernel/Nearest.ts"
import { traced } from "../kernel/Trace.ts"
import * as Access from "../security/Access.ts"
import type { Acl } from "../security/Acl.ts"
import * as Candidate from "../security/Candidate.ts"
import { AgentNotFound } from "../subsystems/io/AgentData.ts"
import * as Log from "../subsystems/io/Log.ts"
import type { AgentDefinition } from "./AgentDefinition.ts"
import type { AgentEvent, AgentEventBody } from "./AgentEvents.ts"
import { compile, planKey, type Registry } from "./Compile.ts"
import type { BadInput, Endpoint, EndpointRequest } from "./Endpoint.ts"
import { EventLog } from "./EventLog.ts"
import type { InvalidAgent, Problem } from "./Problem.ts"
import type { AgentProgram, Plan } from "./Program.ts"
import { type RoundsExceeded, run, type RunResult } from "./Run.ts"

export class EndpointNotFound extends Schema.TaggedError<EndpointNotFound>()("EndpointNotFound", {
  agent: Schema.String,
  endpoint: Schema.String,
  method: Schema.String,
  /** As `POST digest`. */
  available: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const near = didYouMean(this.endpoint, this.available.map((key) => key.slice(key.indexOf(" ") + 1)))
    return `Agent "${this.agent}" has no endpoint ${this.method} ${this.endpoint}.${near} It has: ${
      this.available.join(", ") || "none"
    }`
  }
}

/** As many runs are under way as the operator allows; try again later. */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", { maxRuns: Schema.Int }) {
  override get message(): string {
    return `${this.maxRuns} runs are under way, no more are taken: try again later`
  }
}

/** The system is shutting down: what runs is finished, nothing new begins. */
export class ShuttingDown extends Schema.TaggedError<ShuttingDown>()("ShuttingDown", {}) {
  override get message(): string {
    return "shutting down: no new runs"
  }
}

export class RunTimedOut extends Schema.TaggedError<RunTimedOut>()("RunTimedOut", {
  agent: Schema.String,
  endpoint: Schema.String,
  after: Schema.DurationFromMillis
}) {
  override get message(): string {
    return `${this.endpoint} of agent "${this.agent}" was stopped after ${Duration.format(this.after)}`
  }
}

/** `call` refused before anything ran, or ended without an answer. Failures of components are part of the answer. */
export type CallError =
  | AgentNotFound
  | EndpointNotFound
  | BadInput
  | Overloaded
  | ShuttingDown
  | RoundsExceeded
  | RunTimedOut
  | Access.AccessError

export interface CallRequest extends EndpointRequest {
  readonly endpoint: string
  /** Absent: whichever method the endpoint has, `POST` before `GET`. */
  readonly method?: "GET" | "POST"
  /** Groups runs for the `session` scope of memory components; private to the caller. */
  readonly sessionId?: string
  /** Conversation of the caller this run is a tool call of. */
  readonly conversationId?: string
}

export interface CallResult extends RunResult {
  readonly runId: string
}

/** What may be known of a loaded agent. */
export interface LoadedAgent {
  readonly id: string
  readonly name: string
  readonly definition: AgentDefinition
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly warnings: ReadonlyArray<Problem>
}

export class Agents extends Context.Tag("effect-sre/Agents")<Agents, {
  /** Validates, compiles and adds an agent, owned by the asker; replaces one of the same id, which only its owner may. */
  readonly load: (definition: AgentDefinition) => Effect.Effect<LoadedAgent, InvalidAgent | Access.AccessError>
  readonly unload: (id: string) => Effect.Effect<void, AgentNotFound | Access.AccessError>
  readonly get: (id: string) => Effect.Effect<LoadedAgent, AgentNotFound | Access.AccessError>
  /** The agents the asker may call. */
  readonly list: Effect.Effect<ReadonlyArray<LoadedAgent>, Access.AccessError>
  readonly call: (id: string, request: CallRequest) => Effect.Effect<CallResult, CallError>
  /** One run as its events; who stops reading stops the run. */
  readonly stream: (id: string, request: CallRequest) => Stream.Stream<AgentEvent, CallError>
  /** Runs under way. */
  readonly running: Effect.Effect<number, Candidate.NoCandidate>
}>() {}

export interface AgentsOptions {
  readonly components: Registry
  /** Runs at once, over all agents. */
  readonly maxRuns?: number
  /** Rounds of cycles in one run. */
  readonly maxRounds?: number
  /** After this a run is stopped. */
  readonly runTimeout?: Duration.DurationInput
  /** How long shutdown waits for runs before it interrupts them. */
  readonly drainTimeout?: Duration.DurationInput
}

interface Entry extends LoadedAgent {
  readonly acl: Acl
  readonly program: AgentProgram
  readonly candidate: Candidate.Candidate
}

const make = (options: AgentsOptions) =>
  Effect.gen(function*() {
    const guard = yield* Access.guard("Agents")
    const teamsOf = yield* Access.Teams
    const services = yield* Effect.context<Services>()
    const log = yield* Effect.serviceOption(Log.Log)
    const clock = yield* Effect.clock
    const entries = yield* Ref.make<ReadonlyMap<string, Entry>>(new Map())
    const gate = yield* openGate(options.maxRuns ?? 1000, options.drainTimeout ?? "10 seconds")
    const runTimeout = Duration.decode(options.runTimeout ?? "5 minutes")
    const maxRounds = options.maxRounds ?? 100

    const visible = Effect.flatMap(
      Ref.get(entries),
      (all) => Effect.filter(all.values(), ({ acl }) => guard.permits(acl, "read"))
    )

    /** An agent one may not call is not told apart from one that does not exist. */
    const find = Effect.fnUntraced(function*(operation: string, id: string) {
      yield* guard.candidate(operation)
      const entry = (yield* Ref.get(entries)).get(id)
      if (entry === undefined || !(yield* guard.permits(entry.acl, "read"))) {
        return yield* new AgentNotFound({ id, available: (yield* visible).map((one) => one.id) })
      }
      yield* guard.check(entry.acl, { operation, level: "read", resource: id })
      return entry
    })

    const prepare = Effect.fnUntraced(function*(operation: string, id: string, request: CallRequest) {
      const entry = yield* find(operation, id)
      const plan = planOf(entry.program, request)
      if (plan === undefined) {
        return yield* new EndpointNotFound({
          agent: id,
          endpoint: request.endpoint,
          method: request.method ?? "POST",
          available: Array.from(entry.program.plans.keys())
        })
      }
      const prepared = yield* plan.endpoint.prepare(request)
      const caller = Candidate.format(yield* guard.candidate(operation))
      const runId = yield* Ids.make("run")
      const info: Component.RunInfo = {
        id: runId,
        sessionId: `${caller}/${request.sessionId ?? runId}`,
        workflowId: runId,
        conversationId: request.conversationId === undefined ? undefined : `${caller}/${request.conversationId}`,
        request: prepared
      }
      return { entry, plan, info }
    })

    const execute = (
      { entry, info, plan }: { readonly entry: Entry; readonly plan: Plan; readonly info: Component.RunInfo },
      emit: ((event: AgentEventBody) => void) | undefined
    ): Effect.Effect<CallResult, Overloaded | ShuttingDown | RoundsExceeded | RunTimedOut> => {
      const started = { agentId: entry.id, endpoint: plan.endpoint.name, method: plan.endpoint.method }
      const whole = run(entry.program, plan, { agent: entry.program.agent, run: info, emit, maxRounds })
      return gate(Effect.suspend(() => {
        emit?.({ _tag: "RunStarted", ...started })
        return whole
      })).pipe(
        Effect.timeoutFail({
          duration: runTimeout,
          onTimeout: () => new RunTimedOut({ agent: entry.id, endpoint: plan.endpoint.name, after: runTimeout })
        }),
        Effect.tap((result) => record(entry, plan, info, result)),
        traced("agent.run", { "agent.id": entry.id, "run.id": info.id }),
        Effect.map((result) => ({ ...result, runId: info.id })),
        Effect.provide(services),
        Candidate.as(entry.candidate)
      )
    }

    const record = (entry: Entry, plan: Plan, info: Component.RunInfo, result: RunResult) =>
      Option.isNone(log) ? Effect.void : Effect.ignore(log.value.record({
        level: result.failed ? "warning" : "info",
        message: `${plan.endpoint.method} ${plan.endpoint.name} of ${entry.id} ${result.failed ? "failed" : "answered"}`,
        runId: info.id
      }))

    return Agents.of({
      load: Effect.fnUntraced(function*(definition) {
        const owner = yield* guard.candidate("load")
        const { program, warnings } = yield* compile(definition, options.components)
        const existing = (yield* Ref.get(entries)).get(definition.id)
        if (existing !== undefined) {
          yield* guard.check(existing.acl, { operation: "load", level: "owner", resource: definition.id })
        }
        const candidate = Candidate.agent(definition.id)
        const teams = yield* teamsOf(candidate)
        const entry: Entry = {
          id: definition.id,
          name: program.agent.name,
          definition,
          program,
          warnings,
          candidate,
          endpoints: Array.from(program.plans.values(), ({ endpoint }) => endpoint),
          acl: {
            grants: [
              { ...(existing === undefined ? owner : ownerOf(existing)), levels: ["owner"] },
              { ...candidate, levels: ["owner"] },
              ...teams.map((id) => ({ role: "team" as const, id, levels: ["read" as const] }))
            ]
          }
        }
        yield* Ref.update(entries, (all) => new Map(all).set(definition.id, entry))
        return entry
      }, traced("Agents.load")),
      unload: Effect.fnUntraced(function*(id) {
        const entry = yield* find("unload", id)
        yield* guard.check(entry.acl, { operation: "unload", level: "owner", resource: id })
        yield* Ref.update(entries, (all) => new Map(Array.from(all).filter(([other]) => other !== id)))
      }, traced("Agents.unload")),
      get: (id) => find("get", id),
      list: Effect.zipRight(guard.candidate("list"), visible),
      call: (id, request) =>
        Effect.flatMap(prepare("call", id, request), (prepared) => execute(prepared, undefined)),
      stream: (id, request) =>
        Stream.unwrapScoped(Effect.gen(function*() {
          const prepared = yield* prepare("stream", id, request)
          const events = new EventLog(prepared.info.id, () => clock.unsafeCurrentTimeMillis())
          const outcome = yield* Deferred.make<void, Overloaded | ShuttingDown>()
          yield* Effect.forkScoped(Effect.onExit(execute(prepared, events.push), (exit) =>
            Effect.suspend(() => {
              const refused = Exit.match(exit, {
                onSuccess: ({ answer, failed }) => {
                  events.push({ _tag: "RunEnded", answer, failed })
                  return undefined
                },
                onFailure: (cause) => {
                  const error = cause._tag === "Fail" ? cause.error : undefined
                  if (error?._tag === "Overloaded" || error?._tag === "ShuttingDown") return error
                  events.push({
                    _tag: "RunFailed",
                    error: error?._tag ?? "Interrupted",
                    message: error?.message ?? "the run was stopped"
                  })
                  return undefined
                }
              })
              events.end()
              return refused === undefined ? Deferred.succeed(outcome, void 0) : Deferred.fail(outcome, refused)
            })))
          return Stream.concat(events.from(0), Stream.drain(Stream.fromEffect(Deferred.await(outcome))))
        })),
      running: Effect.zipRight(guard.candidate("running"), gate.count)
    })
  })

export const layer = (options: AgentsOptions): Layer.Layer<Agents, never, Services> =>
  Layer.scoped(Agents, make(options))

const ownerOf = ({ acl }: Entry) => {
  const { id, role } = acl.grants[0]!
  return { id, role }
}

const planOf = ({ plans }: AgentProgram, { endpoint, method }: CallRequest): Plan | undefined =>
  method === undefined
    ? plans.get(planKey("POST", endpoint)) ?? plans.get(planKey("GET", endpoint))
    : plans.get(planKey(method, endpoint))

/** Counts runs: refuses above the bound and while closing; closing waits for those under way, then interrupts them. */
const openGate = (maxRuns: number, drainTimeout: Duration.DurationInput) =>
  Effect.gen(function*() {
    const runs = new Set<{ readonly fiber: Fiber.RuntimeFiber<unknown, unknown> }>()
    let closing = false
    const idle = yield* Deferred.make<void>()

    const gate = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | Overloaded | ShuttingDown, R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiberRuntime((fiber) => {
          if (closing) return Effect.fail(new ShuttingDown())
          if (runs.size >= maxRuns) return Effect.fail(new Overloaded({ maxRuns }))
          const run = { fiber }
          runs.add(run)
          return Effect.ensuring(
            restore(work),
            Effect.suspend(() => {
              runs.delete(run)
              return closing && runs.size === 0 ? Deferred.succeed(idle, void 0) : Effect.void
            })
          )
        })
      )

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closing = true
        return runs.size === 0 ? Effect.void : Effect.zipRight(
          Effect.timeoutOption(Effect.interruptible(Deferred.await(idle)), drainTimeout),
          Effect.suspend(() => Fiber.interruptAll(Array.from(runs, ({ fiber }) => fiber)))
        )
      })
    )
    return Object.assign(gate, { count: Effect.sync(() => runs.size) })
  })
