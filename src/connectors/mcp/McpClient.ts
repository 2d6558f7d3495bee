/**
 * Mcp on the protocol's own SDK: Streamable HTTP and SSE to where the operator's policy allows, stdio to commands the operator
 * has named. https://modelcontextprotocol.io/specification/2025-06-18/basic/transports
 */
import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { jsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/types.js"
import { Clock, Duration, Effect, Option, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import * as Mcp from "../../subsystems/io/Mcp.ts"
import { Challenge } from "../../subsystems/io/McpSignIn.ts"
import * as Authorization from "./Authorization.ts"
import * as BearerFetch from "./BearerFetch.ts"
import * as EventAnswers from "./EventAnswers.ts"
import * as PolicedFetch from "./PolicedFetch.ts"
import { toContent } from "./ToolContent.ts"

const Command = Schema.Struct({
  /** A file, or a name in `PATH`. No shell reads it. */
  command: Schema.NonEmptyString,
  args: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }),
  /** Beside what every program needs: `PATH`, `HOME` and the like. */
  env: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), { default: () => ({}) }),
  cwd: Schema.optional(Schema.String)
})

const McpClientSettings = Schema.Struct({
  /** Servers to be started on this machine, by the name agents use: `stdio:<name>`. */
  commands: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Command }), { default: () => ({}) }),
  /** A session without a call is closed after this, in milliseconds. Default: 5 minutes. */
  idle: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(5) }),
  /** To open a session and to list tools, in milliseconds. Default: 30 seconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) }),
  /**
   * Where a browser is led to after a sign-in that a run asked for: `https://…/sign-in` of this server, or a page of the
   * operator's that hands its address to `Mcp.signIn`. Default: an address of the browser's own machine where nothing answers;
   * it is copied from there by hand.
   */
  redirectUrl: Schema.optionalWith(Schema.String.pipe(Schema.filter((url) => URL.canParse(url))), {
    default: () => "http://127.0.0.1/mcp-sign-in"
  }),
  /**
   * What becomes of questions that a server asks in the middle of a call (elicitation), where no person is there to answer them.
   * `none`: servers are told that there is nobody. `defaults`: a form all of whose required fields have defaults is accepted with
   * them, any other is cancelled.
   */
  elicitation: Schema.optionalWith(Schema.Literal("none", "defaults"), { default: () => "none" }),
  /** Where the client describes itself, for servers that register none: https://client.dev */
  clientMetadataUrl: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https:\/\/[^/]+\/./, { message: () => "expected an https URL with a path" }))
  )
})

export const McpClient = Connector.make({
  name: "McpClient",
  contract: Mcp.McpConnector,
  service: Mcp.layer,
  settings: McpClientSettings,
  make: Effect.fnUntraced(function*({ clientMetadataUrl, commands, elicitation, idle, redirectUrl, timeout }) {
    const fetchFor = yield* PolicedFetch.make
    const limits = { timeout: Duration.toMillis(timeout) }

    /** One try over one transport. What it opened is closed with the scope. */
    const open = Effect.fnUntraced(function*(sdk: Sdk, transport: Transport, attempt: Attempt) {
      let closed = false
      const client = new sdk.Client({ name: "effect-sre", version: "1" }, { jsonSchemaValidator: unjudged })
      if (elicitation === "defaults") answerWithDefaults(sdk, client)
      client.onclose = () => {
        closed = true
      }
      yield* Effect.addFinalizer(() => ended(client, transport))
      yield* inTime("connect", timeout)(
        attempt("connect", (signal) => client.connect(transport, { ...limits, signal }))
      )
      return sessionOf(client, () => closed, limits, attempt)
    })

    const overHttp = (sdk: Sdk, target: Extract<Mcp.Target, { readonly _tag: "Http" }>) => {
      const { asked, fetch } = BearerFetch.make(
        fetchFor(target.policy),
        target.url,
        target.bearer,
        sdk.extractWWWAuthenticateParams
      )
      const attempt = attempting(() => secretsOf(target), asked)
      const options = {
        fetch: EventAnswers.make(fetch),
        requestInit: { headers: { ...Redacted.value(target.headers) } }
      }
      const streamable = Effect.suspend(() =>
        open(sdk, new sdk.StreamableHTTPClientTransport(target.url, options) as Transport, attempt)
      )
      const events = Effect.suspend(() => open(sdk, new sdk.SSEClientTransport(target.url, options), attempt))
      switch (target.transport) {
        case "http":
          return streamable
        case "sse":
          return events
        case "auto":
          return Effect.catchIf(streamable, knowsNoStreamable, () => events)
      }
    }

    return Mcp.McpConnector.of({
      commands: Object.keys(commands),
      idle,
      authorize: (target, request) =>
        Effect.flatMap(Effect.all([load, Ids.make("assertion"), Clock.currentTimeMillis]), ([sdk, id, now]) => {
          const send = fetchFor(target.policy)
          return Effect.tryPromise({
            try: (signal) =>
              Authorization.run(
                sdk,
                { redirectUrl, clientMetadataUrl },
                target.url,
                request,
                (url, init) => send(url, { ...init, signal }),
                { id, now }
              ),
            catch: (cause) => refused(cause)
          })
        }).pipe(Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => failure("authorize", "Timeout", "the authorization server does not answer")
        })),
      connect: (target) =>
        Effect.flatMap(load, (sdk): ReturnType<typeof open> => {
          if (target._tag === "Http") return overHttp(sdk, target)
          const { args, command, cwd, env } = commands[target.name]!
          return open(
            sdk,
            new sdk.StdioClientTransport({
              command,
              args: [...args],
              env: { ...sdk.getDefaultEnvironment(), ...env },
              stderr: "ignore",
              ...(cwd === undefined ? {} : { cwd })
            }),
            attempting(() => Object.values(env), () => undefined)
          )
        }).pipe(Effect.catchTag("SessionLost", () => failure("connect", "Protocol", "the server refuses new sessions")))
    })
  })
})

