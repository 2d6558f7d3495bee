/** Connections to an LDAP server: one for each question, bound, upgraded to TLS where that is asked for, and bounded in number. */
import { Duration, Effect, Redacted, Schema, type Scope } from "effect"
import type { Client, ClientOptions, Entry, SearchOptions } from "ldapts"
import { readFile } from "node:fs/promises"
import { connect as connectPlain, isIP } from "node:net"
import { connect as connectSecure, type ConnectionOptions } from "node:tls"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"

/** `ldap://host:port` or `ldaps://host:port` */
export const Url = Schema.String.pipe(
  Schema.filter((text) => URL.canParse(text) && /^ldaps?:\/\/[^@?#/]+\/?$/.test(text), {
    message: () => "expected ldap://host:port or ldaps://host:port"
  })
)

export const settings = {
  /** `ldaps://directory.example.org`, or `ldap://` with `startTLS`. */
  url: Url,
  /** Who searches. */
  bindDN: Schema.NonEmptyString,
  /** Of `bindDN`. */
  password: Schema.Redacted(Schema.NonEmptyString),
  /** Upgrades an `ldap://` connection to TLS before anything is sent on it. */
  startTLS: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  /** Of `ldaps://` and `startTLS`: `{ caFile, serverName }`. */
  tls: Schema.optionalWith(
    Schema.Struct({
      /** Certificates to trust, in PEM. Default: those Node trusts. */
      caFile: Schema.optional(Schema.NonEmptyString),
      /** Name the server's certificate is for. Default: the host of the URL. */
      serverName: Schema.optional(Schema.NonEmptyString)
    }),
    { default: () => ({}) }
  ),
  /** For one question, in milliseconds where a configuration writes it. Default 10 s. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(10) }),
  /** At a time; questions beyond wait. */
  connections: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 8 })
}
type Settings = Schema.Struct.Type<typeof settings>

export interface Found {
  readonly dn: string
  /** The values of an attribute, as text. */
  readonly values: (attribute: string) => ReadonlyArray<string>
}

export type Search = (
  base: string,
  options: Pick<SearchOptions, "attributes" | "filter" | "scope">
) => Effect.Effect<ReadonlyArray<Found>, ConnectorError>

export interface LdapDirectory {
  /** Asks as the one who searches. */
  readonly asking: <A>(
    method: string,
    questions: (search: Search) => Effect.Effect<A, ConnectorError>
  ) => Effect.Effect<A, ConnectorError>
  /** Whether somebody's password is right. */
  readonly knows: (method: string, dn: string, password: Redacted.Redacted) => Effect.Effect<boolean, ConnectorError>
  /** A value within a filter: https://www.rfc-editor.org/rfc/rfc4515#section-3 */
  readonly escape: (value: string) => string
}

/** Binds once, so that a wrong address or password is known at the start. */
export const open = Effect.fnUntraced(function*(
  connector: string,
  settings: Settings
): Effect.fn.Return<LdapDirectory, BootError | ConnectorError> {
  const ldapts = yield* Connector.vendor(connector, "ldapts", () => import("ldapts"))
  const { options, secure } = yield* clientOptions(connector, settings)
  const places = yield* Effect.makeSemaphore(settings.connections)

  const attempt = <A>(method: string, evaluate: () => Promise<A>) =>
    Effect.tryPromise({ try: evaluate, catch: (cause) => toError(connector, method, cause) })

  /** What is still awaited when time is up, or when nobody waits any more, ends with the connection. */
  const connected = <A>(method: string, use: (client: Client) => Effect.Effect<A, ConnectorError, Scope.Scope>) =>
    Effect.acquireRelease(
      Effect.sync(() => new ldapts.Client({ ...options, ...onlyOnce() })),
      (client) => Effect.forkDaemon(Effect.timeout(Effect.ignore(attempt(method, () => client.unbind())), "1 second"))
    ).pipe(
      Effect.tap((client) => settings.startTLS ? attempt(method, () => client.startTLS({ ...secure })) : Effect.void),
      Effect.flatMap(use),
      Effect.scoped,
      Effect.timeoutFail({
        duration: settings.timeout,
        onTimeout: () =>
          new ConnectorError({
            connector,
            method,
            reason: "Timeout",
            detail: `no answer of ${settings.url} in ${Duration.format(settings.timeout)}`
          })
      }),
      places.withPermits(1)
    )
  const bound = (method: string, client: Client) =>
    attempt(method, () => client.bind(settings.bindDN, Redacted.value(settings.password)))

  yield* Effect.mapError(
    connected("open", (client) => bound("open", client)),
    (error) =>
      error.reason === "Unauthorized" || error.reason === "InvalidInput"
        ? new BootError({
          service: "Account",
          connector,
          path: "Account.Settings.bindDN",
          problem: `the server does not accept "${settings.bindDN}" with the password that was given: ${
            error.detail ?? ""
          }`
        })
        : error
  )

  return {
    escape: (value) => ldapts.Filter.escape(value),
    asking: (method, questions) =>
      connected(method, (client) =>
        Effect.zipRight(
          bound(method, client),
          questions((base, options) =>
            Effect.map(
              attempt(method, () => client.search(base, { ...options, paged: true })),
              ({ searchEntries }) => searchEntries.map(toFound)
            )
          )
        )),
    // Without a password it would be a bind of nobody, which servers accept: https://www.rfc-editor.org/rfc/rfc4513#section-5.1.2
    knows: (method, dn, password) =>
      Redacted.value(password) === ""
        ? Effect.succeed(false)
        : connected(method, (client) => attempt(method, () => client.bind(dn, Redacted.value(password)))).pipe(
          Effect.as(true),
          Effect.catchIf(({ reason }) => reason === "Unauthorized", () => Effect.succeed(false))
        )
  }
})

