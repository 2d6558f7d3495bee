/** Outbound on undici: a pool of connections per origin, each opened only to an address the operator's policy allows. */
import { Chunk, Config, ConfigError, Effect, Either, Option, Schema, type Scope, type Stream } from "effect"
import { EventEmitter } from "node:events"
import { promisify } from "node:util"
import { brotliDecompress, createBrotliDecompress, createGunzip, gunzip } from "node:zlib"
import type { Dispatcher } from "undici"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as Scoped from "../../kernel/Scoped.ts"
import * as NetworkPolicy from "../../subsystems/io/NetworkPolicy.ts"
import * as Outbound from "../../subsystems/io/Outbound.ts"
import * as PolicedPool from "../PolicedPool.ts"
import * as Readable from "../Readable.ts"
import * as Proxied from "./Proxied.ts"

const Rules = Schema.Array(NetworkPolicy.RuleFromString)

const UndiciOutboundSettings = Schema.Struct({
  /** What is opened beyond the public internet: `127.0.0.1:8080`, `*.internal`, `10.0.0.0/8`. */
  allow: Schema.optionalWith(Rules, { default: () => [] }),
  /** What is closed. Wins over `allow`. */
  deny: Schema.optionalWith(Rules, { default: () => [] }),
  /** Connections to one origin at a time; requests beyond wait. */
  connections: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 64 })
})

