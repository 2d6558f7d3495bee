/**
 * Mcp: tools of servers that speak the Model Context Protocol (https://modelcontextprotocol.io). Callers use {@link Mcp},
 * connectors implement {@link McpConnector}. Each candidate has sessions of its own; one that is idle is closed.
 */
import { Context, Data, Duration, Effect, Layer, Option, RcMap, Redacted, Schema, type Scope } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { didYouMean } from "../../kernel/Nearest.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as McpSignIn from "./McpSignIn.ts"
import { type NetworkPolicy, Policy } from "./NetworkPolicy.ts"
import type { OAuthError } from "./OAuthTokens.ts"

export { SignInFailed, SignInNeeded } from "./McpSignIn.ts"

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

export type McpError = McpRefused | McpSignIn.SignInError | ConnectorError | Candidate.NoCandidate

export interface Server {
  /** `http(s)://…`, or `stdio:<name>` for a command the operator has given that name. */
  readonly url: string
  /** `auto`: Streamable HTTP, or SSE where the server does not know that. Default: `auto`. */
  readonly transport?: Transport | undefined
  /** Sent with every request over HTTP. */
  readonly headers?: Redacted.Redacted<Readonly<Record<string, string>>> | undefined
  /**
   * The asker's OAuth connection whose token goes with every request over HTTP. One that is not there yet is made by a sign-in;
   * one with a client id and secret alone is used to sign in with.
   */
  readonly connection?: string | undefined
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
    readonly bearer: Bearer
  }

/** What is sent as the header `Authorization: Bearer` from now on. */
export interface Bearer {
  token: Option.Option<Redacted.Redacted>
}

/** The server knows nothing of the session any more (it was started anew, say), and did nothing. */
export class SessionLost extends Data.TaggedError("SessionLost") {}

export interface Session {
  /** Ended by the server, or broken. */
  readonly isClosed: () => boolean
  readonly tools: Effect.Effect<ReadonlyArray<McpTool>, SessionFailure>
  /** Interruption tells the server to stop. */
  readonly call: (
    name: string,
    args: Readonly<Record<string, unknown>>,
    timeout: Duration.Duration
  ) => Effect.Effect<ToolResult, SessionFailure>
}

export type SessionFailure = SessionLost | McpSignIn.Challenge | ConnectorError

/** A session lasts as long as its scope. No access code. */
export class McpConnector extends Context.Tag("effect-sre/McpConnector")<McpConnector, {
  /** Names of the commands the operator allows. */
  readonly commands: ReadonlyArray<string>
  /** How long a session that nobody uses stays open. */
  readonly idle: Duration.Duration
  readonly connect: (
    target: Target
  ) => Effect.Effect<Session, McpRefused | McpSignIn.Challenge | ConnectorError, Scope.Scope>
  /** Finds out how to sign in there, and does so as far as it goes without a person. */
  readonly authorize: (
    target: Extract<Target, { readonly _tag: "Http" }>,
    request: McpSignIn.Authorize
  ) => Effect.Effect<McpSignIn.Authorized, ConnectorError>
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
  /**
   * The page somebody has to open in a browser, so that the asker's calls are let in; it leads to `redirectUrl`. None: they are
   * let in already, or from now on.
   */
  readonly beginSignIn: (server: Server, redirectUrl: string) => Effect.Effect<Option.Option<string>, McpError>
  /** Finishes what a `SignInNeeded` began: `address` is the one the browser was led to, with its `code` and `state`. */
  readonly signIn: (server: Server, address: string) => Effect.Effect<void, McpError>
  /** The same for whoever the sign-in is of: for those a browser brings the address to. It is good once. */
  readonly finishSignIn: (address: string) => Effect.Effect<void, McpError>
}>() {}

/** What makes a session somebody's: who asks, where, and with which credentials. */
class SessionKey extends Data.Class<{
  readonly who: string
  readonly url: string
  readonly transport: Transport
  /** The headers as JSON. */
  readonly headers: Redacted.Redacted
  readonly connection: string | undefined
}> {}

interface Opened {
  readonly session: Session
  readonly bearer: Bearer
}
type Use<A> = (session: Session) => Effect.Effect<A, SessionFailure>
type ConnectError = McpRefused | McpSignIn.Challenge | OAuthError | ConnectorError

