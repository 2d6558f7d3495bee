/** What the server answers, as data: paths, shapes and statuses. The document at `/openapi.json` is made of it. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import { Schema } from "effect"
import { ComponentNotFound, SignInRefused, TriggerFailed, TriggerNotFound } from "../agents/AgentErrors.ts"
import { RunInspection, RunSummary } from "../agents/AgentRun.ts"
import { EndpointNotFound, NoModel, RunNotFound, RunNotReady, RunStopped, RunTimedOut } from "../agents/Agents.ts"
import { BadInput } from "../agents/Endpoint.ts"
import { InvalidAgent } from "../agents/Problem.ts"
import { RoundsExceeded } from "../agents/Run.ts"
import { Overloaded, ShuttingDown } from "../agents/RunGate.ts"
import { TriggerInfo } from "../agents/Triggers.ts"
import { BadPayload, BadSignature, BadVerification } from "../components/Entry.ts"
import { AccessDenied } from "../security/Access.ts"
import { InvalidKey } from "../security/Address.ts"
import { AgentNotFound } from "../subsystems/io/AgentData.ts"
import { SignInFailed } from "../subsystems/io/McpSignIn.ts"
import { BudgetExceeded } from "../subsystems/llm/BudgetStore.ts"
import { ContextExceeded } from "../subsystems/llm/ContextWindow.ts"
import * as ConversationMemory from "../subsystems/llm/ConversationMemory.ts"
import { MissingCredentials } from "../subsystems/llm/LLM.ts"
import { ModelNotFound } from "../subsystems/llm/Models.ts"
import { ConversationFull } from "../subsystems/memory/LLMContext.ts"
import { InvalidState } from "../subsystems/memory/RuntimeContext.ts"
import * as Failures from "./Failures.ts"
import { Identity } from "./Identity.ts"

const { wire } = Failures

/** An agent as those see it who may call it. */
export const Agent = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  description: Schema.String,
  endpoints: Schema.Array(Schema.Struct({
    name: Schema.String,
    method: Schema.Literal("GET", "POST"),
    path: Schema.String,
    description: Schema.String,
    inputs: Schema.Array(Schema.Struct({
      name: Schema.String,
      type: Schema.String,
      required: Schema.Boolean,
      description: Schema.String
    }))
  }))
})
export type Agent = typeof Agent.Type

export const ChatRequest = Schema.Struct({
  message: Schema.NonEmptyString,
  /** Continues the asker's conversation of this id; without it each request is a conversation of its own. */
  conversationId: Schema.optionalWith(Schema.NonEmptyString.pipe(Schema.maxLength(256)), { exact: true }),
  /** What the agent remembers of the asker beyond the conversation, which has an id then. */
  memory: Schema.optionalWith(ConversationMemory.Options, { exact: true }),
  /** In place of the agent's own. */
  model: Schema.optionalWith(Schema.NonEmptyString, { exact: true })
})

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })
const Values = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const Ids = Schema.Array(Schema.String)
/** Outputs by component: `{ "C1": { "out": 1 } }`. */
const OutputsOf = Schema.Record({ key: Schema.String, value: Values })

/** For owners of the agent. `hold`: before its first step; `breakpoints`: in front of these components. */
const DebugOptions = Schema.Struct({
  hold: optional(Schema.Boolean),
  breakpoints: optional(Ids),
  mocks: optional(OutputsOf)
})

export const RunRequest = Schema.Struct({
  endpoint: Schema.NonEmptyString,
  method: optional(Schema.Literal("GET", "POST")),
  /** By name. */
  input: optional(Values),
  debug: optional(DebugOptions)
})
export const ComponentRunRequest = Schema.Struct({ inputs: optional(Values), debug: optional(DebugOptions) })
/** `into` and `over` run one step, a loop as many or as one. */
export const StepRequest = Schema.Struct({
  how: Schema.optionalWith(Schema.Literal("into", "over", "continue"), { default: () => "into" as const })
})
export const StopRequest = Schema.Struct({ reason: optional(Schema.String.pipe(Schema.maxLength(1000))) })
export const DebugRequest = Schema.Struct({
  breakpoints: optional(Ids),
  mocks: optional(OutputsOf),
  inject: optional(OutputsOf)
})
/** `redirectUrl`: where the browser is led to with the answer. Default: `/sign-in` of this server, as the client reached it. */
export const SignInRequest = Schema.Struct({
  redirectUrl: optional(Schema.String.pipe(Schema.maxLength(2048)))
})
/** `url`: the page to open in a browser, unless it is signed in already. */
const SignInBegun = Schema.Struct({ signedIn: Schema.Boolean, url: optional(Schema.String) })
export const ForkRequest = Schema.Struct({ component: Schema.NonEmptyString })

