/** Runs of agents: started, watched, held, changed and stopped. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Option, Stream } from "effect"
import { Agents, type RunSummary } from "../../agents/Agents.ts"
import * as Json from "../../kernel/Json.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Api, ComponentRunRequest, DebugRequest, ForkRequest, RunRequest, StepRequest, StopRequest } from "../Api.ts"
import * as Body from "../Body.ts"
import { outside } from "../Failures.ts"
import { asAsker } from "../Identity.ts"
import type { Monitors } from "../Monitors.ts"
import * as RunEvents from "../RunEvents.ts"
import * as SmythFrames from "../SmythFrames.ts"
import * as Sse from "../Sse.ts"
import * as agentsOf from "./agents.ts"
import { contextOf, respond } from "./calls.ts"

export const layer = (maxBodyBytes: number, monitors: Monitors) =>
  HttpApiBuilder.group(Api, "runs", (handlers) =>
    Effect.map(Agents, (agents) =>
      handlers
        .handleRaw("start", ({ path, request }) =>
          asAsker(() =>
            outside(Effect.gen(function*() {
              const { debug, endpoint, input, method } = yield* runRequest(request, maxBodyBytes)
              const given = { body: input, query: input, ...contextOf(request) }
              return accepted(yield* agents.start(path.id, { endpoint, method, debug, ...given }))
            }))
          ))
        .handleRaw("startComponent", ({ path, request }) =>
          asAsker(() =>
            outside(Effect.gen(function*() {
              const { debug, inputs } = yield* componentRequest(request, maxBodyBytes)
              return accepted(yield* agents.startComponent(path.id, { component: path.component, inputs, debug }))
            }))
          ))
        .handle("list", ({ path }) => asAsker(() => outside(Effect.map(agents.runs(path.id), (runs) => ({ runs })))))
        .handle("get", ({ path }) => asAsker(() => outside(agents.summary(refOf(path)))))
        .handleRaw("inspect", ({ path }) => asAsker(() => outside(Effect.map(agents.inspect(refOf(path)), json()))))
        .handleRaw("result", ({ path, request }) =>
          asAsker(() =>
            outside(Effect.gen(function*() {
              const ref = refOf(path)
              const seconds = yield* RunEvents.numberOf(Body.query(request)["wait"] ?? "30", "?wait=, in seconds")
              const result = yield* agents.result(ref).pipe(
                Effect.timeoutOption(`${Math.min(seconds, maxWaitSeconds)} seconds`)
              )
              return Option.isSome(result)
                ? yield* respond(agents, path.id, result.value)
                : accepted(yield* agents.summary(ref))
            }))
          ))
        .handleRaw("events", ({ path, request }) =>
          asAsker((asker) =>
            outside(Effect.gen(function*() {
              const ref = refOf(path)
              const { endedAt } = yield* agents.summary(ref)
              const events = Candidate.streamAs(agents.events(ref, yield* RunEvents.from(request)), asker)
              const id = { "x-run-id": ref.run }
              return endedAt === undefined
                ? Sse.open(events, RunEvents.frame, id)
                : yield* Sse.response(events, RunEvents.frame, () => id)
            }))
          ))
        .handleRaw("pause", ({ path, request }) =>
          asAsker(() =>
            outside(Effect.gen(function*() {
              yield* Body.none(request, maxBodyBytes)
              return json()(yield* agents.pause(refOf(path)))
            }))
          ))
        .handleRaw("resume", ({ path, request }) =>
          asAsker(() =>
            outside(Effect.gen(function*() {
              yield* Body.none(request, maxBodyBytes)
              return json()(yield* agents.resume(refOf(path)))
            }))
          ))
        .handleRaw("step", ({ path, request }) =>
          asAsker(() =>
            outside(Effect.gen(function*() {
              const { how } = yield* stepRequest(request, maxBodyBytes)
              return json()(yield* agents.resume(refOf(path), how))
            }))
          ))
        .handleRaw("stop", ({ path, request }) =>
          asAsker(() =>
            outside(Effect.gen(function*() {
              const { reason } = yield* stopRequest(request, maxBodyBytes)
              return json()(yield* agents.stop(refOf(path), reason))
            }))
          ))
        .handleRaw("debug", ({ path, request }) =>
          asAsker(() =>
            outside(Effect.gen(function*() {
              const change = yield* debugRequest(request, maxBodyBytes)
              return json()(yield* agents.debug(refOf(path), change))
            }))
          ))
        .handleRaw("fork", ({ path, request }) =>
          asAsker(() =>
            outside(Effect.gen(function*() {
              const { component } = yield* forkRequest(request, maxBodyBytes)
              const branch = agentsOf.summary(yield* agents.fork(path.id, component))
              return HttpServerResponse.setHeader(
                json(201)(branch),
                "location",
                `/agents/${encodeURIComponent(branch.id)}`
              )
            }))
          ))
        .handleRaw("monitor", ({ path, request }) =>
          asAsker((asker) =>
            outside(Effect.gen(function*() {
              yield* agents.owned(path.id)
              const events = yield* monitors.open(asker, path.id)
              const translated = yield* SmythFrames.isAsked(request)
              const frames = translated
                ? SmythFrames.translate(events.stream)
                : Stream.map(events.stream, RunEvents.unnumbered)
              const init: Sse.Frame = { event: "init", data: { monitorId: events.id } }
              return Sse.open(Stream.concat(Stream.make(init), frames), (frame) => frame, {
                "x-monitor-id": events.id
              })
            }))
          ))))

const runRequest = Body.decode(RunRequest)
const componentRequest = Body.decode(ComponentRunRequest)
const stepRequest = Body.decode(StepRequest)
const stopRequest = Body.decode(StopRequest)
const debugRequest = Body.decode(DebugRequest)
const forkRequest = Body.decode(ForkRequest)

const maxWaitSeconds = 60

const refOf = ({ id, run }: { readonly id: string; readonly run: string }) => ({ agent: id, run })

/** What a run works on is of any shape: no schema touches it, and what JSON cannot hold becomes text. */
const json = (status = 200) => (value: unknown): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.raw(Json.stringify(value), { status, contentType: "application/json" })

/** Under way; where to ask for it. */
const accepted = (run: RunSummary) =>
  HttpServerResponse.setHeaders(json(202)(run), {
    "x-run-id": run.id,
    location: `/agents/${encodeURIComponent(run.agent)}/runs/${run.id}`
  })
