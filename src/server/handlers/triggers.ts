/** Triggers: their registration, and what comes in for them from outside. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import { Agents } from "../../agents/Agents.ts"
import type { Reception } from "../../agents/Triggers.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Api } from "../Api.ts"
import * as Body from "../Body.ts"
import { MalformedRequest, outside, Unavailable } from "../Failures.ts"
import { asAsker } from "../Identity.ts"
import { response } from "./calls.ts"

export const layer = HttpApiBuilder.group(Api, "triggers", (handlers) =>
  Effect.map(Agents, (agents) =>
    handlers
      .handle(
        "list",
        ({ path }) => asAsker(() => outside(Effect.map(agents.triggers(path.id), (triggers) => ({ triggers }))))
      )
      .handle("register", ({ path }) => asAsker(() => outside(agents.register(path.id, path.trigger))))
      .handle("unregister", ({ path }) => asAsker(() => outside(agents.unregister(path.id, path.trigger))))))

type Request = HttpServerRequest.HttpServerRequest

export const hooks = (maxBodyBytes: number) =>
  HttpApiBuilder.group(Api, "hooks", (handlers) =>
    Effect.map(Agents, (agents) => {
      const receive = (id: string, trigger: string, method: "GET" | "POST", request: Request) =>
        Effect.gen(function*() {
          const reception = yield* agents.receive(id, trigger, {
            method,
            headers: request.headers as Readonly<Record<string, string>>,
            query: Body.query(request),
            body: method === "GET" ? noBody : yield* Body.bytesOf(request, maxBodyBytes)
          })
          return answer(reception)
        }).pipe(
          // What is wrong with a trigger is no business of those who send to it.
          Effect.catchTag(
            "TriggerFailed",
            ({ message }) => Effect.zipRight(Effect.logWarning(message), Effect.fail(new Unavailable()))
          ),
          outside,
          Candidate.as(Candidate.anyone)
        )
      const ofHeader =
        (method: "GET" | "POST") =>
        ({ path, request }: { readonly path: { readonly trigger: string }; readonly request: Request }) => {
          const id = request.headers["x-agent-id"]
          return id === undefined || id === ""
            ? Effect.fail(new MalformedRequest({ problem: "the header X-AGENT-ID, the id of an agent, is missing" }))
            : receive(id, path.trigger, method, request)
        }
      return handlers
        .handleRaw("get", ({ path, request }) => receive(path.id, path.trigger, "GET", request))
        .handleRaw("post", ({ path, request }) => receive(path.id, path.trigger, "POST", request))
        .handleRaw("getOfHeader", ofHeader("GET"))
        .handleRaw("postOfHeader", ofHeader("POST"))
    }))

const noBody = new Uint8Array()

const answer = ({ duplicates, reply, result, runs }: Reception) =>
  result !== undefined
    ? response(result)
    : reply !== undefined
    ? HttpServerResponse.raw(reply.body, { status: reply.status, contentType: reply.contentType })
    : HttpServerResponse.unsafeJson({ accepted: runs.length, duplicates }, { status: 202 })