const clientOptions = Effect.fnUntraced(function*(connector: string, { startTLS, timeout, tls, url }: Settings) {
  const { caFile } = tls
  const ca = caFile === undefined ? undefined : yield* Effect.tryPromise({
    try: () => readFile(caFile),
    catch: (cause) =>
      new BootError({
        service: "Account",
        connector,
        path: "Account.Settings.tls.caFile",
        problem: `${caFile} cannot be read`,
        cause
      })
  })
  const millis = Duration.toMillis(timeout)
  // The name is checked against the certificate, also that of an address, which TLS itself cannot ask for.
  const host = tls.serverName ?? new URL(url).hostname.replace(/^\[(.*)\]$/, "$1")
  const secure: ConnectionOptions = {
    minVersion: "TLSv1.2",
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca })
  }
  // Given to a client, these alone make it begin with TLS.
  const tlsOptions = url.startsWith("ldaps:") && !startTLS ? { tlsOptions: secure } : {}
  const options: ClientOptions = { url, timeout: millis, connectTimeout: millis, ...tlsOptions }
  return { options, secure: { ...secure, host } }
})

/** The client would connect again by itself when it lost its connection, unbound, and without the TLS that was started. */
const onlyOnce = (): Pick<ClientOptions, "createConnection" | "createSecureConnection"> => {
  const once = <F extends (...args: never) => unknown>(open: F): F => {
    let opened = false
    return new Proxy(open, {
      apply: (_, self, args) => {
        if (opened) throw new Error("the connection was lost")
        opened = true
        return Reflect.apply(open, self, args as never)
      }
    })
  }
  return { createConnection: once(connectPlain), createSecureConnection: once(connectSecure) }
}

const toFound = (entry: Entry): Found => ({
  dn: entry.dn,
  values: (attribute) =>
    Object.entries(entry).filter(([name]) => name.toLowerCase() === attribute.toLowerCase())
      .flatMap(([, value]) => Array.isArray(value) ? value : [value])
      .map((value) => typeof value === "string" ? value : value.toString("utf8"))
})

/** By result code: https://www.rfc-editor.org/rfc/rfc4511#appendix-A.2 */
const toError = (connector: string, method: string, cause: unknown): ConnectorError => {
  const error = cause instanceof Error ? cause : new Error("unknown error")
  const code = "code" in error ? error.code : undefined
  const reason = typeof code === "number"
    ? reasons[code] ?? "InvalidInput"
    : /time(d )?out/i.test(error.message)
    ? "Timeout"
    : "Unavailable"
  return new ConnectorError({ connector, method, reason, detail: `${error.name}: ${error.message.slice(0, 200)}` })
}

const reasons: Readonly<Record<number, Reason>> = {
  1: "Unavailable",
  2: "Protocol",
  3: "Timeout",
  8: "Unauthorized",
  13: "Unauthorized",
  32: "NotFound",
  48: "Unauthorized",
  49: "Unauthorized",
  50: "Unauthorized",
  51: "Unavailable",
  52: "Unavailable",
  80: "Unavailable"
}