const Document = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const AgentPath = Schema.Struct({ id: Schema.String })
const EndpointPath = Schema.Struct({ id: Schema.String, endpoint: Schema.String })
const RunPath = Schema.Struct({ id: Schema.String, run: Schema.String })
const ComponentPath = Schema.Struct({ id: Schema.String, component: Schema.String })
const TriggerPath = Schema.Struct({ id: Schema.String, trigger: Schema.String })
const TriggerName = Schema.Struct({ trigger: Schema.String })
const FilePath = Schema.Struct({ role: Schema.String, id: Schema.String, file: Schema.String })
const EndpointName = Schema.Struct({ endpoint: Schema.String })

/** Any JSON. A run of which every part failed answers 422 with the same body. With `Accept: text/event-stream`: its events. */
const Answer = Schema.Unknown.annotations({ description: "What the agent answers" })
const ChatAnswer = Schema.Struct({ text: Schema.String })

/** The endpoints of agents. Bodies and answers are theirs: no schema of this API touches them. */
const calls = HttpApiGroup.make("calls")
  .add(HttpApiEndpoint.get("get", "/agents/:id/api/:endpoint").setPath(EndpointPath).addSuccess(Answer))
  .add(HttpApiEndpoint.post("post", "/agents/:id/api/:endpoint").setPath(EndpointPath).addSuccess(Answer))
  /** The agent is named by the header `X-AGENT-ID`. `/v1.2/api/…` is understood as well. */
  .add(HttpApiEndpoint.get("getOfHeader", "/api/:endpoint").setPath(EndpointName).addSuccess(Answer))
  .add(HttpApiEndpoint.post("postOfHeader", "/api/:endpoint").setPath(EndpointName).addSuccess(Answer))
  /** Steps of a debugged run, which the header `X-DEBUG-RUN` names. */
  .add(HttpApiEndpoint.get("getSession", "/agents/:id/api/").setPath(AgentPath).addSuccess(Answer))
  .add(HttpApiEndpoint.post("postSession", "/agents/:id/api/").setPath(AgentPath).addSuccess(Answer))
  .add(HttpApiEndpoint.get("getSessionOfHeader", "/api/").addSuccess(Answer))
  .add(HttpApiEndpoint.post("postSessionOfHeader", "/api/").addSuccess(Answer))
  .addError(wire(BadInput), { status: 400 })
  .addError(wire(InvalidKey), { status: 400 })
  .addError(wire(ComponentNotFound), { status: 404 })
  .addError(wire(EndpointNotFound), { status: 404 })
  .addError(wire(RunNotFound), { status: 404 })
  .addError(wire(InvalidState), { status: 409 })
  .addError(wire(RunNotReady), { status: 409 })
  .addError(wire(RunStopped), { status: 409 })
  .addError(wire(RoundsExceeded), { status: 422 })
  .addError(wire(RunTimedOut), { status: 504 })

