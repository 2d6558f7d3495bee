/**
 * A login at a HashiCorp Vault, or OpenBao: gets a token, renews its lease in the background, logs in again when it cannot
 * be renewed, and tells an answer from a refusal. https://developer.hashicorp.com/vault/api-docs/auth
 */
import { Duration, Effect, Option, Redacted, Ref, Schedule, Schema, type Scope } from "effect"
import { readFile } from "node:fs/promises"
import type { BootError } from "../../kernel/BootError.ts"
import { conflict, ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import * as JsonHttp from "../JsonHttp.ts"

const Secret = Schema.Redacted(Schema.NonEmptyString)

/** How to log in: exactly one of `token`, `appRole` and `kubernetes`. */
export const settings = {
  /** Default: `http://127.0.0.1:8200`. */
  url: Schema.optionalWith(JsonHttp.BaseUrl, { default: () => "http://127.0.0.1:8200" }),
  /** Sent as `X-Vault-Namespace`. Default: the root namespace. */
  namespace: Schema.optional(Schema.NonEmptyString),
  /** A token of the operator's; renewed while the server lets it. */
  token: Schema.optional(Secret),
  /** Logs in by https://developer.hashicorp.com/vault/docs/auth/approle: `{ roleId, secretId, mount = "approle" }`. */
  appRole: Schema.optional(Schema.Struct({
    roleId: Schema.NonEmptyString,
    /** May be left out where the role asks for none. */
    secretId: Schema.optional(Secret),
    /** Path the method is mounted at. */
    mount: Schema.optionalWith(Schema.NonEmptyString, { default: () => "approle" })
  })),
  /** Logs in as the service account of the pod: `{ role, jwtFile, mount = "kubernetes" }`. */
  kubernetes: Schema.optional(Schema.Struct({
    role: Schema.NonEmptyString,
    /** The token of the pod's service account; read at every login, since Kubernetes replaces it. */
    jwtFile: Schema.optionalWith(Schema.NonEmptyString, {
      default: () => "/var/run/secrets/kubernetes.io/serviceaccount/token"
    }),
    mount: Schema.optionalWith(Schema.NonEmptyString, { default: () => "kubernetes" })
  })),
  /** For one request, in milliseconds where a configuration writes it. Default 10 s. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(10) })
}
type Settings = Schema.Struct.Type<typeof settings>

export interface Session {
  /** An answer of status 200 or 204, or 404 with what it says; anything else is an error. */
  readonly call: (method: string, request: Request) => Effect.Effect<JsonHttp.Answer, ConnectorError>
}

export interface Request {
  readonly method: "GET" | "POST"
  /** Segments below `/v1`, as they are. */
  readonly path: ReadonlyArray<string>
  readonly body?: unknown
}

/** A mount may be a path itself: `teams/secret`. */
export const segments = (mount: string): ReadonlyArray<string> => mount.split("/").filter((segment) => segment !== "")

export const open = Effect.fnUntraced(function*(
  connector: string,
  settings: Settings
): Effect.fn.Return<Session, BootError | ConnectorError, Scope.Scope> {
  const http = yield* JsonHttp.make(connector, settings.timeout)

  const send = (method: string, request: Request, token: Redacted.Redacted | undefined) =>
    http(method, {
      method: request.method,
      url: `${settings.url}/v1/${request.path.map(encodeURIComponent).join("/")}`,
      headers: {
        "x-vault-request": "true",
        ...(settings.namespace === undefined ? {} : { "x-vault-namespace": settings.namespace }),
        ...(token === undefined ? {} : { "x-vault-token": Redacted.value(token) })
      },
      body: request.body
    })
  const judged = (method: string, answer: JsonHttp.Answer) =>
    answer.status === 200 || answer.status === 204 || answer.status === 404
      ? Effect.succeed(answer)
      : Effect.fail(refusal(connector, method, answer))
  const failure = (reason: Reason, detail: string) => new ConnectorError({ connector, method: "login", reason, detail })

  const login = loginRequest(settings, failure)

  /** A lease of its own by logging in, or what the server knows of the token that was given. */
  const begin: Effect.Effect<Lease, ConnectorError> = login === undefined
    ? Effect.gen(function*() {
      const { token } = settings
      if (token === undefined) {
        return yield* failure("InvalidInput", `"token", "appRole" or "kubernetes" says how to log in`)
      }
      const request = { method: "GET", path: ["auth", "token", "lookup-self"] } as const
      const answer = yield* Effect.flatMap(send("login", request, token), (answer) => judged("login", answer))
      if (answer.status === 404) {
        return yield* failure("NotFound", "there is no such namespace, or no Vault at this URL")
      }
      const { data } = yield* decoded(LookedUp, answer.json, failure)
      return { token, renewable: data.renewable, granted: data.ttl, left: data.ttl }
    })
    : Effect.gen(function*() {
      const request = yield* login
      const answer = yield* Effect.flatMap(send("login", request, undefined), (answer) => judged("login", answer))
      if (answer.status === 404) {
        return yield* failure("NotFound", `nothing is mounted at auth/${request.path[1] ?? ""}`)
      }
      const { auth } = yield* decoded(LoggedIn, answer.json, failure)
      return {
        token: auth.client_token,
        renewable: auth.renewable,
        granted: auth.lease_duration,
        left: auth.lease_duration
      }
    })

  const lease = yield* Ref.make(yield* begin)
  const gate = yield* Effect.makeSemaphore(1)

  /** Logs in again, unless another call has done so since `refused` was in use. */
  const relogin = (refused: Lease) =>
    gate.withPermits(1)(Effect.gen(function*() {
      const current = yield* Ref.get(lease)
      if (current.token === refused.token) yield* Effect.flatMap(begin, (next) => Ref.set(lease, next))
    }))

  const renewed = Effect.fnUntraced(function*(current: Lease) {
    const request = { method: "POST", path: ["auth", "token", "renew-self"], body: {} } as const
    const answer = yield* send("login", request, current.token)
    const { auth } = yield* Effect.flatMap(judged("login", answer), ({ json }) => decoded(LoggedIn, json, failure))
    return { ...current, renewable: auth.renewable, left: auth.lease_duration }
  })

  /** Near its maximum a lease comes back shorter and shorter, and then a new one is due. */
  const extend = Effect.fnUntraced(function*(current: Lease) {
    const next = current.renewable
      ? yield* Effect.asSome(renewed(current)).pipe(
        Effect.catchIf(({ isRetryable }) => !isRetryable, () => Effect.succeedNone)
      )
      : Option.none()
    if (Option.isSome(next) && (login === undefined || next.value.left * 3 > next.value.granted)) {
      yield* Ref.update(lease, (now) => now.token === current.token ? next.value : now)
    } else if (login !== undefined) yield* relogin(current)
    else {
      yield* Effect.logWarning(`${connector}: the token cannot be renewed and will end; give a new one, or use appRole`)
      return yield* Effect.never
    }
  })

  const keep = Effect.gen(function*() {
    const current = yield* Ref.get(lease)
    if (current.left === 0) return yield* Effect.never
    // Two thirds of its seconds.
    yield* Effect.sleep(Duration.millis(Math.max(500, current.left * 667)))
    yield* extend(current).pipe(
      Effect.tapError((error) => Effect.logWarning(`${connector}: the lease was not renewed: ${error.message}`)),
      Effect.retry(Schedule.union(Schedule.exponential("1 second"), Schedule.spaced("30 seconds")))
    )
  })
  yield* Effect.forkScoped(Effect.forever(keep))

  /** 403 is also what a policy says. The token itself is the reason when it cannot even look at itself. */
  const isEnded = (token: Redacted.Redacted) =>
    Effect.map(
      send("login", { method: "GET", path: ["auth", "token", "lookup-self"] }, token),
      ({ status }) => status === 403
    )

  return {
    call: Effect.fnUntraced(function*(method, request) {
      const current = yield* Ref.get(lease)
      const answer = yield* send(method, request, current.token)
      if (answer.status !== 403 || login === undefined || !(yield* isEnded(current.token))) {
        return yield* judged(method, answer)
      }
      yield* relogin(current)
      const { token } = yield* Ref.get(lease)
      return yield* Effect.flatMap(send(method, request, token), (answer) => judged(method, answer))
    })
  }
})

/** Seconds; a lease of 0 does not end. */
interface Lease {
  readonly token: Redacted.Redacted
  readonly renewable: boolean
  /** What it had at its beginning. */
  readonly granted: number
  readonly left: number
}

const LookedUp = Schema.Struct({
  data: Schema.Struct({ ttl: Schema.Number, renewable: Schema.optionalWith(Schema.Boolean, { default: () => false }) })
})

const LoggedIn = Schema.Struct({
  auth: Schema.Struct({ client_token: Secret, lease_duration: Schema.Number, renewable: Schema.Boolean })
})

const decoded = <A, I>(
  schema: Schema.Schema<A, I>,
  json: unknown,
  failure: (reason: Reason, detail: string) => ConnectorError
) =>
  Effect.mapError(
    Schema.decodeUnknown(schema)(json),
    () => failure("Protocol", "the answer is not Vault's; does the URL name the server itself?")
  )

const loginRequest = (
  { appRole, kubernetes }: Settings,
  failure: (reason: Reason, detail: string) => ConnectorError
): Effect.Effect<Request, ConnectorError> | undefined =>
  appRole !== undefined
    ? Effect.sync(() => ({
      method: "POST",
      path: ["auth", ...segments(appRole.mount), "login"],
      body: {
        role_id: appRole.roleId,
        ...(appRole.secretId === undefined ? {} : { secret_id: Redacted.value(appRole.secretId) })
      }
    }))
    : kubernetes !== undefined
    ? Effect.map(
      Effect.tryPromise({
        try: () => readFile(kubernetes.jwtFile, "utf8"),
        catch: () => failure("NotFound", `the service account's token cannot be read from ${kubernetes.jwtFile}`)
      }),
      (jwt) => ({
        method: "POST",
        path: ["auth", ...segments(kubernetes.mount), "login"],
        body: { role: kubernetes.role, jwt: jwt.trim() }
      })
    )
    : undefined

/** https://developer.hashicorp.com/vault/api-docs#http-status-codes; its messages quote paths and policies, no values. */
const refusal = (connector: string, method: string, answer: JsonHttp.Answer): ConnectorError => {
  const { status } = answer
  const said = messages(answer.json)
  if (status === 400 && /check-and-set parameter did not match/.test(said)) return conflict(connector, method)
  const [reason, detail]: readonly [Reason, string] = status === 403
    ? method === "login"
      ? ["Unauthorized", `the login was refused: ${said}`]
      : ["Unauthorized", `its policies do not allow this, or the token has ended: ${said}`]
    : status === 400 && method === "login"
    ? ["Unauthorized", `the login was refused: ${said}`]
    : status === 400 || status === 405 || status === 413
    ? ["InvalidInput", said]
    : status === 412 || status === 472 || status === 473
    ? ["Unavailable", "this node has not caught up, or is a standby"]
    : status === 429
    ? ["RateLimited", said]
    : status === 503 && /sealed/i.test(said)
    ? ["Unavailable", "it is sealed; its operator has to unseal it"]
    : status >= 500
    ? ["Unavailable", `status ${status}: ${said}`]
    : ["Protocol", `status ${status}: ${said}`]
  return new ConnectorError({ connector, method, reason, detail, ...JsonHttp.retryAfter(answer) })
}

const Errors = Schema.Struct({ errors: Schema.Array(Schema.String) })

/** The `errors` of an answer, in one line. */
export const messages = (json: unknown): string =>
  Schema.is(Errors)(json) ? json.errors.join("; ").replaceAll(/\s+/g, " ").trim().slice(0, 200) : ""
