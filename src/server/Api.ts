/** What the server answers, as data: paths, shapes and statuses. The document at `/openapi.json` is made of it. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import { Schema } from "effect"
import { EndpointNotFound, NoModel, RunStopped, RunTimedOut } from "../agents/Agents.ts"
import { BadInput } from "../agents/Endpoint.ts"
import { RoundsExceeded } from "../agents/Run.ts"
import { Overloaded, ShuttingDown } from "../agents/RunGate.ts"
import { AccessDenied } from "../security/Access.ts"
import { InvalidKey } from "../security/Address.ts"
import { AgentNotFound } from "../subsystems/io/AgentData.ts"
import { MissingCredentials } from "../subsystems/llm/LLM.ts"
import { ModelNotFound } from "../subsystems/llm/Models.ts"
import { ContextExceeded, ConversationFull } from "../subsystems/memory/LLMContext.ts"
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
  /** In place of the agent's own. */
  model: Schema.optionalWith(Schema.NonEmptyString, { exact: true })
})

const Document = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const AgentPath = Schema.Struct({ id: Schema.String })
const EndpointPath = Schema.Struct({ id: Schema.String, endpoint: Schema.String })
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
  .addError(wire(BadInput), { status: 400 })
  .addError(wire(EndpointNotFound), { status: 404 })
  .addError(wire(RoundsExceeded), { status: 422 })
  .addError(wire(RunTimedOut), { status: 504 })
  .addError(wire(RunStopped), { status: 409 })

const agents = HttpApiGroup.make("agents")
  .add(HttpApiEndpoint.get("list", "/agents").addSuccess(Schema.Struct({ agents: Schema.Array(Agent) })))
  .add(HttpApiEndpoint.get("get", "/agents/:id").setPath(AgentPath).addSuccess(Agent))
  .add(HttpApiEndpoint.get("openapi", "/agents/:id/openapi.json").setPath(AgentPath).addSuccess(Document))
  .add(
    HttpApiEndpoint.post("chat", "/agents/:id/chat").setPath(AgentPath).setPayload(ChatRequest).addSuccess(ChatAnswer)
      .addError(wire(InvalidKey), { status: 400 })
      .addError(wire(ContextExceeded), { status: 422 })
      .addError(wire(ConversationFull), { status: 422 })
      .addError(wire(MissingCredentials), { status: 422 })
      .addError(wire(ModelNotFound), { status: 422 })
      .addError(wire(NoModel), { status: 422 })
  )

const system = HttpApiGroup.make("system")
  .add(HttpApiEndpoint.get("health", "/health").addSuccess(Document))
  .add(HttpApiEndpoint.get("ready", "/ready").addSuccess(Document))
  .add(HttpApiEndpoint.get("document", "/openapi.json").addSuccess(Document))

export const Api = HttpApi.make("effect-sre")
  .add(calls.middleware(Identity))
  .add(agents.middleware(Identity))
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