/** `Mcp` for servers on the network. */
export const McpClientLive = McpClient.layer({})

/** Loaded when the first agent asks: nobody else needs the package. */
const load = Effect.mapError(
  Connector.vendor("McpClient", "@modelcontextprotocol/sdk", async () => ({
    ...await import("@modelcontextprotocol/sdk/client/auth.js"),
    ...await import("@modelcontextprotocol/sdk/client/index.js"),
    ...await import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
    ...await import("@modelcontextprotocol/sdk/client/sse.js"),
    ...await import("@modelcontextprotocol/sdk/client/stdio.js"),
    ElicitRequestSchema: (await import("@modelcontextprotocol/sdk/types.js")).ElicitRequestSchema
  })),
  ({ cause, problem }) =>
    new ConnectorError({ connector: "McpClient", method: "connect", reason: "Unsupported", detail: problem, cause })
)
type Sdk = Effect.Effect.Success<typeof load>

/** The package puts the defaults in: https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation */
const answerWithDefaults = (sdk: Sdk, client: Client) => {
  client.registerCapabilities({ elicitation: { form: { applyDefaults: true } } })
  client.setRequestHandler(sdk.ElicitRequestSchema, ({ params }) => {
    if (params.mode === "url") return { action: "cancel" }
    const { properties, required = [] } = params.requestedSchema
    return required.every((name) => Object.hasOwn(properties[name] ?? {}, "default"))
      ? { action: "accept", content: {} }
      : { action: "cancel" }
  })
}

const sessionOf = (
  client: Client,
  isClosed: () => boolean,
  limits: { readonly timeout: number },
  attempt: Attempt
): Mcp.Session => ({
  isClosed,
  tools: inTime("tools", Duration.millis(limits.timeout))(attempt("tools", async (signal) => {
    const tools: Array<Mcp.McpTool> = []
    let cursor: string | undefined
    do {
      const page = await client.listTools(cursor === undefined ? {} : { cursor }, { ...limits, signal })
      tools.push(...page.tools.map(({ description = "", inputSchema, name }) => ({ name, description, inputSchema })))
      cursor = page.nextCursor
    } while (cursor !== undefined && tools.length < maxTools)
    return tools
  })),
  call: (name, args, timeout) =>
    attempt("call", async (signal) => {
      const options = { timeout: Duration.toMillis(timeout), signal }
      return toContent(await client.callTool({ name, arguments: { ...args } }, undefined, options))
    })
})

const maxTools = 1000

/** What tools give is not judged by the schemas of their servers: one expression of a stranger can keep this process busy. */
const unjudged: jsonSchemaValidator = {
  getValidator: () => (data) => ({ valid: true, data: data as never, errorMessage: undefined })
}

/** The package's own time is that of one request; a server may answer many, or never say where it is to be asked. */
const inTime = (method: string, timeout: Duration.Duration) =>
  Effect.timeoutFail({
    duration: timeout,
    onTimeout: () => failure(method, "Timeout", `the server took longer than ${Duration.format(timeout)}`)
  })

