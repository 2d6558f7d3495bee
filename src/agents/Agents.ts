/** The process table: agents that are loaded, and their runs. Every face works through it; an agent's parts run as the agent. */
import { Context, Deferred, Duration, Effect, Layer, Stream } from "effect"
import { AgentCalls } from "../components/AgentCalls.ts"
import type * as Component from "../components/Component.ts"
import type { Services } from "../components/Services.ts"
import * as Ids from "../kernel/Ids.ts"
import { half } from "../kernel/Places.ts"
import * as Pull from "../kernel/Pull.ts"
import { traced, tracedStream } from "../kernel/Trace.ts"
import * as Access from "../security/Access.ts"
import * as Candidate from "../security/Candidate.ts"
import type { JobKinds, Scheduler } from "../subsystems/compute/Scheduler.ts"
import type { AgentNotFound } from "../subsystems/io/AgentData.ts"
import type { NKV } from "../subsystems/io/NKV.ts"
import type * as Conversation from "../subsystems/llm/Conversation.ts"
import type * as ConversationMemory from "../subsystems/llm/ConversationMemory.ts"
import type * as Prompt from "../subsystems/llm/Prompt.ts"
import type * as LLMContext from "../subsystems/memory/LLMContext.ts"
import type { Resources } from "../subsystems/memory/Resources.ts"
import type { RuntimeContext } from "../subsystems/memory/RuntimeContext.ts"
import type { AgentDefinition } from "./AgentDefinition.ts"
import { ComponentNotFound, EndpointNotFound, type RunNotReady } from "./AgentErrors.ts"
import type { AgentEvent } from "./AgentEvents.ts"
import type {
  CallError,
  CallRequest,
  CallResult,
  ComponentRequest,
  Counts,
  DebugChange,
  PromptError,
  RunError,
  RunRef,
  StartRequest
} from "./AgentRequests.ts"
import type { AgentRun, RunFailure, RunInspection, RunSummary } from "./AgentRun.ts"
import type { AgentSettings } from "./AgentSettings.ts"
import type { RunResult } from "./Answer.ts"
import * as AskedAgents from "./AskedAgents.ts"
import { busyAbove } from "./BackPressure.ts"
import type { Registry } from "./Compile.ts"
import type { DebugOptions } from "./Debugger.ts"
import * as Endpoint from "./Endpoint.ts"
import { planOf } from "./Entries.ts"
import { EventLog } from "./EventLog.ts"
import type { InvalidAgent } from "./Problem.ts"
import type { LoadedAgent, Process } from "./Process.ts"
import * as Processes from "./Processes.ts"
import { find as findComponent, idsOf } from "./Program.ts"
import type { Advance } from "./RunControl.ts"
import type { Overloaded } from "./RunGate.ts"
import * as RunMetrics from "./RunMetrics.ts"
import * as Runs from "./Runs.ts"
import * as SignIns from "./SignIns.ts"
import * as Talks from "./Talks.ts"
import * as Triggers from "./Triggers.ts"

export { EndpointNotFound, NoModel, RunNotFound, RunNotReady, RunStopped, RunTimedOut } from "./AgentErrors.ts"
export { SignInRefused, TriggerFailed, TriggerNotFound } from "./AgentErrors.ts"
export type * from "./AgentRequests.ts"
export type { RunInspection, RunStatus, RunSummary } from "./AgentRun.ts"
export type { DebugOptions } from "./Debugger.ts"
export type { LoadedAgent } from "./Process.ts"
export type { Advance } from "./RunControl.ts"
export type { PromptRequest } from "./Talks.ts"
export type { Reception, TriggerInfo } from "./Triggers.ts"