/** Runs, for whoever asked for them and for owners of the agent. */
const runs = HttpApiGroup.make("runs")
  .add(
    HttpApiEndpoint.post("start", "/agents/:id/runs").setPath(AgentPath).setPayload(RunRequest)
      .addSuccess(RunSummary, { status: 202 })
  )
  .add(
    HttpApiEndpoint.post("startComponent", "/agents/:id/components/:component/runs").setPath(ComponentPath)
      .setPayload(ComponentRunRequest).addSuccess(RunSummary, { status: 202 })
  )
  .add(
    HttpApiEndpoint.get("list", "/agents/:id/runs").setPath(AgentPath)
      .addSuccess(Schema.Struct({ runs: Schema.Array(RunSummary) }))
  )
  .add(HttpApiEndpoint.get("get", "/agents/:id/runs/:run").setPath(RunPath).addSuccess(RunSummary))
  /** For owners: the values in it. */
  .add(HttpApiEndpoint.get("inspect", "/agents/:id/runs/:run/inspection").setPath(RunPath).addSuccess(RunInspection))
  /** Waits `?wait=` seconds, 30 when absent and 60 at most; 202 with the summary when it is still under way then. */
  .add(HttpApiEndpoint.get("result", "/agents/:id/runs/:run/result").setPath(RunPath).addSuccess(Answer))
  /** Server-sent events from `Last-Event-ID` or `?from=` on; 204 when the run is over and none is left. */
  .add(HttpApiEndpoint.get("events", "/agents/:id/runs/:run/events").setPath(RunPath).addSuccess(Answer))
  .add(HttpApiEndpoint.post("pause", "/agents/:id/runs/:run/pause").setPath(RunPath).addSuccess(RunSummary))
  .add(HttpApiEndpoint.post("resume", "/agents/:id/runs/:run/resume").setPath(RunPath).addSuccess(RunSummary))
  .add(
    HttpApiEndpoint.post("step", "/agents/:id/runs/:run/step").setPath(RunPath).setPayload(StepRequest)
      .addSuccess(RunSummary)
  )
  .add(
    HttpApiEndpoint.post("stop", "/agents/:id/runs/:run/stop").setPath(RunPath).setPayload(StopRequest)
      .addSuccess(RunSummary)
  )
  /** For owners, like the rest. */
  .add(
    HttpApiEndpoint.post("debug", "/agents/:id/runs/:run/debug").setPath(RunPath).setPayload(DebugRequest)
      .addSuccess(RunInspection)
  )
  .add(
    HttpApiEndpoint.post("fork", "/agents/:id/fork").setPath(AgentPath).setPayload(ForkRequest)
      .addSuccess(Agent, { status: 201 })
  )
  /** Server-sent events of all runs; with `?format=smyth` as clients of older systems read them. */
  .add(HttpApiEndpoint.get("monitor", "/agents/:id/monitor").setPath(AgentPath).addSuccess(Answer))
  .addError(wire(BadInput), { status: 400 })
  .addError(wire(InvalidKey), { status: 400 })
  .addError(wire(ComponentNotFound), { status: 404 })
  .addError(wire(EndpointNotFound), { status: 404 })
  .addError(wire(RunNotFound), { status: 404 })
  .addError(wire(InvalidState), { status: 409 })
  .addError(wire(RunNotReady), { status: 409 })
  .addError(wire(RunStopped), { status: 409 })
  .addError(wire(InvalidAgent), { status: 422 })
  .addError(wire(RoundsExceeded), { status: 422 })
  .addError(wire(RunTimedOut), { status: 504 })

const agents = HttpApiGroup.make("agents")
  .add(HttpApiEndpoint.get("list", "/agents").addSuccess(Schema.Struct({ agents: Schema.Array(Agent) })))
  .add(HttpApiEndpoint.get("get", "/agents/:id").setPath(AgentPath).addSuccess(Agent))
  .add(HttpApiEndpoint.get("openapi", "/agents/:id/openapi.json").setPath(AgentPath).addSuccess(Document))
  .add(
    HttpApiEndpoint.post("chat", "/agents/:id/chat").setPath(AgentPath).setPayload(ChatRequest).addSuccess(ChatAnswer)
      .addError(wire(InvalidKey), { status: 400 })
      .addError(wire(ConversationMemory.InvalidMemory), { status: 400 })
      .addError(wire(BudgetExceeded), { status: 429 })
      .addError(wire(ContextExceeded), { status: 422 })
      .addError(wire(ConversationFull), { status: 422 })
      .addError(wire(MissingCredentials), { status: 422 })
      .addError(wire(ModelNotFound), { status: 422 })
      .addError(wire(NoModel), { status: 422 })
  )

/** For owners: a trigger starts runs from its registration on. */
const triggers = HttpApiGroup.make("triggers")
  .add(
    HttpApiEndpoint.get("list", "/agents/:id/triggers").setPath(AgentPath)
      .addSuccess(Schema.Struct({ triggers: Schema.Array(TriggerInfo) }))
  )
  .add(HttpApiEndpoint.put("register", "/agents/:id/triggers/:trigger").setPath(TriggerPath).addSuccess(TriggerInfo))
  .add(HttpApiEndpoint.del("unregister", "/agents/:id/triggers/:trigger").setPath(TriggerPath).addSuccess(TriggerInfo))
  .addError(wire(InvalidKey), { status: 400 })
  .addError(wire(TriggerNotFound), { status: 404 })
  .addError(wire(TriggerFailed), { status: 422 })

