/** Outbound on undici: a pool of connections per origin, each opened only to an address the operator's policy allows. */
import { Config, ConfigError, Effect, Either, Schema } from "effect"
import { lookup as systemLookup } from "node:dns"
import type { LookupFunction } from "node:net"
import { promisify } from "node:util"
import { brotliDecompress, gunzip } from "node:zlib"
import type { Agent } from "undici"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as NetworkPolicy from "../../subsystems/io/NetworkPolicy.ts"
import * as Outbound from "../../subsystems/io/Outbound.ts"

const Rules = Schema.Array(NetworkPolicy.RuleFromString)

const UndiciOutboundSettings = Schema.Struct({
  /** What is opened beyond the public internet: `127.0.0.1:8080`, `*.internal`, `10.0.0.0/8`. */
  allow: Schema.optionalWith(Rules, { default: () => [] }),
  /** What is closed. Wins over `allow`. */
  deny: Schema.optionalWith(Rules, { default: () => [] }),
  /** Connections to one origin at a time; requests beyond wait. */
  connections: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 64 })
})

/** Answers the addresses of a name, as `dns.lookup` with `all` does. */
export type Resolve = (
  hostname: string,
  callback: (
    error: Error | null,
    addresses: ReadonlyArray<{ readonly address: string; readonly family: number }>
  ) => void
) => void

export const make = Effect.fnUntraced(function*(
  { allow, connections, deny }: typeof UndiciOutboundSettings.Type,
  resolve: Resolve = (hostname, callback) => systemLookup(hostname, { all: true }, callback)
) {
  const policy = NetworkPolicy.make({ allow, deny })

  const pools = Effect.gen(function*() {
    const undici = yield* Connector.vendor("Undici", "undici", () => import("undici"))
    const factory = (origin: string | URL, options: object) => {
      const url = new URL(origin)
      const refusal = policy.refusesUrl(url)
      return new undici.Pool(origin, {
        ...options,
        connections,
        connect: refusal === undefined
          ? undici.buildConnector({ lookup: lookup(policy, NetworkPolicy.portOf(url), resolve), timeout: 10_000 })
          : (_, callback) => callback(new Refusal(refusal), null)
      })
    }
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new undici.Agent({ factory, headersTimeout: 0, bodyTimeout: 0 })),
      (agent) => Effect.promise(() => agent.destroy())
    )
    return { agent, request: undici.request }
  })
  const opened = yield* Connector.lazily("Undici", "undici", pools)

  return Outbound.OutboundConnector.of({
    policy,
    exchange: (exchange) =>
      Effect.flatMap(opened, ({ agent, request }) =>
        Effect.tryPromise({
          try: (signal) => send(request, agent, exchange, signal),
          catch: (cause) => toError(exchange, cause)
        }))
  })
})

export const UndiciOutbound = Connector.make({
  name: "Undici",
  contract: Outbound.OutboundConnector,
  service: Outbound.layer,
  settings: UndiciOutboundSettings,
  make: (settings) => make(settings)
})

const rules = (name: string) =>
  Config.array(Config.string(), name).pipe(
    Config.mapOrFail((texts) =>
      Either.mapLeft(Schema.decodeEither(Rules)(texts), ({ message }) => ConfigError.InvalidData([name], message))
    ),
    Config.withDefault<typeof Rules.Type>([])
  )

/** `Outbound` with what `OUTBOUND_ALLOW` opens and `OUTBOUND_DENY` closes, rules separated by commas. */
export const UndiciOutboundLive = UndiciOutbound.layerConfig({
  allow: rules("OUTBOUND_ALLOW"),
  deny: rules("OUTBOUND_DENY"),
  connections: Config.withDefault(Config.integer("OUTBOUND_CONNECTIONS"), 64)
})

/* ------------------------------------------------------------------------------------------------------------------
 * Connecting
 * ---------------------------------------------------------------------------------------------------------------- */

/** Travels from the lookup through the socket and the pool back to `toError`. */
class Refusal extends Error {}

