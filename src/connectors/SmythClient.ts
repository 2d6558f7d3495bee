/** The client of another system's services, loaded by the connectors that call one: see {@link SmythHost}. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Duration, Effect, Layer, ParseResult, Redacted, Schema, type Stream } from "effect"
import { ConnectorError, type Reason } from "../kernel/ConnectorError.ts"
import * as ManagedApi from "../subsystems/io/ManagedApi.ts"
import type { Settings } from "./SmythHost.ts"

/** A client with the token, and what turns its failures into the one of connectors. */
export const make = Effect.fnUntraced(function*(connector: string, { team, timeout, token, url }: Settings) {
  const http = yield* Effect.map(
    Effect.provide(HttpClient.HttpClient, yield* Layer.build(NodeHttpClient.layerUndici)),
    HttpClient.mapRequest((request) =>
      HttpClientRequest.bearerToken(HttpClientRequest.prependUrl(request, url), Redacted.value(token))
    )
  )
  const api = yield* HttpApiClient.makeWith(ManagedApi.Api, { httpClient: http })

  const inTime = (method: string) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.timeoutFail(self, { duration: timeout, onTimeout: () => failure(connector, method, "Timeout") })

  return {
    api,
    path: { team },
    inTime,
    /** A call of the typed client. */
    call: <A, E>(method: string, self: Effect.Effect<A, E>): Effect.Effect<A, ConnectorError> =>
      inTime(method)(Effect.mapError(self, toError(connector, method))),
    toError: (method: string) => toError(connector, method),
    /** A request the typed client cannot make, for its bytes; the answer is a good one. */
    raw: (
      method: string,
      endpoint: string,
      body: Uint8Array | Stream.Stream<Uint8Array, unknown>
    ): Effect.Effect<HttpClientResponse.HttpClientResponse, ConnectorError> =>
      http.execute(
        HttpClientRequest.setBody(
          HttpClientRequest.post(`${ManagedApi.root}/teams/${encodeURIComponent(team)}/${endpoint}`),
          body instanceof Uint8Array ? HttpBody.uint8Array(body, "application/json") : HttpBody.stream(body)
        )
      ).pipe(
        Effect.mapError(toError(connector, method)),
        Effect.flatMap((response) =>
          response.status < 300
            ? Effect.succeed(response)
            : Effect.flatMap(
              Effect.mapError(response.json, toError(connector, method)),
              (body) => Effect.fail(toError(connector, method)(refusal(response, body)))
            )
        )
      )
  }
})

const decodeFailed = Schema.decodeUnknownOption(ManagedApi.BackendFailed)

const refusal = (response: HttpClientResponse.HttpClientResponse, body: unknown): unknown => {
  const failed = decodeFailed(body)
  return failed._tag === "Some" ? failed.value : new HttpClientError.ResponseError({
    request: response.request,
    response,
    reason: "StatusCode"
  })
}

/** By what the other system says, else by what went wrong on the way. Never quotes an answer. */
const toError = (connector: string, method: string) => (error: unknown): ConnectorError => {
  if (error instanceof ConnectorError) return error
  if (isBackendFailed(error)) {
    return new ConnectorError({
      ...failure(connector, method, error.reason, "the other system's backend"),
      ...(error.retryAfterMillis === undefined ? {} : { retryAfter: Duration.millis(error.retryAfterMillis) })
    })
  }
  if (error instanceof HttpClientError.RequestError) {
    return failure(connector, method, "Unavailable", codeOf(error.cause))
  }
  if (error instanceof HttpClientError.ResponseError) {
    return error.reason === "StatusCode"
      ? failure(connector, method, reasonOf(error.response.status), `status ${error.response.status}`)
      : error.cause instanceof SyntaxError
      ? failure(connector, method, "Protocol", "the answer is not JSON; does the setting \"url\" name such a system?")
      : failure(connector, method, "Unavailable", "the answer broke off")
  }
  if (ParseResult.isParseError(error)) {
    return failure(connector, method, "Protocol", "the answer is not of this version")
  }
  if (hasTag(error) && (error._tag === "Unauthenticated" || error._tag === "NotAllowed")) {
    return failure(connector, method, "Unauthorized", error.message)
  }
  return failure(
    connector,
    method,
    hasTag(error) && error._tag === "HttpApiDecodeError" ? "InvalidInput" : "Unavailable"
  )
}

const failure = (connector: string, method: string, reason: Reason, detail?: string) =>
  new ConnectorError({ connector, method, reason, ...(detail === undefined ? {} : { detail }) })

const reasonOf = (status: number): Reason =>
  status === 401 || status === 403
    ? "Unauthorized"
    : status === 404
    ? "NotFound"
    : status === 408 || status === 504
    ? "Timeout"
    : status === 429
    ? "RateLimited"
    : status >= 500
    ? "Unavailable"
    : "InvalidInput"

const isBackendFailed = Schema.is(ManagedApi.BackendFailed)

const hasTag = (error: unknown): error is { readonly _tag: string; readonly message: string } =>
  typeof error === "object" && error !== null && "_tag" in error

const codeOf = (cause: unknown): string =>
  cause instanceof Error
    ? ("code" in cause && typeof cause.code === "string" ? cause.code : cause.name)
    : "no connection"