/** Where others send what starts runs. Nobody has to be known: the trigger judges the request, by its signature as a rule. */
const hooks = HttpApiGroup.make("hooks")
  .add(HttpApiEndpoint.get("get", "/agents/:id/trigger/:trigger").setPath(TriggerPath).addSuccess(Answer))
  .add(HttpApiEndpoint.post("post", "/agents/:id/trigger/:trigger").setPath(TriggerPath).addSuccess(Answer))
  /** The agent is named by the header `X-AGENT-ID`. `/v1.2/trigger/…` is understood as well. */
  .add(HttpApiEndpoint.get("getOfHeader", "/trigger/:trigger").setPath(TriggerName).addSuccess(Answer))
  .add(HttpApiEndpoint.post("postOfHeader", "/trigger/:trigger").setPath(TriggerName).addSuccess(Answer))
  .addError(wire(BadPayload), { status: 400 })
  .addError(wire(InvalidKey), { status: 400 })
  .addError(wire(BadSignature), { status: 401 })
  .addError(wire(BadVerification), { status: 403 })
  .addError(wire(TriggerNotFound), { status: 404 })
  .addError(wire(RunStopped), { status: 409 })
  .addError(wire(RoundsExceeded), { status: 422 })
  .addError(wire(RunTimedOut), { status: 504 })

/** For owners: a component's sign-in, with a browser. */
const signIns = HttpApiGroup.make("signIns")
  .add(
    HttpApiEndpoint.post("begin", "/agents/:id/components/:component/sign-in").setPath(ComponentPath)
      .setPayload(SignInRequest).addSuccess(SignInBegun)
      .addError(wire(InvalidKey), { status: 400 })
      .addError(wire(ComponentNotFound), { status: 404 })
      .addError(wire(SignInRefused), { status: 422 })
  )

/** Where a browser is led to after a sign-in. Nobody has to be known: the state in the address proves whose it is, once. */
const signInReturns = HttpApiGroup.make("signInReturns")
  .add(HttpApiEndpoint.get("finish", "/sign-in").addSuccess(Answer).addError(wire(SignInFailed), { status: 400 }))

/** Files that agents share: whoever has the address may fetch them while it works. */
const files = HttpApiGroup.make("files")
  .add(HttpApiEndpoint.get("get", "/storage/:role/:id/:file").setPath(FilePath).addSuccess(Answer))

const system = HttpApiGroup.make("system")
  .add(HttpApiEndpoint.get("health", "/health").addSuccess(Document))
  .add(HttpApiEndpoint.get("ready", "/ready").addSuccess(Document))
  /** The same for Prometheus. */
  .add(HttpApiEndpoint.get("metrics", "/metrics").addSuccess(Answer))
  .add(HttpApiEndpoint.get("document", "/openapi.json").addSuccess(Document))

export const Api = HttpApi.make("effect-sre")
  .add(calls.middleware(Identity))
  .add(runs.middleware(Identity))
  .add(agents.middleware(Identity))
  .add(triggers.middleware(Identity))
  .add(signIns.middleware(Identity))
  .add(signInReturns)
  .add(hooks)
  .add(files)
  .add(system)
  .addError(wire(Failures.MalformedRequest), { status: 400 })
  .addError(wire(AccessDenied), { status: 403 })
  .addError(wire(Failures.ForeignRequest), { status: 403 })
  .addError(wire(AgentNotFound), { status: 404 })
  .addError(wire(Failures.RouteNotFound), { status: 404 })
  .addError(wire(Failures.MethodNotAllowed), { status: 405 })
  .addError(wire(Failures.BodyTooLarge), { status: 413 })
  .addError(wire(Failures.UnsupportedContentType), { status: 415 })
  .addError(wire(Failures.RateLimited), { status: 429 })
  .addError(wire(Overloaded), { status: 429 })
  .addError(wire(Failures.InternalError), { status: 500 })
  .addError(wire(Failures.Unavailable), { status: 503 })
  .addError(wire(ShuttingDown), { status: 503 })
  .addError(wire(Failures.Timeout), { status: 504 })
  .annotate(OpenApi.Title, "effect-sre")
  .annotate(OpenApi.Description, "Agents over HTTP")