export const make = Effect.fnUntraced(function*(
  { allow, connections, deny }: typeof UndiciOutboundSettings.Type,
  resolve?: PolicedPool.Resolve
) {
  const policy = NetworkPolicy.make({ allow, deny })

  const pools = Effect.gen(function*() {
    const undici = yield* Connector.vendor("Undici", "undici", () => import("undici"))
    const factory = PolicedPool.factory(undici, policy, { connections, connectTimeout: 10_000, resolve })
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new undici.Agent({ factory, headersTimeout: 0, bodyTimeout: 0 })),
      (agent) => Effect.promise(() => agent.destroy())
    )
    const way = Proxied.make(undici, policy, { connectTimeout: 10_000, resolve })
    const dispatcher = (
      exchange: Outbound.Exchange
    ): Effect.Effect<Dispatcher, ReturnType<typeof toError>, Scope.Scope> =>
      exchange.proxy === undefined
        ? Effect.succeed(agent)
        : Effect.mapError(way(exchange.proxy, exchange.url), (cause) => toError(exchange, cause))
    return { dispatcher, request: undici.request }
  })
  const opened = yield* Connector.lazily("Undici", "undici", pools)

  return Outbound.OutboundConnector.of({
    policy,
    exchange: (exchange) =>
      Effect.flatMap(
        opened,
        ({ dispatcher, request }) =>
          Effect.flatMap(dispatcher(exchange), (way) =>
            Effect.tryPromise({
              try: (signal) => send(request, way, exchange, signal),
              catch: (cause) => toError(exchange, cause)
            })).pipe(Effect.scoped)
      ),
    open: (exchange) =>
      Effect.flatMap(opened, ({ dispatcher, request }) =>
        Effect.gen(function*() {
          let isOver = () => false
          // Unlike an AbortController it costs nothing.
          const signal = yield* Scoped.make(
            () => new EventEmitter(),
            (signal) => isOver() ? undefined : signal.emit("abort")
          )
          const way = yield* dispatcher(exchange)
          const beginning = yield* Effect.tryPromise({
            try: () => begin(request, way, exchange, signal),
            catch: (cause) => toError(exchange, cause)
          })
          isOver = () => beginning.response.body.readableEnded
          return streamed(exchange, beginning)
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
 * One exchange
 * ---------------------------------------------------------------------------------------------------------------- */

class TooLarge extends Error {}

/** Encodings asked for and undone here. */
const decoders = { gzip: promisify(gunzip), "x-gzip": promisify(gunzip), br: promisify(brotliDecompress) }
const isDecoded = (encoding: string): encoding is keyof typeof decoders => Object.hasOwn(decoders, encoding)

type Request = typeof import("undici").request

const head = (
  request: Request,
  dispatcher: Dispatcher,
  { body, headers, method, url }: Outbound.Exchange,
  signal: AbortSignal | EventEmitter
) =>
  request(url, {
    dispatcher,
    method,
    headers: { ...headers, "accept-encoding": "gzip, br" },
    body: body ?? null,
    signal
  })

const send = async (
  request: Request,
  dispatcher: Dispatcher,
  exchange: Outbound.Exchange,
  signal: AbortSignal
): Promise<Omit<Outbound.OutboundResponse, "url">> => {
  const response = await head(request, dispatcher, exchange, signal)
  const bytes = await collect(response.body, exchange.maxBytes)
  const encoding = encodingOf(response)
  return bytes.length === 0 || !isDecoded(encoding)
    ? { status: response.statusCode, headers: received(response), body: bytes }
    : {
      status: response.statusCode,
      headers: received(response, true),
      body: await decoders[encoding](bytes, { maxOutputLength: exchange.maxBytes })
    }
}

interface Beginning {
  readonly response: Dispatcher.ResponseData
  /** What came along with the head, of a body that is not encoded. */
  readonly first: Buffer | undefined
}

const begin = async (
  request: Request,
  dispatcher: Dispatcher,
  exchange: Outbound.Exchange,
  signal: EventEmitter
): Promise<Beginning> => {
  const response = await head(request, dispatcher, exchange, signal)
  // Once for all: what destroys the body when nobody reads it any more must not end the process.
  response.body.on("error", () => {})
  if (isDecoded(encodingOf(response))) return { response, first: undefined }
  const first: Buffer | null = response.body.read()
  // Whether that is all is told in the next turn.
  await new Promise<void>((resolve) => process.nextTick(resolve))
  return { response, first: first ?? undefined }
}

/** Decompressed as it comes, and no more of it than is allowed. */
const streamed = (
  exchange: Outbound.Exchange,
  { first, response }: Beginning
): Omit<Outbound.OutboundStream, "url"> => {
  const encoding = encodingOf(response)
  const decoded = isDecoded(encoding)
  const answer = { status: response.statusCode, headers: received(response, decoded) }
  const isWhole = response.body.readableEnded && (first?.length ?? 0) <= exchange.maxBytes
  if (isWhole) return { ...answer, isWhole, body: beginningWith(first, Pull.toStream(Effect.succeed(Pull.end))) }
  const decoder = decoded ? (encoding === "br" ? createBrotliDecompress() : createGunzip()) : undefined
  if (decoder !== undefined) {
    decoder.on("error", () => {})
    response.body.on("error", (cause) => decoder.destroy(cause))
    if (response.body.errored !== null) decoder.destroy(response.body.errored)
  }
  const source = decoder === undefined ? response.body : response.body.pipe(decoder)
  const failed = (cause: unknown) => {
    const error = toError(exchange, cause)
    return error._tag === "OutboundRefused" ? protocolError(exchange, error.message) : error
  }
  return {
    ...answer,
    isWhole,
    body: Pull.via((pull: Pull.Pull<Buffer, Outbound.ResponseTooLarge | ConnectorError>) => {
      let left = exchange.maxBytes
      return Effect.flatMap(pull, (chunks) => {
        for (const { length } of chunks) left -= length
        return left < 0 ? Effect.fail(Option.some(failed(new TooLarge()))) : Effect.succeed(chunks)
      })
    })(beginningWith(first, Readable.toStream(source, failed)))
  }
}

const beginningWith = <E>(first: Buffer | undefined, rest: Stream.Stream<Buffer, E>) =>
  first === undefined ? rest : Pull.via((pull: Pull.Pull<Buffer, E>) => Pull.after(Chunk.of(first), pull))(rest)

const encodingOf = ({ headers }: Dispatcher.ResponseData) => String(headers["content-encoding"]).trim().toLowerCase()

/** `decoded`: without what was true of the body as it was sent. */
const received = ({ headers }: Dispatcher.ResponseData, decoded = false) =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || (decoded && (name === "content-encoding" || name === "content-length"))
        ? []
        : [[name, value] as const]
    )
  )

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

const protocolError = ({ url }: Outbound.Exchange, detail: string) =>
  new ConnectorError({
    connector: "Undici",
    method: "open",
    reason: "Protocol",
    detail: `${Outbound.shown(url)}: ${detail}`
  })

const toError = ({ maxBytes, url }: Outbound.Exchange, cause: unknown) => {
  const shown = Outbound.shown(url)
  if (cause instanceof PolicedPool.Refusal) {
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