/** A command is the same however it is written, and whatever would be sent over HTTP. */
const keyFor = (who: Candidate.Candidate, { connection, headers, transport = "auto", url }: Server) => {
  const command = commandIn(url)
  const sent = headers === undefined || command !== undefined ? {} : Redacted.value(headers)
  return new SessionKey({
    who: Candidate.format(who),
    url: command === undefined ? url : `stdio:${encodeURIComponent(command)}`,
    transport: command === undefined ? transport : "auto",
    headers: Redacted.make(JSON.stringify(sent)),
    connection: command === undefined ? connection : undefined
  })
}

const make = Effect.gen(function*() {
  const connector = yield* McpConnector
  const policy = yield* Policy
  const guard = yield* Access.guard("Mcp")
  const signIn = yield* McpSignIn.make
  const tokenOf = ({ connection, url }: SessionKey) =>
    connection === undefined || Option.isNone(signIn) ? Effect.succeedNone : signIn.value.token(connection, url)
  const sessionsOf = RcMap.make({
    lookup: Effect.fnUntraced(function*(key: SessionKey): Effect.fn.Return<Opened, ConnectError, Scope.Scope> {
      const bearer: Bearer = { token: yield* tokenOf(key) }
      const target = yield* targetOf(key, connector.commands, policy, bearer)
      return { session: yield* connector.connect(target), bearer }
    }),
    idleTimeToLive: connector.idle,
    capacity: maxSessions
  })
  /** By candidate, so that nobody takes the place of another. */
  const candidates = yield* RcMap.make({ lookup: (_who: string) => sessionsOf, idleTimeToLive: connector.idle })
  const invalidate = (key: SessionKey) =>
    Effect.scoped(Effect.flatMap(RcMap.get(candidates, key.who), (sessions) => RcMap.invalidate(sessions, key)))

  const keyOf = (operation: string, server: Server) =>
    Effect.map(guard.candidate(operation), (who) => keyFor(who, server))

  const signInOf = ({ connection }: SessionKey) =>
    connection === undefined
      ? noSignIn("it is for a connection, and none is named")
      : Option.isNone(signIn)
      ? noSignIn("there are no OAuthTokens here to keep tokens in")
      : Effect.succeed({ connection, signIn: signIn.value })

  const open = (key: SessionKey): Effect.Effect<Opened, ConnectError, Scope.Scope> =>
    Effect.flatMap(RcMap.get(candidates, key.who), (sessions) =>
      RcMap.get(sessions, key).pipe(
        Effect.tapError(() => RcMap.invalidate(sessions, key)),
        // What is still being opened ends when the last one who waits for it has gone.
        Effect.onInterrupt(() => RcMap.invalidate(sessions, key)),
        Effect.flatMap((opened) =>
          opened.session.isClosed()
            ? Effect.zipRight(RcMap.invalidate(sessions, key), RcMap.get(sessions, key))
            : Effect.succeed(opened)
        ),
        Effect.catchTag("ExceededCapacityException", () => tooMany)
      ))

  /** With the token as it is now: a session may last longer than one. */
  const once = <A>(key: SessionKey, use: Use<A>) =>
    Effect.scoped(Effect.gen(function*() {
      const { bearer, session } = yield* open(key)
      bearer.token = yield* tokenOf(key)
      return yield* use(session)
    }))

  const asking = (key: SessionKey) =>
  (request: McpSignIn.Authorize): Effect.Effect<
    McpSignIn.Authorized,
    McpRefused | ConnectorError
  > =>
    Effect.flatMap(
      targetOf(key, connector.commands, policy, { token: Option.none() }),
      (target) =>
        target._tag === "Http"
          ? connector.authorize(target, request)
          : noSignIn("a command of the operator knows no sign-in")
    )

  /** What a server asks for is met once: by a renewed token, or one that needs nobody to sign in. */
  const authorized = <A>(key: SessionKey, use: Use<A>, redirectUrl?: string) =>
    Effect.catchTag(
      once(key, use),
      "Challenge",
      (challenge) =>
        key.connection === undefined || Option.isNone(signIn) ? challenge.error : signIn.value
          .meet(challenge, { url: key.url, connection: key.connection, redirectUrl }, asking(key)).pipe(
            Effect.zipRight(once(key, use)),
            Effect.catchTag("Challenge", ({ error }) => error)
          )
    )

  /** Uses a session; one that turns out to be lost is opened anew, once. */
  const using = <A>(key: SessionKey, use: Use<A>, redirectUrl?: string) => {
    const again = authorized(key, use, redirectUrl)
    return again.pipe(
      Effect.catchTag("SessionLost", () => Effect.zipRight(invalidate(key), again)),
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
      yield* guard.granted("call", `${McpSignIn.shown(key.url)} ${name}`)
      return yield* using(key, (session) => session.call(name, args, Duration.decode(timeout)))
    }, traced("Mcp.call")),
    beginSignIn: Effect.fnUntraced(function*(server, redirectUrl) {
      const key = yield* keyOf("beginSignIn", server)
      yield* signInOf(key)
      if (!/^https?:$/.test(URL.canParse(redirectUrl) ? new URL(redirectUrl).protocol : "")) {
        return yield* noSignIn("a browser is led back to an address of http or https")
      }
      yield* guard.granted("beginSignIn", `${McpSignIn.shown(key.url)} ${key.connection}`)
      return yield* using(key, ({ tools }) => tools, redirectUrl).pipe(
        Effect.as(Option.none<string>()),
        Effect.catchTag("SignInNeeded", ({ url }) => Effect.succeedSome(url))
      )
    }, traced("Mcp.beginSignIn")),
    signIn: Effect.fnUntraced(function*(server, address) {
      const key = yield* keyOf("signIn", server)
      const { connection, signIn } = yield* signInOf(key)
      yield* guard.granted("signIn", `${McpSignIn.shown(key.url)} ${connection}`)
      yield* signIn.finish(connection, address, Option.some(key.url), () => asking(key))
      yield* invalidate(key)
    }, traced("Mcp.signIn")),
    finishSignIn: Effect.fnUntraced(function*(address) {
      yield* guard.candidate("finishSignIn")
      const owner = McpSignIn.ownerIn(address)
      if (Option.isNone(signIn) || Option.isNone(owner)) {
        return yield* new McpSignIn.SignInFailed({ connection: "", problem: "the address is no answer to one" })
      }
      const { connection, who } = owner.value
      yield* Effect.gen(function*() {
        yield* signIn.value.finish(
          connection,
          address,
          Option.none(),
          (url) => asking(keyFor(who, { url, connection }))
        )
        yield* guard.granted("finishSignIn", connection)
      }).pipe(Candidate.as(who))
      yield* RcMap.invalidate(candidates, Candidate.format(who))
    }, traced("Mcp.finishSignIn"))
  })
})

