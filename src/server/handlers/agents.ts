/** Which agents there are, what they offer, and talking to them. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Option } from "effect"
import * as AgentDefinition from "../../agents/AgentDefinition.ts"
import { Agents, type LoadedAgent } from "../../agents/Agents.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Conversation from "../../subsystems/llm/Conversation.ts"
import * as AgentOpenApi from "../AgentOpenApi.ts"
import { type Agent, Api, ChatRequest } from "../Api.ts"
import * as Body from "../Body.ts"
import { outside } from "../Failures.ts"
import { asAsker } from "../Identity.ts"
import * as Sse from "../Sse.ts"
import { accepts } from "./calls.ts"

export const layer = (maxBodyBytes: number) =>
  HttpApiBuilder.group(Api, "agents", (handlers) =>
    Effect.map(Agents, (agents) =>
      handlers
        .handle("list", () => asAsker(() => outside(Effect.map(agents.list, (all) => ({ agents: all.map(summary) })))))
        .handle("get", ({ path }) => asAsker(() => outside(Effect.map(agents.get(path.id), summary))))
        .handle("openapi", ({ path, request }) =>
          asAsker(() =>
            outside(
              Effect.map(
                agents.get(path.id),
                (agent) => AgentOpenApi.make(agent, { serverUrl: `${originOf(request)}${homeOf(agent)}` })
              )
            )
          ))
        .handleRaw("chat", ({ path, request }) =>
          asAsker((asker) =>
            Effect.gen(function*() {
              const chat = yield* chatRequest(request, maxBodyBytes)
              const events = Candidate.streamAs(agents.prompt(path.id, chat), asker)
              if (accepts(request, "application/json") && !accepts(request, "text/event-stream")) {
                return HttpServerResponse.unsafeJson({ text: yield* Conversation.answerOf(events) })
              }
              return yield* Sse.response(events, (event) => ({ event: event.type, data: event }))
            }).pipe(outside)
          ))))

const chatRequest = Body.decode(ChatRequest)

export const summary = (agent: LoadedAgent): Agent => ({
  id: agent.id,
  name: agent.name,
  description: AgentDefinition.agentInfo(agent.definition, {}).behavior,
  endpoints: agent.endpoints.map(({ description, inputs, method, name }) => ({
    name,
    method,
    path: `${homeOf(agent)}/api/${name}`,
    description,
    inputs: inputs.map(({ description, name, required, type }) => ({ name, type, required, description }))
  }))
})

const homeOf = ({ id }: LoadedAgent) => `/agents/${encodeURIComponent(id)}`

/** As the client reached this server. */
export const originOf = (request: HttpServerRequest.HttpServerRequest) =>
  Option.match(HttpServerRequest.toURL(request), { onNone: () => "", onSome: ({ origin }) => origin })
