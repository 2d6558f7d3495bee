/** The connection of all connectors on Redis: one server, a cluster, or the master that Sentinels know; with or without TLS. */
import { Config, Duration, Effect, Redacted, Schema, type Scope } from "effect"
import type { Cluster, Redis, RedisOptions } from "ioredis"
import { createHash } from "node:crypto"
import { BootError } from "../kernel/BootError.ts"
import { ByteSize } from "../kernel/ByteSize.ts"
import * as Connector from "../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../kernel/ConnectorError.ts"

const Texts = Schema.Union(
  Schema.Array(Schema.NonEmptyString),
  Schema.transform(Schema.NonEmptyString, Schema.Array(Schema.NonEmptyString), {
    strict: true,
    decode: (text) => text.split(",").map((one) => one.trim()).filter((one) => one !== ""),
    encode: (list) => list.join(",")
  })
)

const optional = <A>(config: Config.Config<A>) => Config.withDefault(config, undefined)

export const settings = {
  /** `redis://user:password@host:port/db`, or `rediss://` for TLS. Default: `redis://127.0.0.1:6379`. */
  url: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** Nodes of a Redis Cluster, some of them are enough: `host:port` separated by commas, or a list. Instead of `url`. */
  cluster: Schema.optional(Texts),
  /** Sentinels, as `cluster`, that know the master called `name`. Instead of `url`. */
  hosts: Schema.optional(Texts),
  /** The master that the Sentinels of `hosts` know. */
  name: Schema.optional(Schema.NonEmptyString),
  /** Where the URL has none. Default: the server's default user. */
  username: Schema.optional(Schema.NonEmptyString),
  /** Where the URL has none. */
  password: Schema.optional(Schema.Redacted(Schema.String)),
  /** Of the Sentinels themselves, where they want one. */
  sentinelPassword: Schema.optional(Schema.Redacted(Schema.String)),
  /** Turns TLS on, also to Sentinels and the nodes of a cluster. All as PEM text; without `ca` the certificates Node trusts. */
  tls: Schema.optional(Schema.Struct({
    ca: Schema.optional(Schema.NonEmptyString),
    cert: Schema.optional(Schema.NonEmptyString),
    key: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
    /** The name in the server's certificate, where it is not the host's. */
    servername: Schema.optional(Schema.NonEmptyString)
  })),
  /** What the server may hold at most; one that may hold more is warned about at the start. Default: whatever it is set to. */
  maxMemory: Schema.optional(ByteSize),
  /** In milliseconds. For one call, connecting included. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(5) })
}

export type Settings = Schema.Struct.Type<typeof settings>

/** The settings by the names of variables; `REDIS_TLS_CA` turns TLS on, as `rediss://` does. */
export const config = {
  url: optional(Config.redacted("REDIS_URL")),
  cluster: optional(Config.array(Config.nonEmptyString(), "REDIS_CLUSTER")),
  hosts: optional(Config.array(Config.nonEmptyString(), "REDIS_HOSTS")),
  name: optional(Config.nonEmptyString("REDIS_MASTER_NAME")),
  username: optional(Config.nonEmptyString("REDIS_USERNAME")),
  password: optional(Config.redacted("REDIS_PASSWORD")),
  sentinelPassword: optional(Config.redacted("REDIS_SENTINEL_PASSWORD")),
  tls: optional(Config.map(Config.nonEmptyString("REDIS_TLS_CA"), (ca) => ({ ca }))),
  maxMemory: Config.succeed(undefined),
  timeout: Config.withDefault(Config.duration("REDIS_TIMEOUT"), Duration.seconds(5))
}

const problemOf = ({ cluster, hosts, name, url }: Settings): string | undefined =>
  [url, cluster, hosts].filter((one) => one !== undefined).length > 1
    ? `"url", "cluster" and "hosts" exclude each other`
    : (hosts === undefined) !== (name === undefined)
    ? `"hosts" (the Sentinels) and "name" (their master) go together`
    : undefined

export interface RedisClient {
  /** Runs a script on one key, and those whose `{tag}` is the same: on a cluster they are on one node. */
  readonly run: (
    method: string,
    script: string,
    keys: ReadonlyArray<string>,
    ...args: ReadonlyArray<string>
  ) => Effect.Effect<unknown, ConnectorError>
  /** Of every server that holds data: what it may hold (0: all there is), and what it does when that is full. */
  readonly memory: Effect.Effect<
    ReadonlyArray<{ readonly maxBytes: number; readonly policy: string }>,
    ConnectorError
  >
}

/** Connects once at the start, so that a server that is not there is known at boot; later losses are healed by reconnecting. */
export const make = Effect.fnUntraced(function*(
  settings: Settings
): Effect.fn.Return<RedisClient, BootError | ConnectorError, Scope.Scope> {
  const problem = problemOf(settings)
  if (problem !== undefined) return yield* new BootError({ service: "connectors", connector: "Redis", problem })
  const ioredis = yield* Connector.vendor("Redis", "ioredis", () => import("ioredis"))
  const redis = yield* Effect.acquireRelease(
    Effect.try({ try: () => open(ioredis, settings), catch: fromRedisError("connect") }),
    (redis) => Effect.sync(() => redis.disconnect())
  )
  const command = <A>(method: string, evaluate: () => Promise<A>): Effect.Effect<A, ConnectorError> =>
    Effect.tryPromise({ try: evaluate, catch: fromRedisError(method) })
  const attempt = <A>(method: string, evaluate: () => Promise<A>): Effect.Effect<A, ConnectorError> =>
    Effect.timeoutFail(command(method, evaluate), {
      duration: settings.timeout,
      onTimeout: () => new ConnectorError({ connector: "Redis", method, reason: "Timeout" })
    })
  // What went wrong is told to the listener alone, while the call fails with "Connection is closed". And without a listener
  // the client prints what the commands report anyway.
  let cause: unknown
  redis.on("error", (error) => {
    cause = error
  })
  yield* Effect.mapError(
    attempt("connect", () => redis.connect()),
    (error) => cause === undefined ? error : fromRedisError("connect")(cause)
  )
  const servers = () => redis instanceof ioredis.Cluster ? redis.nodes("master") : [redis]
  const memory = attempt("connect", async () =>
    Promise.all(
      servers().map(async (server) => {
        const info = await server.info("memory")
        const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? ""
        return { maxBytes: Number(field("maxmemory")) || 0, policy: field("maxmemory_policy") }
      })
    ))
  if (settings.maxMemory !== undefined) yield* warnOfMore(settings.maxMemory, yield* memory)
  // The client of one server ends its commands in time by itself, at a tenth of what a second timeout costs; that of a
  // cluster waits for a node without an end.
  const timed = redis instanceof ioredis.Cluster ? attempt : command
  return {
    run: (method, script, keys, ...args) =>
      timed(method, () =>
        redis.evalsha(digestOf(script), keys.length, ...keys, ...args).catch((error: unknown) => {
          // The server has not seen the script since it started, and has done nothing.
          if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error
          return redis.eval(script, keys.length, ...keys, ...args)
        })),
    memory
  }
})

/** Servers know scripts by these: https://redis.io/docs/latest/commands/evalsha/ */
const digestOf = (script: string): string => {
  const known = digests.get(script)
  if (known !== undefined) return known
  const digest = createHash("sha1").update(script).digest("hex")
  digests.set(script, digest)
  return digest
}
/** As many as there are scripts in this program. */
const digests = new Map<string, string>()

const warnOfMore = (maxMemory: number, servers: ReadonlyArray<{ readonly maxBytes: number }>) => {
  const total = servers.some(({ maxBytes }) => maxBytes === 0)
    ? "all the memory there is"
    : servers.reduce((sum, { maxBytes }) => sum + maxBytes, 0)
  return typeof total === "number" && total <= maxMemory ? Effect.void : Effect.logWarning(
    `Redis may use ${total}${typeof total === "number" ? " bytes" : ""}, more than maxMemory (${maxMemory} bytes); ` +
      "set \"maxmemory\" in the server's configuration"
  )
}

/** For data that must last: a server that drops any key when it is full would lose it without a word. */
export const refuseEviction = (
  service: string,
  { memory }: RedisClient
): Effect.Effect<void, BootError | ConnectorError> =>
  Effect.flatMap(memory, (servers) => {
    const dropping = servers.find(({ maxBytes, policy }) => maxBytes > 0 && policy.startsWith("allkeys"))
    return dropping === undefined ? Effect.void : Effect.fail(
      new BootError({
        service,
        connector: "Redis",
        problem: `the server drops data when it is full (maxmemory-policy ${dropping.policy}). ` +
          "Set it to \"noeviction\" or a \"volatile\" policy, or use another server than the cache's"
      })
    )
  })

const open = (
  { Cluster, Redis }: Pick<typeof import("ioredis"), "Cluster" | "Redis">,
  settings: Settings
): Redis | Cluster => {
  const { cluster, hosts, name, password, sentinelPassword, username, url } = settings
  const timeout = Duration.toMillis(settings.timeout)
  const tls = tlsOf(settings.tls)
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: timeout,
    commandTimeout: timeout,
    socketTimeout: timeout,
    // A command whose answer is lost may have been carried out: sent again, a write would be in conflict with itself.
    maxRetriesPerRequest: 0,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: Redacted.value(password) }),
    ...(tls === undefined ? {} : { tls })
  }
  if (cluster !== undefined) {
    return new Cluster(cluster.map((node) => address(node, 6379)), {
      lazyConnect: true,
      slotsRefreshTimeout: timeout,
      // As above; what comes back as moved or asked elsewhere was not carried out, and is sent there.
      retryDelayOnFailover: 0,
      redisOptions: options
    })
  }
  if (hosts !== undefined && name !== undefined) {
    return new Redis({
      ...options,
      name,
      sentinels: hosts.map((host) => address(host, 26379)),
      ...(sentinelPassword === undefined ? {} : { sentinelPassword: Redacted.value(sentinelPassword) }),
      ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tls })
    })
  }
  return new Redis(url === undefined ? "redis://127.0.0.1:6379" : Redacted.value(url), options)
}