export const layer: Layer.Layer<Mcp, never, McpConnector> = Layer.scoped(Mcp, make)

const targetOf = (
  { headers, transport, url: text }: SessionKey,
  commands: ReadonlyArray<string>,
  policy: NetworkPolicy,
  bearer: Bearer
): Effect.Effect<Target, McpRefused> => {
  const refused = (detail: string) => Effect.fail(new McpRefused({ server: McpSignIn.shown(text), detail }))
  if (!URL.canParse(text)) return refused("it is not an absolute URL")
  const url = new URL(text)
  const name = commandIn(text)
  if (name !== undefined) {
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
    policy,
    bearer
  })
}

/** Of `stdio:<name>`; empty where it cannot be read. */
const commandIn = (url: string): string | undefined => {
  const [, written] = /^\s*stdio:(?:\/\/)?(.*)$/is.exec(url) ?? []
  return written === undefined ? undefined : Option.getOrElse(decoded(written), () => "")
}
const decoded = Option.liftThrowable(decodeURIComponent)

/** Of one candidate; an agent that speaks with more servers at a time is lost. */
const maxSessions = 100

const tooMany = new ConnectorError({
  connector: "Mcp",
  method: "connect",
  reason: "Full",
  detail: `${maxSessions} sessions are open, those unused for a while included; try again later`
})

const noSignIn = (detail: string) =>
  Effect.fail(new ConnectorError({ connector: "Mcp", method: "signIn", reason: "InvalidInput", detail }))
