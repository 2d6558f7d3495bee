/** The process table: agents that are loaded, and their runs. Every face works through it; an agent's parts run as the agent. */
import {
  Context,
  Data,
  Deferred,
  Duration,
  Effect,
  ExecutionStrategy,
  Exit,
  Layer,
  Option,
  Redacted,
  Ref,
  Scope,
  Stream
} from "effect"
import type * as Component from "../components/Component.ts"
import type { Services } from "../components/Services.ts"
import * as Ids from "../kernel/Ids.ts"
import { toText } from "../kernel/Json.ts"
import { traced } from "../kernel/Trace.ts"
import * as Access from "../security/Access.ts"
import * as Acl from "../security/Acl.ts"
import * as Candidate from "../security/Candidate.ts"
import { AgentNotFound } from "../subsystems/io/AgentData.ts"
import * as Log from "../subsystems/io/Log.ts"
import type * as LLM from "../subsystems/llm/LLM.ts"
import type * as Prompt from "../subsystems/llm/Prompt.ts"
import * as LLMContext from "../subsystems/memory/LLMContext.ts"
import type { AgentDefinition } from "./AgentDefinition.ts"
import { EndpointNotFound, NoModel, RunTimedOut } from "./AgentErrors.ts"
import type { AgentEvent, AgentEventBody } from "./AgentEvents.ts"
import { defaultModelOf, toolOf } from "./AgentTools.ts"
import type { RunResult } from "./Answer.ts"
import { compile, planKey, type Registry } from "./Compile.ts"
import * as Conversation from "./Conversation.ts"
import type { BadInput, Endpoint, EndpointRequest } from "./Endpoint.ts"
import { EventLog } from "./EventLog.ts"
import * as JobTable from "./JobTable.ts"
import type { InvalidAgent, Problem } from "./Problem.ts"
import type { AgentProgram, Plan } from "./Program.ts"
import { type Rest, type RoundsExceeded, start } from "./Run.ts"
import { openGate, type Overloaded, type ShuttingDown } from "./RunGate.ts"
import type { Say } from "./ToolCalls.ts"

export { EndpointNotFound, NoModel, RunTimedOut } from "./AgentErrors.ts"

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
  readonly method?: "GET" | "POST" | undefined
  /** Groups runs for the `session` scope of memory components; private to the caller. */
  readonly sessionId?: string | undefined
  /** Conversation of the caller this run is a tool call of. */
  readonly conversationId?: string | undefined
}

export type PromptError = AgentNotFound | NoModel | Access.AccessError | Conversation.ConversationError

export interface PromptRequest {
  readonly message: string
  readonly files?: ReadonlyArray<Prompt.FilePart> | undefined
  /** Continues the caller's conversation of this id; absent: one message without memory. No slashes. */
  readonly conversationId?: string | undefined
  /** Instead of the agent's own model. */
  readonly model?: string | LLM.ModelSpec | undefined
  /** Calls of tools in answer to this message. */
  readonly maxToolCalls?: number | undefined
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
  /** A turn of a conversation with the agent, whose exposed endpoints are the tools. Who stops reading stops it. */
  readonly prompt: (
    id: string,
    request: PromptRequest
  ) => Stream.Stream<Conversation.ConversationEvent, PromptError>
  /** What was said in the caller's conversation of that id. */
  readonly history: (
    id: string,
    conversationId: string
  ) => Effect.Effect<ReadonlyArray<Prompt.Message>, AgentNotFound | Access.AccessError | LLMContext.LLMContextError>
  readonly forget: (
    id: string,
    conversationId: string
  ) => Effect.Effect<void, AgentNotFound | Access.AccessError | LLMContext.LLMContextError>
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

/** Told to the model as the result of its call. */
class ToolFailed extends Data.TaggedError("ToolFailed")<{ readonly message: string }> {}

interface Entry extends LoadedAgent {
  readonly acl: Acl.Acl
  readonly program: AgentProgram
  readonly jobs: JobTable.JobTable
  /** Ends with the agent, and the jobs with it. */
  readonly lifetime: Scope.CloseableScope
  readonly candidate: Candidate.Candidate
}

const make = (options: AgentsOptions) =>
  Effect.gen(function*() {
    const guard = yield* Access.guard("Agents")
    const teamsOf = yield* Access.Teams
    const services = yield* Effect.context<Services>()
    const log = yield* Effect.serviceOption(Log.Log)
    const clock = yield* Effect.clock
    const scope = yield* Effect.scope
    const entries = yield* Ref.make<ReadonlyMap<string, Entry>>(new Map())
    const gate = yield* openGate(options.maxRuns ?? 1000, options.drainTimeout ?? "10 seconds")
    const runTimeout = Duration.decode(options.runTimeout ?? "5 minutes")
    const maxRounds = options.maxRounds ?? 100

    const visible = Effect.flatMap(
      Ref.get(entries),
      (all) => Effect.filter(all.values(), ({ acl }) => guard.permits(acl, "read"))
    )

    /** An agent one may not call is not told apart from one that does not exist. */
    const find = (operation: string, id: string): Effect.Effect<Entry, AgentNotFound | Access.AccessError> =>
      Effect.flatMap(Ref.get(entries), (all) => {
        const entry = all.get(id)
        return entry === undefined ? Effect.zipRight(guard.candidate(operation), unknown(id)) : Effect.as(
          Effect.catchTag(
            guard.check(entry.acl, { operation, level: "read", resource: id }),
            "AccessDenied",
            () => unknown(id)
          ),
          entry
        )
      })

    const unknown = (id: string) =>
      Effect.flatMap(visible, (all) => Effect.fail(new AgentNotFound({ id, available: all.map((one) => one.id) })))

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
      const runId = yield* Ids.make("run")
      const info: Component.RunInfo = {
        id: runId,
        sessionId: yield* callersOwn(request.sessionId ?? runId),
        workflowId: runId,
        conversationId: request.conversationId === undefined ? undefined : yield* callersOwn(request.conversationId),
        request: prepared
      }
      return { entry, plan, info }
    })

