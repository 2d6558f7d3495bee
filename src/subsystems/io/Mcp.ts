/**
 * Mcp: tools of servers that speak the Model Context Protocol (https://modelcontextprotocol.io). Callers use {@link Mcp},
 * connectors implement {@link McpConnector}. Each candidate has sessions of its own; one that is idle is closed.
 */
import { Context, Data, Duration, Effect, Layer, RcMap, Redacted, Schema, type Scope } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { didYouMean } from "../../kernel/Nearest.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import { type NetworkPolicy, Policy } from "./NetworkPolicy.ts"

/** Not connected to: the URL cannot be read, the operator's policy forbids the place, or it names no command of the operator. */
export class McpRefused extends Schema.TaggedError<McpRefused>()("McpRefused", {
  /** Scheme and host. */
  server: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `MCP server${this.server === "" ? "" : ` ${this.server}`} refused: ${this.detail}`
  }
}

/** For callers that were told a name; see {@link Mcp.tools}. */
export class ToolNotFound extends Schema.TaggedError<ToolNotFound>()("ToolNotFound", {
  name: Schema.String,
  available: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `The MCP server has no tool "${this.name}".${didYouMean(this.name, this.available)} Tools: ${
      this.available.join(", ") || "none"
    }`
  }
}

export type McpError = McpRefused | ConnectorError | Candidate.NoCandidate

export interface Server {
  /** `http(s)://…`, or `stdio:<name>` for a command the operator has given that name. */
  readonly url: string
  /** `auto`: Streamable HTTP, or SSE where the server does not know that. Default: `auto`. */
  readonly transport?: Transport | undefined
  /** Sent with every request over HTTP. */
  readonly headers?: Redacted.Redacted<Readonly<Record<string, string>>> | undefined
}

export const Transport = Schema.Literal("auto", "http", "sse")
export type Transport = typeof Transport.Type

export interface McpTool {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments, as the server gives it. */
  readonly inputSchema: Readonly<Record<string, unknown>>
}

/** What a tool gave, part by part. `data` is base64. */
export type Content =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "binary"; readonly mediaType: string; readonly data: string; readonly name: string | undefined }
  | { readonly type: "link"; readonly uri: string; readonly name: string }

export interface ToolResult {
  readonly content: ReadonlyArray<Content>
  /** Where the tool has a schema for what it gives. */
  readonly structured: Readonly<Record<string, unknown>> | undefined
  /** The tool itself says that it failed. */
  readonly isError: boolean
}