export class Agents extends Context.Tag("effect-sre/Agents")<
  Agents,
  & {
    /** Validates, compiles and adds an agent, owned by the asker; replaces one of the same id, which only its owner may. */
    readonly load: (definition: AgentDefinition) => Effect.Effect<LoadedAgent, InvalidAgent | Access.AccessError>
    /** Stops its runs and jobs, and those of its branches. */
    readonly unload: (id: string) => Effect.Effect<void, AgentNotFound | Access.AccessError>
    readonly get: (id: string) => Effect.Effect<LoadedAgent, AgentNotFound | Access.AccessError>
    /** For owners: {@link get}, or a refusal. */
    readonly owned: (id: string) => Effect.Effect<LoadedAgent, AgentNotFound | Access.AccessError>
    /** The agents the asker may call. */
    readonly list: Effect.Effect<ReadonlyArray<LoadedAgent>, Access.AccessError>
    /**
     * For owners. A component and all it leads to, as an agent of its own with the same identity; its endpoint is
     * `POST <componentId>`. It ends with its parent.
     */
    readonly fork: (
      id: string,
      componentId: string
    ) => Effect.Effect<LoadedAgent, AgentNotFound | ComponentNotFound | InvalidAgent | Access.AccessError>

    /** Runs an endpoint and gives its answer. Who stops waiting stops the run, unless it is paused. */
    readonly call: (id: string, request: CallRequest) => Effect.Effect<CallResult, CallError>
    /** One run as its events; who stops reading stops the run. */
    readonly stream: (id: string, request: CallRequest) => Stream.Stream<AgentEvent, CallError>
    /** Starts a run in the background; it is known until an hour after its end. */
    readonly start: (id: string, request: StartRequest) => Effect.Effect<RunSummary, CallError | ComponentNotFound>
    /** For owners. The same of one component alone; its record is the answer. */
    readonly startComponent: (
      id: string,
      request: ComponentRequest
    ) => Effect.Effect<RunSummary, AgentNotFound | ComponentNotFound | Endpoint.BadInput | Access.AccessError>

    /** Runs and jobs of the agent: all of them for its owners, else those the asker called for. */
    readonly runs: (id: string) => Effect.Effect<ReadonlyArray<RunSummary>, AgentNotFound | Access.AccessError>
    readonly summary: (ref: RunRef) => Effect.Effect<RunSummary, RunError>
    /** For owners of the agent: where the run is, and the values in it. */
    readonly inspect: (ref: RunRef) => Effect.Effect<RunInspection, RunError>
    /** Its answer, when it has one. Who stops waiting stops nothing. */
    readonly result: (ref: RunRef) => Effect.Effect<CallResult, RunError | RunFailure>
    /**
     * Its events from a number on, until its end. Runs that were started or streamed have them; of events that are gone a
     * `Gap` tells how many.
     */
    readonly events: (ref: RunRef, from?: number) => Stream.Stream<AgentEvent, RunError>
    /** For owners. The events of all runs of the agent that begin from now on. */
    readonly monitor: (id: string) => Stream.Stream<AgentEvent, AgentNotFound | Access.AccessError>
    /** Holds the run before its next step, as data; what is under way is finished first. */
    readonly pause: (ref: RunRef) => Effect.Effect<RunSummary, RunError | RunNotReady | Overloaded>
    /** Goes on. `into` and `over` run one step, a loop as many or as one, and return when the run is held again or over. */
    readonly resume: (ref: RunRef, how?: Advance) => Effect.Effect<RunSummary, RunError | RunNotReady>
    /** Interrupts all that is under way, jobs of the run included; returns when it is over. */
    readonly stop: (ref: RunRef, reason?: string) => Effect.Effect<RunSummary, RunError>
    /** For owners. Changes a debugged run. */
    readonly debug: (
      ref: RunRef,
      change: DebugChange
    ) => Effect.Effect<RunInspection, RunError | RunNotReady | ComponentNotFound>

    /** A turn of a conversation with the agent, whose exposed endpoints are the tools. Who stops reading stops it. */
    readonly prompt: (
      id: string,
      request: Talks.PromptRequest
    ) => Stream.Stream<Conversation.ConversationEvent, PromptError>
    /** What was said in the caller's conversation of that id. */
    readonly history: (
      id: string,
      conversationId: string
    ) => Effect.Effect<ReadonlyArray<Prompt.Message>, AgentNotFound | Access.AccessError | LLMContext.LLMContextError>
    /** Also what others of the caller's conversations would recall of it; all that the agent knows of the caller, where said. */
    readonly forget: (
      id: string,
      conversationId: string,
      what?: ConversationMemory.Forgetting
    ) => Effect.Effect<void, AgentNotFound | Access.AccessError | LLMContext.LLMContextError>

    /** How much is going on, over all agents. */
    readonly counts: Effect.Effect<Counts, Candidate.NoCandidate>
  }
  & Triggers.TriggerCalls
  & SignIns.SignInCalls
