/** Sends the request of a call: signed or with a token, again while that may help. */
import { Duration, Effect, ExecutionStrategy, Exit, Option, Redacted, Scope } from "effect"
import { ConnectorError } from "../../../kernel/ConnectorError.ts"
import * as OAuth1 from "../../../subsystems/io/OAuth1.ts"
import { type OAuthError, OAuthTokens } from "../../../subsystems/io/OAuthTokens.ts"
import {
  Outbound,
  type OutboundError,
  type OutboundRequest,
  type OutboundStream
} from "../../../subsystems/io/Outbound.ts"

export interface Call extends OutboundRequest {
  readonly headers: Readonly<Record<string, string>>
}

export interface Options {
  /** The OAuth connection whose token goes with it, if one does. */
  readonly connection: string | undefined
  /** How often it is sent again at most. */
  readonly retries: number
}

/** The answer, to be read while the scope is open. Of an answer that is not the last, nothing stays open. */
export const send = Effect.fnUntraced(function*(call: Call, { connection, retries }: Options) {
  if (connection === undefined && retries === 0) return yield* Effect.flatMap(Outbound, ({ open }) => open(call))
  const authorize = yield* authorizer(connection)

  const attempt = (left: number, rejected?: Redacted.Redacted): Sending =>
    Effect.gen(function*() {
      const { header, token } = yield* authorize(call, rejected)
      const headers = header === undefined ? call.headers : { ...call.headers, authorization: Redacted.value(header) }
      const outcome = yield* Effect.either(opened({ ...call, headers }))
      if (outcome._tag === "Right" && outcome.right.status === 401 && token !== undefined && rejected === undefined) {
        yield* outcome.right.close
        return yield* attempt(left, token)
      }
      const pause = left > 0 ? pauseBefore(call, outcome, retries - left) : undefined
      if (pause === undefined) return yield* outcome
      if (outcome._tag === "Right") yield* outcome.right.close
      yield* Effect.sleep(pause)
      return yield* attempt(left - 1, rejected)
    })

  return yield* attempt(retries)
})

/** In a scope of its own, which an answer nobody wants is closed with at once. */
const opened = Effect.fnUntraced(function*(request: OutboundRequest) {
  const outbound = yield* Outbound
  const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
  const close = Scope.close(scope, Exit.void)
  const answer = yield* Effect.onError(Scope.extend(outbound.open(request), scope), () => close)
  return { ...answer, close }
})

/** The header to go with a request; with a token, which may be asked for again in place of one that was `rejected`. */
type Authorize = (call: Call, rejected?: Redacted.Redacted) => Effect.Effect<{
  readonly header: Redacted.Redacted | undefined
  readonly token: Redacted.Redacted | undefined
}, OAuthError>

type Sending = Effect.Effect<
  OutboundStream & { readonly close: Effect.Effect<void> },
  OAuthError | OutboundError,
  Outbound | Scope.Scope
>

/** By the connection: a signature for each request, a token, or nothing. */
const authorizer = Effect.fnUntraced(function*(
  connection: string | undefined
): Effect.fn.Return<Authorize, OAuthError, OAuthTokens> {
  if (connection === undefined) return () => Effect.succeed({ header: undefined, token: undefined })
  const tokens = yield* OAuthTokens
  const signing = yield* tokens.signing(connection)
  return Option.match(signing, {
    onSome: (credentials) => ({ body, headers, method, url }: Call) =>
      Effect.map(
        OAuth1.authorization({ method, url, contentType: headers["content-type"], body }, credentials),
        (header) => ({ header, token: undefined })
      ),
    onNone: () => (_: Call, rejected?: Redacted.Redacted) =>
      Effect.map(tokens.get(connection, { rejected }), ({ value }) => ({
        header: Redacted.make(`Bearer ${Redacted.value(value)}`),
        token: value
      }))
  })
})

type Outcome =
  | { readonly _tag: "Left"; readonly left: unknown }
  | { readonly _tag: "Right"; readonly right: Pick<OutboundStream, "status" | "headers"> }

/** How long to wait before it is sent again; `undefined` when that would not help, or might do a thing twice. */
const pauseBefore = ({ headers, method }: Call, outcome: Outcome, times: number): Duration.Duration | undefined => {
  const isSafe = (method !== "POST" && method !== "PATCH") || headers["idempotency-key"] !== undefined
  const backoff = Duration.millis(Math.min(30_000, 500 * 2 ** times))
  if (outcome._tag === "Left") {
    return isSafe && outcome.left instanceof ConnectorError && outcome.left.isRetryable ? backoff : undefined
  }
  const { headers: { "retry-after": after }, status } = outcome.right
  if (status !== 429 && !(isSafe && transient.has(status))) return undefined
  return /^\d{1,6}$/.test(String(after)) ? Duration.seconds(Math.min(60, Number(after))) : backoff
}

const transient: ReadonlySet<number> = new Set([408, 425, 500, 502, 503, 504])
