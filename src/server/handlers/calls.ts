/** The endpoints of agents. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Exit, Option, Stream } from "effect"
import type { AgentDefinition } from "../../agents/AgentDefinition.ts"
import { Agents, type CallRequest, type CallResult, type EndpointNotFound } from "../../agents/Agents.ts"
import * as Json from "../../kernel/Json.ts"
import * as Candidate from "../../security/Candidate.ts"
import { withoutCredentials } from "../../security/CredentialHeaders.ts"
import { Api } from "../Api.ts"
import * as Body from "../Body.ts"
import * as DebugHeaders from "../DebugHeaders.ts"
import { MalformedRequest, MethodNotAllowed, outside } from "../Failures.ts"
import { asAsker, Identity } from "../Identity.ts"
import type { Monitors } from "../Monitors.ts"
import * as RunEvents from "../RunEvents.ts"
import * as Sse from "../Sse.ts"

export const layer = (maxBodyBytes: number, monitors: Monitors) =>
  HttpApiBuilder.group(Api, "calls", (handlers) =>
    Effect.map(Agents, (agents) => {
      const answer = answering(agents, maxBodyBytes, monitors)
      const ofHeader =
        (method: "GET" | "POST") =>
        ({ path, request }: { readonly path?: { readonly endpoint: string }; readonly request: Request }) => {
          const id = request.headers["x-agent-id"]
          return id === undefined || id === ""
            ? Effect.fail(new MalformedRequest({ problem: "the header X-AGENT-ID, the id of an agent, is missing" }))
            : asAsker((asker) => answer(asker, id, path?.endpoint ?? "", method, request))
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
        // Steps of a debugged run name no endpoint.
        .handleRaw("getSession", ({ path, request }) =>
          asAsker((asker) => answer(asker, path.id, "", "GET", request)))
        .handleRaw(
          "postSession",
          ({ path, request }) => asAsker((asker) => answer(asker, path.id, "", "POST", request))
        )
        .handleRaw("getSessionOfHeader", ofHeader("GET"))
        .handleRaw("postSessionOfHeader", ofHeader("POST"))
    }))

type Request = HttpServerRequest.HttpServerRequest

/**
 * The same calls without a walk through router and schemas, which cost more than the call itself. Takes requests with a path
 * of plain characters, as nearly all have; there is nothing to decode in it. Gives `undefined` for all others.
 */
export const direct = Effect.fnUntraced(function*(maxBodyBytes: number, monitors: Monitors) {
  const answer = answering(yield* Agents, maxBodyBytes, monitors)
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
  (agents: typeof Agents.Service, maxBodyBytes: number, monitors: Monitors) =>
  (asker: Candidate.Candidate, id: string, endpoint: string, method: "GET" | "POST", request: Request) =>
    Effect.gen(function*() {
      const { headers } = request
      const query = Body.query(request)
      const body = method === "GET" ? undefined : yield* Body.read(request, maxBodyBytes)
      const call: CallRequest = { endpoint, method, query, body, ...contextOf(request) }
      if (DebugHeaders.areIn(headers)) {
        const debugged = yield* DebugHeaders.answer(agents, id, headers, call)
        if (Option.isSome(debugged)) {
          return HttpServerResponse.raw(json(debugged.value), { contentType: "application/json" })
        }
      }
      const monitor = headers["x-monitor-id"]
      const isFollowed = monitors.follows(monitor, asker, id)
      const follow = (run: string) => monitors.add(monitor!, asker, { agent: id, run })
      if (accepts(request, "text/event-stream")) {
        const events = Candidate.streamAs(agents.stream(id, call), asker)
        const told = isFollowed
          ? Stream.tap(events, ({ runId, seq }) => seq === 0 ? follow(runId) : Effect.void)
          : events
        return yield* Sse.response(told, RunEvents.frame, RunEvents.idOf)
      }
      const result = isFollowed ? yield* followed(agents, id, call, follow) : yield* agents.call(id, call)
      return yield* respond(agents, id, result)
    }).pipe(
      Effect.catchTag("EndpointNotFound", (error) => Effect.fail(otherMethod(error) ?? error)),
      outside
    )

/** A call whose run has events. */
const followed = (
  agents: typeof Agents.Service,
  agent: string,
  call: CallRequest,
  follow: (run: string) => Effect.Effect<unknown>
) =>
  Effect.acquireUseRelease(
    agents.start(agent, call),
    ({ id: run }) => Effect.zipRight(follow(run), agents.result({ agent, run })),
    ({ id: run }, exit) =>
      Exit.isInterrupted(exit)
        ? Effect.ignore(agents.stop({ agent, run }, "whoever waited for it went away"))
        : Effect.void
  )

/** Ids a caller may choose are its own: the process table keeps them apart from those of others. */
export const contextOf = ({ headers }: Request) => {
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

/** What a call comes to; also for who waited for the result of a run. */
export const respond = (agents: typeof Agents.Service, agent: string, result: CallResult) =>
  typeof result.answer === "string"
    ? Effect.map(agents.get(agent), ({ definition }) => response(result, textType(definition)))
    : Effect.succeed(response(result))

/** As text and not as bytes: Node sends it in one packet with the headers. */
export const response = ({ answer, failed, runId }: CallResult, textType?: string) => {
  const text = textType === undefined ? json(answer) : answer as string
  return HttpServerResponse.raw(text, {
    status: failed ? 422 : 200,
    contentType: textType ?? "application/json",
    contentLength: Buffer.byteLength(text),
    headers: { "x-run-id": runId }
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
