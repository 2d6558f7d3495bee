/**
 * An app as Node calls it: one fiber for each request, with nothing but the app between Node's message and the response.
 * What the platform puts there takes longer than a call of an agent.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Cookies from "@effect/platform/Cookies"
import { currentPreResponseHandlers, toHandled } from "@effect/platform/HttpApp"
import { causeResponse, clientAbortFiberId } from "@effect/platform/HttpServerError"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import { type Cause, Context, Effect, Exit, Option, Runtime, Scope, Stream } from "effect"
import type { RequestListener, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { isTraced } from "../../kernel/Trace.ts"
import type { App } from "../../subsystems/io/Router.ts"
import { NodeRequest } from "./NodeRequest.ts"

export const make = (app: App): Effect.Effect<RequestListener> =>
  Effect.gen(function*() {
    const { fiberRefs, runtimeFlags } = yield* Effect.runtime()
    const runSync = Runtime.runSync(Runtime.defaultRuntime)
    // A client that goes stops the work for it.
    const stoppable = Effect.interruptible(app)
    // A span is opened only where somebody collects spans: it costs 10 µs.
    const work = (yield* isTraced) ? toHandled(stoppable, send) : answering(stoppable)
    return (message, response) => {
      const request = new NodeRequest(message, response)
      const scope = runSync(Scope.make())
      const context = Context.make(HttpServerRequest, request).pipe(Context.add(Scope.Scope, scope))
      const fork = Runtime.runFork(Runtime.make({ context, fiberRefs, runtimeFlags }))
      // Not at once: a body that comes in one packet with its headers is there a moment later.
      const fiber = fork(work, { immediate: false })
      response.once("close", () => {
        if (!response.writableEnded) fiber.unsafeInterruptAsFork(clientAbortFiberId)
        request.release()
      })
      fiber.addObserver((exit) => {
        if (Exit.isFailure(exit)) fork(failed(exit.cause, request))
        fork(Scope.close(scope, exit))
      })
    }
  })

const answering = (app: App): Effect.Effect<void, unknown, HttpServerRequest | Scope.Scope> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.flatMap(app, (answer) => {
      const request = Context.unsafeGet(fiber.currentContext, HttpServerRequest)
      const prepare = fiber.getFiberRef(currentPreResponseHandlers)
      return Option.isNone(prepare)
        ? send(request, answer)
        : Effect.flatMap(prepare.value(request, answer), (prepared) => send(request, prepared))
    })
  )

/** When headers are out already, that the answer is not whole must show. */
const failed = (cause: Cause.Cause<unknown>, request: NodeRequest): Effect.Effect<void, unknown> => {
  const { response } = request
  if (response.writableEnded) return Effect.void
  return response.headersSent
    ? Effect.sync(() => void response.destroy())
    : Effect.flatMap(causeResponse(cause), ([answer]) => send(request, answer))
}

/** Plain bodies are handed to Node at once; the others piece by piece, as fast as the client takes them. */
const send = (
  request: HttpServerRequest,
  { body, cookies, headers, status }: HttpServerResponse
): Effect.Effect<void, unknown> => {
  const { response } = request as NodeRequest
  if (response.destroyed) return Effect.void
  const form = body._tag === "FormData" ? new Response(body.formData) : undefined
  response.writeHead(status, {
    ...headers,
    ...(form && Object.fromEntries(form.headers)),
    ...(Cookies.isEmpty(cookies) ? {} : { "set-cookie": Cookies.toSetCookieHeaders(cookies) })
  })
  const content = body._tag === "Raw" || body._tag === "Uint8Array"
    ? body.body
    : body._tag === "Stream"
    ? body.stream
    : form?.body
  if (request.method === "HEAD" || content === undefined || content === null) response.end()
  else if (typeof content === "string" || content instanceof Uint8Array) response.end(content)
  else return pipe(piecesOf(content), response)
  return Effect.void
}

const piecesOf = (content: object): Stream.Stream<Uint8Array, unknown> =>
  content instanceof Readable
    ? NodeStream.fromReadable(() => content, (cause) => cause)
    : content instanceof ReadableStream
    ? Stream.fromReadableStream(() => content, (cause) => cause)
    : content as Stream.Stream<Uint8Array, unknown>

const pipe = (pieces: Stream.Stream<Uint8Array, unknown>, response: ServerResponse): Effect.Effect<void, unknown> =>
  Stream.runForEachChunk(pieces, (chunk) => {
    let hasRoom = true
    for (const piece of chunk) hasRoom = response.write(piece)
    return hasRoom ? Effect.void : drained(response)
  }).pipe(Effect.zipRight(Effect.sync(() => void response.end())), Effect.interruptible)

const drained = (response: ServerResponse): Effect.Effect<void> =>
  Effect.async((resume) => {
    const go = () => resume(Effect.void)
    response.once("drain", go)
    return Effect.sync(() => response.off("drain", go))
  })
