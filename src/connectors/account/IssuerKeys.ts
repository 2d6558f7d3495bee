/** The keys an OpenID issuer signs with: found by discovery, looked at again when they age or when one is not among them. */
import { Clock, Duration, Effect, Ref, Schema } from "effect"
import type { JSONWebKeySet } from "jose"
import { BootError } from "../../kernel/BootError.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import type { JsonHttp } from "../JsonHttp.ts"

/** https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata */
const Metadata = Schema.Struct({ issuer: Schema.String, jwks_uri: Schema.String })

/** https://www.rfc-editor.org/rfc/rfc7517#section-5 */
const KeySet = Schema.Struct({ keys: Schema.Array(Schema.Object) })

export interface IssuerKeys {
  /** As the issuer writes itself, and its tokens as well. */
  readonly issuer: string
  /** The keys there are, not older than some minutes while the issuer can be reached. */
  readonly known: Effect.Effect<JSONWebKeySet>
  /** For a key that is not among the known ones; the same ones again when they were looked at a moment ago. */
  readonly newer: Effect.Effect<JSONWebKeySet, ConnectorError>
}

interface Options {
  readonly connector: string
  readonly issuer: string
  /** Between two looks: whoever sends tokens of unknown keys cannot make us ask more often. */
  readonly cooldown: Duration.Duration
}

const maxAge = Duration.toMillis("10 minutes")

export const open = Effect.fnUntraced(function*(http: JsonHttp, { connector, cooldown, issuer }: Options) {
  const wrong = (problem: string) =>
    new BootError({ service: "Account", connector, path: "Account.Settings.issuer", problem: `${issuer}: ${problem}` })

  const answer = yield* http("open", { method: "GET", url: `${issuer}/.well-known/openid-configuration` })
  if (answer.status >= 500) {
    return yield* new ConnectorError({
      connector,
      method: "open",
      reason: "Unavailable",
      detail: `status ${answer.status}`
    })
  }
  const metadata = yield* Effect.mapError(
    Schema.decodeUnknown(Metadata)(answer.json),
    () => wrong(`it has no OpenID configuration (status ${answer.status})`)
  )
  if (metadata.issuer.replace(/\/$/, "") !== issuer) return yield* wrong(`it calls itself "${metadata.issuer}"`)
  if (issuer.startsWith("https:") && !metadata.jwks_uri.startsWith("https:")) {
    return yield* wrong("its keys are not at an https:// address")
  }

  const load = Effect.gen(function*() {
    const { json, status } = yield* http("authenticate", { method: "GET", url: metadata.jwks_uri })
    return Schema.is(KeySet)(json)
      ? json as unknown as JSONWebKeySet
      : yield* new ConnectorError({
        connector,
        method: "authenticate",
        reason: status >= 500 ? "Unavailable" : "Protocol",
        detail: `no keys at ${metadata.jwks_uri} (status ${status})`
      })
  })
  const now = Clock.currentTimeMillis
  const state = yield* Ref.make({ keys: yield* load, at: yield* now, tried: yield* now })
  const gate = yield* Effect.makeSemaphore(1)

  /** One look at a time; who waited for it takes what it found. */
  const newer = gate.withPermits(1)(Effect.gen(function*() {
    const { keys, tried } = yield* Ref.get(state)
    const at = yield* now
    if (at - tried < Duration.toMillis(cooldown)) return keys
    yield* Ref.update(state, (before) => ({ ...before, tried: at }))
    const loaded = yield* load
    yield* Ref.set(state, { keys: loaded, at, tried: at })
    return loaded
  }))

  const self: IssuerKeys = {
    issuer: metadata.issuer,
    newer,
    known: Effect.gen(function*() {
      const { at, keys } = yield* Ref.get(state)
      if ((yield* now) - at < maxAge) return keys
      return yield* Effect.catchAll(
        newer,
        (error) => Effect.as(Effect.logWarning(`${connector}: the issuer's keys may be old: ${error.message}`), keys)
      )
    })
  }
  return self
})
