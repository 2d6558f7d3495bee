/**
 * Events of runs as the frames that clients of older systems read: `agent` and `component` with `callStart` and `callStop`,
 * `component` with `log`, and `llm/passthrough/…`. Asked for with `?format=smyth`. As events hold no values, outputs are told
 * by name and size.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect, Stream } from "effect"
import type { AgentEvent } from "../agents/AgentEvents.ts"
import * as Body from "./Body.ts"
import { MalformedRequest } from "./Failures.ts"
import type { Frame } from "./Sse.ts"

export const isAsked = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<boolean, MalformedRequest> => {
  const { format = "events" } = Body.query(request)
  return format === "smyth" || format === "events"
    ? Effect.succeed(format === "smyth")
    : Effect.fail(new MalformedRequest({ problem: "?format=: expected \"smyth\" or \"events\"" }))
}

export const translate = <E, R>(events: Stream.Stream<AgentEvent, E, R>): Stream.Stream<Frame, E, R> =>
  Stream.suspend(() => {
    const calls = new Calls()
    return Stream.mapConcat(events, (event) => frames(event, calls))
  })

const frames = ({ event, runId, time }: AgentEvent, calls: Calls): ReadonlyArray<Frame> => {
  switch (event._tag) {
    case "RunStarted": {
      const { agentId, endpoint } = event
      const call = { eventId: idOf(runId), endpointPath: `/api/${endpoint}`, id: agentId, name: agentId }
      return [calls.start("agent", call, time)]
    }
    case "RunEnded":
      return calls.stop(idOf(runId), time, { result: event.answer })
    case "RunFailed":
      return calls.stop(idOf(runId), time, { error: event.message })
    case "StepStarted": {
      const { componentId, key, title } = event
      const call = { eventId: idOf(runId, key), sourceId: runId, id: componentId, name: title, title }
      return [calls.start("component", call, time)]
    }
    case "StepEnded": {
      const output = Object.fromEntries(event.outputs.map(({ bytes, name }) => [name, `${bytes} bytes`]))
      return calls.stop(idOf(runId, event.key), time, { output })
    }
    case "StepFailed":
      return calls.stop(idOf(runId, event.key), time, { output: { _error: event.error } })
    case "Logged": {
      const { key, level, message, title } = event
      const eventId = idOf(runId, key)
      return [{ event: "component", data: { eventId, action: "log", name: title, title, logs: [{ level, message }] } }]
    }
    case "Content":
      return event.text === "" ? [] : [{ event: `llm/passthrough/${event.kind}`, text: event.text }]
    case "Gap":
      return [{ event: "gap", data: { missed: event.missed } }]
    default:
      return []
  }
}

/** Shared by the start, the logs and the stop of one call. */
const idOf = (runId: string, key?: string) => key === undefined ? `e-${runId}` : `e-${runId}/${key}`

interface Call {
  readonly eventId: string
  readonly [field: string]: unknown
}

/** Calls under way, for what their stops repeat. */
class Calls {
  readonly #open = new Map<string, { readonly type: "agent" | "component"; readonly call: Call; readonly at: number }>()

  start(type: "agent" | "component", call: Call, at: number): Frame {
    // Where stops were lost in a gap, the oldest are given up.
    if (this.#open.size >= maxOpen) this.#open.delete(this.#open.keys().next().value!)
    this.#open.set(call.eventId, { type, call, at })
    return { event: type, data: { ...call, action: "callStart", startTime: at } }
  }

  /** Nothing when nobody was told of the start. */
  stop(eventId: string, endTime: number, more: Readonly<Record<string, unknown>>): ReadonlyArray<Frame> {
    const started = this.#open.get(eventId)
    if (started === undefined) return []
    this.#open.delete(eventId)
    const { at: startTime, call, type } = started
    const times = { startTime, endTime, duration: endTime - startTime }
    return [{ event: type, data: { ...call, action: "callStop", ...times, ...more } }]
  }
}

const maxOpen = 10_000