const tlsOf = (tls: Settings["tls"]): RedisOptions["tls"] => {
  if (tls === undefined) return undefined
  const { ca, cert, key, servername } = tls
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: Redacted.value(key) }),
    ...(servername === undefined ? {} : { servername })
  }
}

const address = (text: string, defaultPort: number) => {
  const [, host = "", port] = /^\s*(?:rediss?:\/\/)?(.*?)(?::(\d+))?\/?\s*$/.exec(text) ?? []
  return { host, port: port === undefined ? defaultPort : Number(port) }
}

/** By the words errors begin with, https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
const fromRedisError = (method: string) => (cause: unknown): ConnectorError => {
  const message = cause instanceof Error ? cause.message : ""
  const last = cause instanceof Error && "lastNodeError" in cause
    ? fromRedisError(method)(cause.lastNodeError)
    : undefined
  if (last !== undefined) return last
  const reason = reasons.find(([pattern]) => pattern.test(message))?.[1] ?? "Unavailable"
  return new ConnectorError({ connector: "Redis", method, reason, detail: message.slice(0, 200) })
}

const reasons: ReadonlyArray<readonly [RegExp, Reason]> = [
  [/NOAUTH|WRONGPASS|NOPERM|ERR AUTH|invalid password/, "Unauthorized"],
  [/OOM/, "Full"],
  [/WRONGTYPE/, "Corrupted"],
  [/timed out|ETIMEDOUT|Socket timeout/, "Timeout"],
  [/unknown command|Unknown Redis command/, "Unsupported"]
]