    /** Ids come from outside and are data: each caller has its own. A candidate has no space in it. */
    const callersOwn = (id: string) => Effect.map(Candidate.current, (caller) => `${Candidate.format(caller)} ${id}`)

    const execute = (
      { entry, info, plan }: { readonly entry: Entry; readonly plan: Plan; readonly info: Component.RunInfo },
      emit: ((event: AgentEventBody) => void) | undefined
    ): Effect.Effect<CallResult, Overloaded | ShuttingDown | RoundsExceeded | RunTimedOut> => {
      const started = { agentId: entry.id, endpoint: plan.endpoint.name, method: plan.endpoint.method }
      // What waits costs a fiber, a timer and the agent's context. A run of which nothing waits does not pay for them.
      const waited = (rest: Rest) =>
        rest.pipe(
          Effect.timeoutFail({
            duration: runTimeout,
            onTimeout: () => new RunTimedOut({ agent: entry.id, endpoint: plan.endpoint.name, after: runTimeout })
          }),
          Effect.provide(services),
          Candidate.as(entry.candidate)
        )
      return gate((stoppable) => {
        emit?.({ _tag: "RunStarted", ...started })
        return Effect.flatMap(
          start(entry.program, plan, { agent: entry.program.agent, run: info, emit, maxRounds, jobs: entry.jobs }),
          (begun) => Effect.isEffect(begun) ? waited(stoppable(begun)) : Effect.succeed(begun)
        )
      }).pipe(
        Effect.tap((result) => record(entry, plan, info, result)),
        traced("agent.run", { "agent.id": entry.id, "run.id": info.id }),
        Effect.map((result) => ({ ...result, runId: info.id }))
      )
    }

    const record = (entry: Entry, plan: Plan, info: Component.RunInfo, result: RunResult) =>
      Option.isNone(log) ? Effect.void : log.value.record({
        level: result.failed ? "warning" : "info",
        message: `${plan.endpoint.method} ${plan.endpoint.name} of ${entry.id} ${
          result.failed ? "failed" : "answered"
        }`,
        runId: info.id
      }).pipe(Effect.ignore, Candidate.as(entry.candidate))

    /** A call of a tool is a run of its own, within the conversation's agent. */
    const toolsOf = (entry: Entry, conversationId: string | undefined) =>
      Array.from(entry.program.plans.values()).filter(({ endpoint }) => endpoint.exposed).map((plan) => ({
        tool: toolOf(plan.endpoint),
        status: plan.endpoint.statusMessage,
        run: Effect.fnUntraced(function*(params: Readonly<Record<string, unknown>>, say: Say) {
          const request = yield* plan.endpoint.prepare({ body: params, query: params })
          const runId = yield* Ids.make("run")
          const sessionId = conversationId ?? runId
          const info = { id: runId, sessionId, workflowId: runId, conversationId, request }
          const { answer, failed } = yield* execute({ entry, plan, info }, (event) => {
            if (event._tag === "Content") say(event.kind, event.text)
          })
          return failed ? yield* new ToolFailed({ message: toText(answer) }) : answer
        })
      }))