/** The server is told where it can be told; neither that nor the end of a process is waited for long. */
const ended = (client: Client, transport: Transport) =>
  Effect.promise(async () => {
    if ("terminateSession" in transport && typeof transport.terminateSession === "function") {
      await Promise.resolve(transport.terminateSession()).catch(() => {})
    }
    await client.close().catch(() => {})
  }).pipe(Effect.timeoutOption("5 seconds"), Effect.interruptible)

/* ------------------------------------------------------------------------------------------------------------------
 * Failures
 * ---------------------------------------------------------------------------------------------------------------- */

const failure = (method: string, reason: ConnectorError["reason"], detail: string, cause?: Error) =>
  new ConnectorError({ connector: "McpClient", method, reason, detail, ...(cause === undefined ? {} : { cause }) })

/**
 * What a server says of a failure may quote what it was sent: the values of `secrets` are taken out. A refusal that `asked` for
 * a token is a challenge.
 */
const attempting =
  (secrets: () => ReadonlyArray<string>, asked: BearerFetch.BearerFetch["asked"]) =>
  <A>(method: string, evaluate: (signal: AbortSignal) => Promise<A>) =>
    Effect.tryPromise({
      try: evaluate,
      catch: (cause): Mcp.SessionFailure => {
        const error = toError(method, cause, secrets())
        const challenge = asked(codeOf(cause) ?? 0)
        return challenge !== undefined && error._tag === "ConnectorError"
          ? new Challenge({ ...challenge, error })
          : error
      }
    })
type Attempt = ReturnType<typeof attempting>

const secretsOf = ({ bearer, headers }: Extract<Mcp.Target, { readonly _tag: "Http" }>) => [
  ...Object.values(Redacted.value(headers)),
  ...Option.toArray(Option.map(bearer.token, Redacted.value))
]

/** Codes of https://www.rfc-editor.org/rfc/rfc6749#section-5.2, or that the way there could not be found. */
const refused = (cause: unknown) => {
  const refusal = PolicedFetch.refusalIn(cause)
  if (refusal !== undefined) return failure("authorize", "InvalidInput", refusal)
  const code = cause instanceof Error && "errorCode" in cause ? String(cause.errorCode) : undefined
  const message = cause instanceof Error ? cause.message.slice(0, 300) : "unknown error"
  return code === undefined
    ? failure("authorize", reasonOf(codeOf(cause), message), message)
    : failure("authorize", "Unauthorized", `the authorization server says ${code}: ${message}`)
}

const toError = (
  method: string,
  cause: unknown,
  secrets: ReadonlyArray<string>
): Mcp.SessionLost | ConnectorError => {
  const refusal = PolicedFetch.refusalIn(cause)
  if (refusal !== undefined) return failure(method, "InvalidInput", refusal)
  const message = cause instanceof Error ? cause.message : "unknown error"
  const code = codeOf(cause)
  // Of a session that is gone a server says 404; some say 400 and why.
  if (method !== "connect" && (code === 404 || (code === 400 && /session/i.test(message)))) return new Mcp.SessionLost()
  const shown = secrets.map((one) => one.replace(/^\w+ /, "")).filter((one) => one.length > 3)
    .reduce((text, one) => text.replaceAll(one, "[secret]"), message)
  return failure(method, reasonOf(code, message), shown.slice(0, 500))
}

/** The status of an answer, or a code of JSON-RPC. */
const codeOf = (cause: unknown): number | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "number" ? cause.code : undefined

/** https://modelcontextprotocol.io/specification/2025-06-18/basic: negative codes are those of JSON-RPC. */
const reasonOf = (code: number | undefined, message: string): ConnectorError["reason"] => {
  switch (code) {
    case 401:
    case 403:
      return "Unauthorized"
    case 404:
      return "NotFound"
    case 429:
      return "RateLimited"
    case 408:
    case -32001:
      return "Timeout"
    case -32602:
      return "InvalidInput"
    case -32601:
      return "Unsupported"
    case -32000:
      return "Unavailable"
    case undefined:
      return /fetch failed|terminated|ENOENT|EACCES|ECONN|spawn/.test(message) ? "Unavailable" : "Protocol"
    default:
      return code >= 500 ? "Unavailable" : code >= 400 ? "InvalidInput" : "Protocol"
  }
}

/** https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#backwards-compatibility */
const knowsNoStreamable = (error: unknown): boolean =>
  error instanceof ConnectorError && (error.reason === "NotFound" || error.reason === "InvalidInput")
