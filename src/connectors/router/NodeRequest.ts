/** A request that came to a server of Node, as apps of the platform see one. */
import * as NodeMultipart from "@effect/platform-node/NodeMultipart"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Cookies from "@effect/platform/Cookies"
import type { SizeInput } from "@effect/platform/FileSystem"
import type * as Headers from "@effect/platform/Headers"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import type { HttpMethod } from "@effect/platform/HttpMethod"
import { RequestError } from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as UrlParams from "@effect/platform/UrlParams"
import { Effect, Inspectable, Option } from "effect"
import { IncomingMessage, ServerResponse } from "node:http"
import { Socket } from "node:net"

/** What a router in front of the app made of it. */
interface Changes {
  readonly url?: string
  readonly headers?: Headers.Headers
  readonly remoteAddress?: string
}

interface WholeOptions {
  readonly maxBytes: SizeInput | undefined
  readonly onFailure: (cause: unknown) => RequestError
}

/** What is costly to have is made when it is asked for: most of it never is. */
export class NodeRequest extends Inspectable.Class implements HttpServerRequest.HttpServerRequest {
  readonly [HttpServerRequest.TypeId]: HttpServerRequest.TypeId = HttpServerRequest.TypeId
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  source: IncomingMessage
  response: ServerResponse
  readonly url: string
  readonly originalUrl: string
  readonly method: HttpMethod
  readonly headers: Headers.Headers
  readonly #changes: Changes | undefined
  #text: string | undefined

  constructor(source: IncomingMessage, response: ServerResponse, changes?: Changes) {
    super()
    this.source = source
    this.response = response
    this.originalUrl = source.url!
    this.url = changes?.url ?? this.originalUrl
    this.method = source.method as HttpMethod
    this.headers = changes?.headers ?? source.headers as Headers.Headers
    this.#changes = changes
  }

  /** Fibers that ended stay in memory for a while, and with them what they hold: what Node made should not be among that. */
  release(): void {
    this.source = gone
    this.response = answered
  }

  get cookies() {
    return Cookies.parseHeader(this.headers["cookie"] ?? "")
  }

  get remoteAddress(): Option.Option<string> {
    return Option.fromNullable(this.#changes?.remoteAddress ?? this.source.socket.remoteAddress)
  }

  get stream() {
    return NodeStream.fromReadable<RequestError, Uint8Array>(() => this.source, this.#unreadable)
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, RequestError> {
    const bytes = this.#whole((options) => NodeStream.toUint8Array(() => this.source, options))
    return Effect.map(bytes, (all) => Uint8Array.from(all).buffer)
  }

  /** May be asked for again: it is kept. */
  get text(): Effect.Effect<string, RequestError> {
    return Effect.suspend(() =>
      this.#text !== undefined
        ? Effect.succeed(this.#text)
        : Effect.map(
          this.#whole((options) => NodeStream.toString(() => this.source, options)),
          (text) => this.#text = text
        )
    )
  }

  get json(): Effect.Effect<unknown, RequestError> {
    return this.#parsed((text): unknown => text === "" ? null : JSON.parse(text))
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, RequestError> {
    return this.#parsed((text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get multipart() {
    return NodeMultipart.persisted(this.source, this.source.headers)
  }

  get multipartStream() {
    return NodeMultipart.stream(this.source, this.source.headers)
  }

  get upgrade(): Effect.Effect<never, RequestError> {
    return Effect.fail(this.#unreadable(new Error("this server opens no sockets")))
  }

  modify(changes: Changes): NodeRequest {
    return new NodeRequest(this.source, this.response, { ...this.#changes, ...changes })
  }

  toJSON(): unknown {
    return { _id: "effect-sre/NodeRequest", method: this.method, url: this.originalUrl }
  }

  get #unreadable(): (cause: unknown) => RequestError {
    return (cause) => new RequestError({ request: this, reason: "Decode", cause })
  }

  /** Not more of it in memory than the app allows. */
  #whole<A>(read: (options: WholeOptions) => Effect.Effect<A, RequestError>): Effect.Effect<A, RequestError> {
    return Effect.flatMap(
      HttpIncomingMessage.MaxBodySize,
      (max) => read({ maxBytes: Option.getOrUndefined(max), onFailure: this.#unreadable })
    )
  }

  #parsed<A>(parse: (text: string) => A): Effect.Effect<A, RequestError> {
    return Effect.flatMap(this.text, (text) => Effect.try({ try: () => parse(text), catch: this.#unreadable }))
  }
}

const gone = new IncomingMessage(new Socket()).destroy()
const answered = new ServerResponse(gone).destroy()