    const open = Effect.fnUntraced(
      function*(id: string, { conversationId, files, message, ...request }: PromptRequest) {
        const entry = yield* find("prompt", id)
        const model = request.model === undefined
          ? defaultModelOf(entry.definition.document)
          : withoutVault(request.model)
        if (model === undefined) return yield* new NoModel({ agent: id })
        const kept = conversationId === undefined ? undefined : yield* callersOwn(conversationId)
        const conversation = yield* Conversation.make({
          model,
          system: entry.program.agent.behavior,
          tools: toolsOf(entry, kept),
          maxToolCalls: request.maxToolCalls,
          history: kept === undefined ? undefined : { id: kept }
        }).pipe(Candidate.as(entry.candidate))
        return Candidate.streamAs(conversation.prompt(message, files), entry.candidate)
      }
    )

    /** Something done to the caller's own conversation with an agent. */
    const withHistory = <A, E>(
      operation: string,
      id: string,
      conversationId: string,
      use: (context: typeof LLMContext.LLMContext.Service, key: string) => Effect.Effect<A, E>
    ) =>
      Effect.gen(function*() {
        const entry = yield* find(operation, id)
        const key = yield* callersOwn(conversationId)
        return yield* Candidate.as(use(Context.get(services, LLMContext.LLMContext), key), entry.candidate)
      })

    return Agents.of({
      load: Effect.fnUntraced(function*(definition) {
        const owner = yield* guard.candidate("load")
        const { program, warnings } = yield* compile(definition, options.components)
        const existing = (yield* Ref.get(entries)).get(definition.id)
        if (existing !== undefined) {
          yield* guard.check(existing.acl, { operation: "load", level: "owner", resource: definition.id })
        }
        const lifetime = existing?.lifetime ?? (yield* Scope.fork(scope, ExecutionStrategy.sequential))
        const candidate = Candidate.agent(definition.id)
        const teams = yield* teamsOf(candidate)
        // A document names the identity its parts will run as: only who belongs to the same team may bring it to life.
        if (teams.length > 0) {
          const mates = teams.map((id) => Candidate.team(id))
          yield* guard.check(Acl.ownedBy(candidate, ...mates), {
            operation: "load",
            level: "write",
            resource: definition.id
          })
        }
        const entry: Entry = {
          id: definition.id,
          name: program.agent.name,
          definition,
          program,
          lifetime,
          jobs: existing?.jobs ?? (yield* Scope.extend(JobTable.make, lifetime)),
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
        yield* Scope.close(entry.lifetime, Exit.void)
      }, traced("Agents.unload")),
      get: (id) => find("get", id),
      list: Effect.zipRight(guard.candidate("list"), visible),
      call: (id, request) => Effect.flatMap(prepare("call", id, request), (prepared) => execute(prepared, undefined)),
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
      prompt: (id, request) => Stream.provideContext(Stream.unwrap(open(id, request)), services),
      history: (id, conversationId) => withHistory("history", id, conversationId, (context, key) => context.load(key)),
      forget: (id, conversationId) => withHistory("forget", id, conversationId, (context, key) => context.clear(key)),
      running: Effect.zipRight(guard.candidate("running"), gate.count)
    })
  })

export const layer = (options: AgentsOptions): Layer.Layer<Agents, never, Services> =>
  Layer.scoped(Agents, make(options))

/** The agent's keys go to no address that a caller names. */
const withoutVault = (model: string | LLM.ModelSpec): string | LLM.ModelSpec =>
  typeof model === "string" || model.baseURL === undefined ? model : { apiKey: noKey, ...model }

const noKey = Redacted.make("")

const ownerOf = ({ acl }: Entry) => {
  const { id, role } = acl.grants[0]!
  return { id, role }
}

const planOf = ({ plans }: AgentProgram, { endpoint, method }: CallRequest): Plan | undefined =>
  method === undefined
    ? plans.get(planKey("POST", endpoint)) ?? plans.get(planKey("GET", endpoint))
    : plans.get(planKey(method, endpoint))
