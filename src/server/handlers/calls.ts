/** The endpoints of agents. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import type { AgentDefinition } from "../../agents/AgentDefinition.ts"
import { Agents, type CallRequest, type CallResult, type EndpointNotFound } from "../../agents/Agents.ts"
import * as Json from "../../kernel/Json.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Api } from "../Api.ts"
import * as Body from "../Body.ts"
import { MalformedRequest, MethodNotAllowed, outside } from "../Failures.ts"
import { asAsker, Identity, withoutCredentials } from "../Identity.ts"
import * as Sse from "../Sse.ts"

export const layer = (maxBodyBytes: number) =>
  HttpApiBuilder.group(Api, "calls", (handlers) =>
    Effect.map(Agents, (agents) => {
      const answer = answering(agents, maxBodyBytes)
      const ofHeader =
        (method: "GET" | "POST") =>
        ({ path, request }: { readonly path: { readonly endpoint: string }; readonly request: Request }) => {
          const id = request.headers["x-agent-id"]
          return id === undefined || id === ""
            ? Effect.fail(new MalformedRequest({ problem: "the header X-AGENT-ID, the id of an agent, is missing" }))
            : asAsker((asker) => answer(asker, id, path.endpoint, method, request))
        }
      return handlers
        .handleRaw("get", ({ path, request }) =>
          asAsker((asker) => answer(asker, path.id, path.endpoint, "GET", request)))
        .handleRaw("post", ({ path, request }) =>
          asAsker((asker) =>
            answer(asker, path.id, path.endpoint, "POST", request)
          ))
        .handleRaw("getOfHeader", ofHeader("GET"))
        .handleRaw("postOfHeader", ofHeader("POST"))
    }))

type Request = HttpServerRequest.HttpServerRequest

/**
 * The same calls without a walk through router and schemas, which cost more than the call itself. Takes requests with a path
 * of plain characters, as nearly all have; there is nothing to decode in it. Gives `undefined` for all others.
 */
export const direct = Effect.fnUntraced(function*(maxBodyBytes: number) {
  const answer = answering(yield* Agents, maxBodyBytes)
  const whoAsks = yield* Identity
  return (request: Request) => {
    const { method } = request
    if (method !== "GET" && method !== "POST") return undefined
    const path = plainPath.exec(request.url)
    return path === null
      ? undefined
      : Effect.flatMap(whoAsks, (asker) => Candidate.as(answer(asker, path[1]!, path[2]!, method, request), asker))
  }
})

const plainPath = /^\/agents\/([\w-]{1,100})\/api\/([\w-]{1,100})(?=$|\?)/

const answering =
  (agents: typeof Agents.Service, maxBodyBytes: number) =>
  (asker: Candidate.Candidate, id: string, endpoint: string, method: "GET" | "POST", request: Request) =>
    Effect.gen(function*() {
      const query = Body.query(request)
      const body = method === "GET" ? undefined : yield* Body.read(request, maxBodyBytes)
      const call: CallRequest = { endpoint, method, query, body, ...contextOf(request) }
      if (accepts(request, "text/event-stream")) {
        return yield* Sse.response(Candidate.streamAs(agents.stream(id, call), asker), (event) => ({
          id: event.seq,
          event: event.event._tag,
          data: event
        }))
      }
      const result = yield* agents.call(id, call)
      const text = typeof result.answer === "string"
        ? textType((yield* agents.get(id)).definition)
        : undefined
      return respond(result, text)
    }).pipe(
      Effect.catchTag("EndpointNotFound", (error) => Effect.fail(otherMethod(error) ?? error)),
      outside
    )

/** Ids a caller may choose are its own: the process table keeps them apart from those of others. */
const contextOf = ({ headers }: Request) => {
  const sessionId = headers["x-caller-session-id"]
  const conversationId = headers["x-conversation-id"]
  return {
    headers: withoutCredentials(headers),
    ...(sessionId === undefined ? {} : { sessionId: sessionId.slice(0, 256) }),
    ...(conversationId === undefined ? {} : { conversationId: conversationId.slice(0, 256) })
  }
}

export const accepts = ({ headers }: Request, type: string): boolean => headers["accept"]?.includes(type) ?? false

const otherMethod = ({ available, endpoint, method }: EndpointNotFound): MethodNotAllowed | undefined => {
  const other = method === "GET" ? "POST" : "GET"
  return available.includes(`${other} ${endpoint}`) ? new MethodNotAllowed({ method, allow: [other] }) : undefined
}

/** As text and not as bytes: Node sends it in one packet with the headers. */
const respond = ({ answer, failed }: CallResult, textType: string | undefined) => {
  const text = textType === undefined ? json(answer) : answer as string
  return HttpServerResponse.raw(text, {
    status: failed ? 422 : 200,
    contentType: textType ?? "application/json",
    contentLength: Buffer.byteLength(text)
  })
}

/** Answers are not checked against any schema; what JSON cannot hold becomes text instead of an error. */
const json = (answer: unknown): string => {
  try {
    return JSON.stringify(answer) ?? "null"
  } catch {
    return Json.stringify(answer)
  }
}

/** The content type of bare text: what the agent's `APIOutput`s say, when they agree on one that is not JSON. */
const textType = ({ document }: AgentDefinition): string | undefined => {
  const types = new Set(
    document.components.filter(({ name }) => name === "APIOutput").map(({ data }) => data?.["contentType"])
  )
  const [type] = types
  return types.size === 1 && typeof type === "string" && textTypes.has(type) ? `${type}; charset=utf-8` : undefined
}

const textTypes: ReadonlySet<string> = new Set(["text/plain", "text/html", "application/xml"])
