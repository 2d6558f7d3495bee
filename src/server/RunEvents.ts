/** Events of runs as frames, and what of them a client has had already. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect } from "effect"
import type { AgentEvent } from "../agents/AgentEvents.ts"
import * as Body from "./Body.ts"
import { MalformedRequest } from "./Failures.ts"
import type { Frame } from "./Sse.ts"

/** Its id is the number of the last event it stands for: who comes back with it misses nothing and gets nothing twice. */
export const frame = (event: AgentEvent): Frame => ({
  id: event.event._tag === "Gap" ? event.seq + event.event.missed - 1 : event.seq,
  event: event.event._tag,
  data: event
})

/** Of several runs together: there is no number to come back with. */
export const unnumbered = (event: AgentEvent): Frame => ({ event: event.event._tag, data: event })

export const idOf = ({ runId }: AgentEvent): Readonly<Record<string, string>> => ({ "x-run-id": runId })

/** The number to go on with: one after `Last-Event-ID`, which browsers send by themselves, else `?from=`, else the first. */
export const from = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<number, MalformedRequest> => {
  const last = request.headers["last-event-id"] ?? ""
  const asked = Body.query(request)["from"] ?? "0"
  return last !== ""
    ? Effect.map(numberOf(last, "the header Last-Event-ID"), (seq) => seq + 1)
    : numberOf(asked, "?from=")
}

/** A whole number of a query or header, at most fifteen digits. */
export const numberOf = (value: unknown, what: string): Effect.Effect<number, MalformedRequest> =>
  typeof value === "string" && /^\d{1,15}$/.test(value)
    ? Effect.succeed(Number(value))
    : Effect.fail(new MalformedRequest({ problem: `${what}: expected a whole number from 0, once` }))