>() {}

export interface AgentsOptions extends AgentSettings {
  readonly components: Registry
}

const make = (options: AgentsOptions) =>
  Effect.gen(function*() {
    const guard = yield* Access.guard("Agents")
    const services = yield* Effect.context<Exclude<Services, AgentCalls> | NKV>()
    const processes = yield* Processes.make(options.components, guard)
    const calls = AskedAgents.make({
      find: (id) => processes.find("prompt", id),
      maxDepth: options.maxAgentDepth ?? 8,
      runTool: (...call) => runTool(...call),
      services
    })
    const { maxPaused = 20_000, maxRuns = 1000 } = options
    const runs = yield* Runs.make({
      maxRuns,
      maxRunsPerAgent: options.maxRunsPerAgent ?? maxRuns,
      maxRunsPerCandidate: options.maxRunsPerCandidate ?? maxRuns,
      maxQueued: options.maxQueued ?? 1000,
      maxWait: Duration.decode(options.maxWait ?? "10 seconds"),
      maxPaused,
      maxPausedPerTenant: options.maxPausedPerTenant ?? half(maxPaused),
      maxPausedPerAgent: options.maxPausedPerAgent ?? 10_000,
      maxRounds: options.maxRounds ?? 100,
      runTimeout: Duration.decode(options.runTimeout ?? "5 minutes"),
      jobTimeout: Duration.decode(options.jobTimeout ?? "6 hours"),
      drainTimeout: Duration.decode(options.drainTimeout ?? "10 seconds"),
      busy: yield* busyAbove(options.backPressure)
    }).pipe(Effect.provideService(AgentCalls, calls))
    const triggers = yield* Triggers.make({ guard, processes, runs }).pipe(Effect.provideService(AgentCalls, calls))
    const signIns = yield* SignIns.make(processes).pipe(Effect.provideService(AgentCalls, calls))
    const clock = yield* Effect.clock
    const counts = Effect.zipWith(runs.counts, processes.count, (counts, agents) => ({ agents, ...counts }))
    yield* RunMetrics.sampled(counts)

    /** A run about to begin, its request checked. */
    const prepare = (process: Process, request: StartRequest, events: boolean) =>
      Effect.flatMap(Candidate.current, (caller): Effect.Effect<AgentRun, EndpointNotFound | Endpoint.BadInput> => {
        const { id, program } = process
        const { conversationId, debug, endpoint, method = "POST", sessionId } = request
        const plan = planOf(program, request)
        if (plan === undefined) {
          return new EndpointNotFound({ agent: id, endpoint, method, available: Array.from(program.plans.keys()) })
        }
        return Effect.flatMap(plan.endpoint.prepare(request), (prepared) => {
          const runId = Ids.unsafeMake("run")
          const info: Component.RunInfo = {
            id: runId,
            sessionId: Talks.ownOf(caller, sessionId ?? runId),
            workflowId: runId,
            conversationId: conversationId === undefined ? undefined : Talks.ownOf(caller, conversationId),
            request: prepared
          }
          return runs.begin({ process, info, caller }, plan, { events, debug })
        })
      })

    const answered = (run: AgentRun) => (result: RunResult): CallResult => ({ ...result, runId: run.id })

    /** A run of an agent, for whoever called for it and for owners of the agent. */
    const found = Effect.fnUntraced(function*(operation: string, { agent, run: id }: RunRef) {
      const process = yield* processes.find(operation, agent)
      const run = yield* runs.find(process, id)
      const asker = yield* guard.candidate(operation)
      if (run.caller.role !== asker.role || run.caller.id !== asker.id) {
        yield* guard.check(process.acl, { operation, level: "owner", resource: `${agent}/${id}` })
      }
      return run
    })

    /** The same, for owners alone. */
    const owned = Effect.fnUntraced(function*(operation: string, { agent, run }: RunRef) {
      return yield* runs.find(yield* processes.owned(operation, agent), run)
    })

    const known = ({ id, program }: Process, components: Iterable<string>) => {
      const available = idsOf(program)
      const unknown = Array.from(components).find((one) => !available.includes(one))
      return unknown === undefined
        ? Effect.void
        : new ComponentNotFound({ agent: id, component: unknown, available })
    }

    const debuggable = (process: Process, debug: DebugOptions | undefined) =>
      debug === undefined
        ? Effect.void
        : known(process, [...debug.breakpoints ?? [], ...Object.keys(debug.mocks ?? {})])

    const runTool: Talks.RunTool = (process, plan, info, say) =>
      Effect.gen(function*() {
        const run = yield* runs.begin({ process, info, caller: process.candidate }, plan, {
          events: false,
          tell: (event) => {
            if (event._tag === "Content") say(event.kind, event.text)
          }
        })
        return yield* runs.complete(run)
      })

    const agents = Agents.of({
      ...triggers.calls,
      ...signIns,
      load: (definition) => traced("Agents.load")(Effect.tap(processes.load(definition), triggers.attach)),
      unload: Effect.fnUntraced(function*(id) {
        const gone = yield* Effect.flatMap(processes.owned("unload", id), processes.tree)
        yield* processes.remove(gone)
        yield* triggers.detach(id)
        yield* Effect.forEach(
          gone.flatMap((process) => runs.of(process)),
          (run) => runs.stop(run, "the agent was unloaded"),
          { concurrency: "unbounded", discard: true }
        )
      }, traced("Agents.unload")),
      get: (id) => processes.find("get", id),
      owned: (id) => processes.owned("owned", id),
      list: Effect.zipRight(guard.candidate("list"), processes.visible),
      fork: Effect.fnUntraced(function*(id, componentId) {
        return yield* processes.fork(yield* processes.owned("fork", id), componentId)
      }, traced("Agents.fork")),

      call: (id, request) =>
        Effect.flatMap(
          Effect.flatMap(processes.find("call", id), (process) => prepare(process, request, false)),
          (run) => Effect.map(runs.complete(run), answered(run))
        ),
      stream: (id, request) =>
        Stream.unwrapScoped(Effect.gen(function*() {
          const run = yield* prepare(yield* processes.find("stream", id), request, true)
          yield* Effect.addFinalizer(() =>
            run.status === "paused" ? Effect.void : runs.stop(run, "its events are no longer read")
          )
          yield* runs.launch(run)
          // What was refused before it began has no events.
          const refused = Effect.catchIf(
            Deferred.await(run.outcome),
            ({ _tag }) => _tag !== "Overloaded" && _tag !== "ShuttingDown",
            () => Effect.void
          )
          return Stream.concat(run.events!.from(0), Stream.drain(Stream.fromEffect(refused)))
        })),
      start: Effect.fnUntraced(function*(id, request) {
        const { debug } = request
        const process = yield* debug === undefined ? processes.find("start", id) : processes.owned("debug", id)
        yield* debuggable(process, debug)
        const run = yield* prepare(process, request, true)
        yield* runs.launch(run)
        return run.summary
      }, traced("Agents.start")),
      startComponent: Effect.fnUntraced(function*(id, { component, debug, inputs = {} }) {
        const process = yield* processes.owned("startComponent", id)
        yield* known(process, [component])
        yield* debuggable(process, debug)
        const place = findComponent(process.program, component)!
        const request = yield* Endpoint.ofComponent(place.node.info).prepare({ body: inputs })
        const runId = Ids.unsafeMake("run")
        const info = {
          id: runId,
          sessionId: yield* Talks.callersOwn(runId),
          workflowId: runId,
          conversationId: undefined,
          request
        }
        const origin = { process, info, caller: yield* Candidate.current }
        const run = yield* runs.begin(origin, place, { events: true, debug })
        yield* runs.launch(run)
        return run.summary
      }, traced("Agents.startComponent")),

      runs: Effect.fnUntraced(function*(id) {
        const process = yield* processes.find("runs", id)
        const asker = yield* guard.candidate("runs")
        const owns = yield* guard.permits(process.acl, "owner", id)
        return runs.of(process)
          .filter(({ caller }) => owns || (caller.role === asker.role && caller.id === asker.id))
          .map(({ summary }) => summary)
      }, traced("Agents.runs")),
      summary: (ref) => Effect.map(found("summary", ref), ({ summary }) => summary),
      inspect: (ref) => Effect.map(owned("inspect", ref), ({ inspection }) => inspection),
      result: (ref) =>
        Effect.flatMap(
          found("result", ref),
          (run) => Effect.map(Deferred.await(run.outcome), answered(run))
        ),
      events: (ref, from = 0) =>
        Stream.unwrap(Effect.map(found("events", ref), ({ events }) => events?.from(from) ?? Stream.empty)),
      monitor: (id) =>
        Stream.unwrapScoped(Effect.gen(function*() {
          const process = yield* processes.owned("monitor", id)
          const log = new EventLog("", () => clock.unsafeCurrentTimeMillis())
          yield* Effect.acquireRelease(
            Effect.sync(() => {
              process.monitors = new Set(process.monitors).add(log)
            }),
            () =>
              Effect.sync(() => {
                const left = new Set(process.monitors)
                left.delete(log)
                process.monitors = left.size === 0 ? undefined : left
              })
          )
          return log.from(0)
        })),
      pause: (ref) => Effect.flatMap(found("pause", ref), (run) => Effect.map(runs.pause(run), () => run.summary)),
      resume: (ref, how = "continue") =>
        Effect.flatMap(found("resume", ref), (run) => Effect.map(runs.resume(run, how), () => run.summary)),
      stop: (ref, reason = "it was asked to") =>
        Effect.flatMap(found("stop", ref), (run) => Effect.map(runs.stop(run, reason), () => run.summary)),
      debug: Effect.fnUntraced(function*(ref, { breakpoints, inject = {}, mocks = {} }) {
        const run = yield* owned("debug", ref)
        yield* known(run.process, [...breakpoints ?? [], ...Object.keys(inject), ...Object.keys(mocks)])
        yield* runs.debug(run, { breakpoints, inject, mocks })
        return run.inspection
      }, traced("Agents.debug")),

      prompt: (id, request) =>
        Pull.unwrap(
          Effect.flatMap(processes.find("prompt", id), (process) => Talks.open(process, runTool, request))
        ).pipe(
          Pull.provide(services),
          tracedStream("agent.prompt", { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.id": id })
        ),
      history: (id, conversationId) =>
        Effect.flatMap(processes.find("history", id), (process) => Talks.history(process, conversationId)).pipe(
          Effect.provide(services)
        ),
      forget: (id, conversationId, what) =>
        Effect.flatMap(processes.find("forget", id), (process) => Talks.forget(process, conversationId, what)).pipe(
          Effect.provide(services)
        ),
      counts: Effect.zipRight(guard.candidate("counts"), counts)
    })
    return Context.make(Agents, agents).pipe(Context.add(AgentCalls, calls))
  })

export const layer = (options: AgentsOptions): Layer.Layer<Agents | AgentCalls, never, Needed> =>
  Layer.scopedContext(make(options))

type Needed = Exclude<Services, AgentCalls> | JobKinds | NKV | Resources | RuntimeContext | Scheduler