export interface CallOptions {
  /** Default: 60 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

/** Where a connector connects to: judged by its URL already, by its addresses not yet. */
export type Target =
  | { readonly _tag: "Command"; readonly name: string }
  | {
    readonly _tag: "Http"
    readonly url: URL
    readonly transport: Transport
    readonly headers: Redacted.Redacted<Readonly<Record<string, string>>>
    readonly policy: NetworkPolicy
  }

/** The server knows nothing of the session any more (it was started anew, say), and did nothing. */
export class SessionLost extends Data.TaggedError("SessionLost") {}

export interface Session {
  /** Ended by the server, or broken. */
  readonly isClosed: () => boolean
  readonly tools: Effect.Effect<ReadonlyArray<McpTool>, SessionLost | ConnectorError>
  /** Interruption tells the server to stop. */
  readonly call: (
    name: string,
    args: Readonly<Record<string, unknown>>,
    timeout: Duration.Duration
  ) => Effect.Effect<ToolResult, SessionLost | ConnectorError>
}

/** A session lasts as long as its scope. No access code. */
export class McpConnector extends Context.Tag("effect-sre/McpConnector")<McpConnector, {
  /** Names of the commands the operator allows. */
  readonly commands: ReadonlyArray<string>
  /** How long a session that nobody uses stays open. */
  readonly idle: Duration.Duration
  readonly connect: (target: Target) => Effect.Effect<Session, McpRefused | ConnectorError, Scope.Scope>
}>() {}

export class Mcp extends Context.Tag("effect-sre/Mcp")<Mcp, {
  readonly tools: (server: Server) => Effect.Effect<ReadonlyArray<McpTool>, McpError>
  /** That a tool failed is a result, not a failure. */
  readonly call: (
    server: Server,
    name: string,
    args: Readonly<Record<string, unknown>>,
    options?: CallOptions
  ) => Effect.Effect<ToolResult, McpError>
}>() {}

/** What makes a session somebody's: who asks, where, and with which credentials. */
class SessionKey extends Data.Class<{
  readonly who: string
  readonly url: string
  readonly transport: Transport
  /** The headers as JSON. */
  readonly headers: Redacted.Redacted
}> {}

const make = Effect.gen(function*() {
  const connector = yield* McpConnector
  const policy = yield* Policy
  const guard = yield* Access.guard("Mcp")
  const sessions = yield* RcMap.make({
    lookup: (key: SessionKey) => Effect.flatMap(targetOf(key, connector.commands, policy), connector.connect),
    idleTimeToLive: connector.idle
  })

  const keyOf = (operation: string, { headers, transport = "auto", url }: Server) =>
    Effect.map(guard.candidate(operation), (who) =>
      new SessionKey({
        who: Candidate.format(who),
        url,
        transport,
        headers: Redacted.make(JSON.stringify(headers === undefined ? {} : Redacted.value(headers)))
      }))

  const open = (key: SessionKey): Effect.Effect<Session, McpRefused | ConnectorError, Scope.Scope> =>
    RcMap.get(sessions, key).pipe(
      Effect.tapError(() => RcMap.invalidate(sessions, key)),
      Effect.flatMap((session) =>
        session.isClosed()
          ? Effect.zipRight(RcMap.invalidate(sessions, key), RcMap.get(sessions, key))
          : Effect.succeed(session)
      )
    )

  /** Uses a session; one that turns out to be lost is opened anew, once. */
  const using = <A>(key: SessionKey, use: (session: Session) => Effect.Effect<A, SessionLost | ConnectorError>) => {
    const once = Effect.scoped(Effect.flatMap(open(key), use))
    return once.pipe(
      Effect.catchTag("SessionLost", () => Effect.zipRight(RcMap.invalidate(sessions, key), once)),
      Effect.catchTag("SessionLost", () =>
        new ConnectorError({
          connector: "Mcp",
          method: "call",
          reason: "Protocol",
          detail: "the server opens sessions that it does not know afterwards"
        }))
    )
  }

  return Mcp.of({
    tools: Effect.fnUntraced(function*(server) {
      const key = yield* keyOf("tools", server)
      return yield* using(key, ({ tools }) => tools)
    }, traced("Mcp.tools")),
    call: Effect.fnUntraced(function*(server, name, args, { timeout = "60 seconds" } = {}) {
      const key = yield* keyOf("call", server)
      yield* guard.granted("call", `${shown(key.url)} ${name}`)
      return yield* using(key, (session) => session.call(name, args, Duration.decode(timeout)))
    }, traced("Mcp.call"))
  })
})

export const layer: Layer.Layer<Mcp, never, McpConnector> = Layer.scoped(Mcp, make)

const targetOf = (
  { headers, transport, url: text }: SessionKey,
  commands: ReadonlyArray<string>,
  policy: NetworkPolicy
): Effect.Effect<Target, McpRefused> => {
  const refused = (detail: string) => Effect.fail(new McpRefused({ server: shown(text), detail }))
  if (!URL.canParse(text)) return refused("it is not an absolute URL")
  const url = new URL(text)
  if (url.protocol === "stdio:") {
    const name = decodeURIComponent(text.slice("stdio:".length).replace(/^\/\//, ""))
    return commands.includes(name) ? Effect.succeed({ _tag: "Command", name }) : refused(
      `the operator allows no command "${name}".${didYouMean(name, commands)} Allowed: ${commands.join(", ") || "none"}`
    )
  }
  const problem = policy.refusesUrl(url)
  return problem !== undefined ? refused(problem) : Effect.succeed({
    _tag: "Http",
    url,
    transport,
    headers: Redacted.make(JSON.parse(Redacted.value(headers)) as Readonly<Record<string, string>>),
    policy
  })
}

const shown = (text: string): string => {
  if (!URL.canParse(text)) return ""
  const { host, protocol } = new URL(text)
  return host === "" ? protocol : `${protocol}//${host}`
}