/** Answers only addresses the policy allows: the socket connects to what is answered here, so a later answer cannot matter. */
const lookup =
  (policy: NetworkPolicy.NetworkPolicy, port: number, resolve: Resolve): LookupFunction =>
  (hostname, options, callback) =>
    resolve(hostname, (error, addresses) => {
      if (error !== null) return callback(error, [])
      const refusals = addresses.map(({ address }) => policy.refusesAddress(hostname, port, address))
      const allowed = addresses.filter((_, index) => refusals[index] === undefined)
      const first = allowed[0]
      if (first === undefined) return callback(new Refusal(refusals[0] ?? "its name has no address"), [])
      return options.all === true
        ? callback(null, [...allowed])
        : callback(null, first.address, first.family)
    })

/* ------------------------------------------------------------------------------------------------------------------
 * One exchange
 * ---------------------------------------------------------------------------------------------------------------- */

class TooLarge extends Error {}

/** Encodings asked for and undone here. */
const decoders = { gzip: promisify(gunzip), "x-gzip": promisify(gunzip), br: promisify(brotliDecompress) }
const isDecoded = (encoding: string): encoding is keyof typeof decoders => Object.hasOwn(decoders, encoding)

const send = async (
  request: typeof import("undici").request,
  dispatcher: Agent,
  { body, headers, maxBytes, method, url }: Outbound.Exchange,
  signal: AbortSignal
): Promise<Omit<Outbound.OutboundResponse, "url">> => {
  const response = await request(url, {
    dispatcher,
    method,
    headers: { ...headers, "accept-encoding": "gzip, br" },
    body: body ?? null,
    signal
  })
  const bytes = await collect(response.body, maxBytes)
  const received = Object.entries(response.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const]
  )
  const encoding = String(response.headers["content-encoding"]).trim().toLowerCase()
  return bytes.length === 0 || !isDecoded(encoding)
    ? { status: response.statusCode, headers: Object.fromEntries(received), body: bytes }
    : {
      status: response.statusCode,
      headers: Object.fromEntries(
        received.filter(([name]) => name !== "content-encoding" && name !== "content-length")
      ),
      body: await decoders[encoding](bytes, { maxOutputLength: maxBytes })
    }
}

/**
 * Stops, which closes the connection, as soon as more than `maxBytes` have come. Copies into one growing buffer: a list of
 * chunks of one byte each would take a hundred times the bound.
 */
const collect = async (source: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> => {
  let bytes = Buffer.alloc(Math.min(maxBytes, 16 * 1024))
  let size = 0
  for await (const chunk of source) {
    const end = size + chunk.length
    if (end > maxBytes) throw new TooLarge()
    if (end > bytes.length) {
      const larger = Buffer.alloc(Math.min(maxBytes, Math.max(end, 2 * bytes.length)))
      larger.set(bytes)
      bytes = larger
    }
    bytes.set(chunk, size)
    size = end
  }
  return bytes.subarray(0, size)
}

const toError = ({ maxBytes, url }: Outbound.Exchange, cause: unknown) => {
  const shown = Outbound.shown(url)
  if (cause instanceof Refusal) {
    return new Outbound.OutboundRefused({ url: shown, reason: "Policy", detail: cause.message })
  }
  const code = codeOf(cause)
  if (cause instanceof TooLarge || code === "ERR_BUFFER_TOO_LARGE") {
    return new Outbound.ResponseTooLarge({ url: shown, maxBytes })
  }
  return new ConnectorError({
    connector: "Undici",
    method: "exchange",
    reason: reasons.find(([pattern]) => pattern.test(code))?.[1] ?? "Unavailable",
    detail: `${shown}: ${code}`
  })
}

/** The error itself may quote what was received, so only its code goes on. */
const codeOf = (cause: unknown) =>
  cause instanceof Error
    ? ("code" in cause && typeof cause.code === "string" ? cause.code : cause.name)
    : "unknown error"

/** By the codes of https://undici.nodejs.org/#/docs/api/Errors, of the HTTP parser and of zlib. */
const reasons: ReadonlyArray<readonly [RegExp, ConnectorError["reason"]]> = [
  [/TIMEOUT|ETIMEDOUT/, "Timeout"],
  [/^UND_ERR_(INVALID_ARG|NOT_SUPPORTED)/, "InvalidInput"],
  [/^HPE_|^HTTPParserError$|^Z_|^ERR_.*BROTLI|^ERR__ERROR_FORMAT|HEADERS_OVERFLOW|CONTENT_LENGTH_MISMATCH/, "Protocol"]
]
