/**
 * How a client signs in where an MCP server asks for it: tokens are those of a connection in the {@link OAuthTokens} of the
 * asker; what a person has to do in a browser is told as {@link SignInNeeded}, and finished with the address that led to.
 * https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
 */
import { Clock, Data, Effect, Either, Encoding, Option, Redacted, Schema } from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import * as Candidate from "../../security/Candidate.ts"
import { ManagedVault } from "../../security/ManagedVault.ts"
import * as OAuthRecord from "./OAuthRecord.ts"
import { type Connection, InvalidConnection, type OAuthError, OAuthTokens } from "./OAuthTokens.ts"

/** A person has to open `url` in a browser; the address they are led to then goes to `Mcp.signIn`. */
export class SignInNeeded extends Schema.TaggedError<SignInNeeded>()("SignInNeeded", {
  /** Scheme and host. */
  server: Schema.String,
  /** The key of the connection in the managed vault. */
  connection: Schema.String,
  url: Schema.String
}) {
  override get message(): string {
    return `The MCP server ${this.server} wants somebody to sign in for the connection "${this.connection}". Open ${this.url}`
  }
}

/** What came back is no answer to a sign-in that was begun, or says that it failed. */
export class SignInFailed extends Schema.TaggedError<SignInFailed>()("SignInFailed", {
  connection: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `The sign-in for the connection "${this.connection}" failed: ${this.problem}`
  }
}

/** The server refused a request for want of a token, or of a better one. */
export class Challenge extends Data.TaggedError("Challenge")<{
  /** What it is to a caller who has no connection to sign in with. */
  readonly error: ConnectorError
  /** The token that was sent. */
  readonly sent: Option.Option<Redacted.Redacted>
  /** What a better token has to be for, where the server says so. */
  readonly scope: string | undefined
  /** Where the server describes how to sign in, where it says so. */
  readonly metadataUrl: URL | undefined
  /** The token is good, but not for this. */
  readonly isForScope: boolean
}> {}

/** Of the client, what was known before: a registration of one's own, and whether it asks for itself. */
export interface Client {
  readonly id: string
  /** Or its private key, by `authentication`. */
  readonly secret: Option.Option<Redacted.Redacted>
  readonly authentication: OAuthRecord.Authentication
  readonly grant: OAuthRecord.Client["grant"]
  readonly scope: Option.Option<string>
}

/** `state` comes back with the answer; `kept` is the connector's own, for {@link Authorize.answer}. */
export type Authorized =
  | { readonly _tag: "Connection"; readonly connection: Connection }
  | { readonly _tag: "Browser"; readonly url: string; readonly kept: Redacted.Redacted }

/** What a connector is asked to do about a challenge. */
export interface Authorize {
  readonly client: Option.Option<Client>
  readonly scope: string | undefined
  readonly metadataUrl: URL | undefined
  /** Unguessable. */
  readonly state: string
  /** Where the browser is to be led to. Default: the connector's own. */
  readonly redirectUrl: string | undefined
  /** The second part: the code the browser brought, and what was kept in the first. */
  readonly answer: Option.Option<{ readonly code: string; readonly kept: Redacted.Redacted }>
}

type Ask<E> = (request: Authorize) => Effect.Effect<Authorized, E>

export type SignInError = SignInNeeded | SignInFailed | OAuthError

const Pending = Schema.parseJson(Schema.Struct({
  /** Milliseconds since 1970. */
  begun: Schema.Number,
  /** Of the MCP server. */
  target: Schema.String,
  url: Schema.String,
  redirectUrl: Schema.optional(Schema.String),
  scope: Schema.optional(Schema.String),
  state: Schema.String,
  kept: Schema.String
}))

/** Whoever asks in this time is sent to the same page. */
const pendingMillis = 10 * 60_000

/** What is signed in to, and where the answer is wanted. */
export interface Place {
  /** Of the MCP server. */
  readonly url: string
  readonly connection: string
  readonly redirectUrl?: string | undefined
}

export interface SignIn {
  /** The token to send, if there is one. Tokens for one server are refused to all others. */
  readonly token: (connection: string, url: string) => Effect.Effect<Option.Option<Redacted.Redacted>, OAuthError>
  /** Makes good for the challenge, or says what a person has to do. */
  readonly meet: <E>(challenge: Challenge, place: Place, ask: Ask<E>) => Effect.Effect<void, SignInError | E>
  /** `address`: where the browser was led to. `url`: the only MCP server that may be meant, where one is known. */
  readonly finish: <E>(
    connection: string,
    address: string,
    url: Option.Option<string>,
    ask: (url: string) => Ask<E>
  ) => Effect.Effect<void, SignInError | E>
}

/** None where there is nothing to keep tokens in. */
export const make: Effect.Effect<Option.Option<SignIn>> = Effect.gen(function*() {
  const found = Option.all([yield* Effect.serviceOption(OAuthTokens), yield* Effect.serviceOption(ManagedVault)])
  return Option.map(found, ([tokens, vault]) => over(tokens, vault))
})

const over = (tokens: OAuthTokens["Type"], vault: ManagedVault["Type"]): SignIn => {
  const read = (key: string) =>
    Effect.catchTag(
      Effect.asSome(vault.get(key)),
      "SecretNotFound",
      () => Effect.succeed(Option.none<Redacted.Redacted>())
    )

  const recordOf = (connection: string) =>
    Effect.flatMap(
      read(connection),
      Effect.transposeMapOption((stored) =>
        Either.mapLeft(OAuthRecord.parse(stored), (problem) => new InvalidConnection({ key: connection, problem }))
      )
    )

  const orNone = <A>(self: Effect.Effect<A, OAuthError>) =>
    Effect.catchTags(Effect.asSome(self), {
      ReauthorizationNeeded: () => Effect.succeedNone,
      SecretNotFound: () => Effect.succeedNone
    })

  const pendingOf = (connection: string) =>
    Effect.map(read(pendingKey(connection)), Option.flatMap((text) => decodePending(Redacted.value(text))))

  const clientOf = (connection: string) =>
    Effect.map(
      recordOf(connection),
      Option.filterMap(({ client: { authentication, clientId: id, clientSecret: secret, grant, scope } }) =>
        id === "" ? Option.none() : Option.some<Client>({ id, secret, authentication, grant, scope })
      )
    )

  const begin = Effect.fnUntraced(function*<E>(
    { metadataUrl, scope }: Challenge,
    { connection, redirectUrl, url: target }: Place,
    ask: Ask<E>
  ) {
    const server = shown(target)
    const now = yield* Clock.currentTimeMillis
    const before = yield* pendingOf(connection)
    const same = Option.filter(
      before,
      (one) =>
        one.target === target && one.scope === scope && one.begun + pendingMillis > now &&
        (redirectUrl === undefined || redirectUrl === one.redirectUrl)
    )
    if (Option.isSome(same)) return yield* new SignInNeeded({ server, connection, url: same.value.url })
    const state = yield* stateFor(connection)
    const client = yield* clientOf(connection)
    const outcome = yield* ask({ client, scope, metadataUrl, state, redirectUrl, answer: Option.none() })
    if (outcome._tag === "Connection") return yield* tokens.save(connection, outcome.connection)
    const { kept, url } = outcome
    const pending = { begun: now, target, url, redirectUrl, scope, state, kept: Redacted.value(kept) }
    yield* vault.set(pendingKey(connection), Redacted.make(encodePending(pending)))
    return yield* new SignInNeeded({ server, connection, url: outcome.url })
  })

  return {
    token: Effect.fnUntraced(function*(connection, url) {
      const record = yield* recordOf(connection)
      const resource = Option.flatMap(record, ({ client }) => client.resource)
      if (Option.exists(resource, (one) => originOf(one) !== originOf(url))) {
        const problem = `its tokens are for ${Option.getOrThrow(resource)}; use one connection for each server`
        return yield* new InvalidConnection({ key: connection, problem })
      }
      const isUsable = Option.exists(
        record,
        ({ client, tokens }) =>
          Option.isSome(tokens.access) || (client.tokenUrl !== "" &&
            (Option.isSome(tokens.refresh) || client.grant === "client_credentials"))
      )
      return isUsable ? yield* orNone(Effect.map(tokens.get(connection), ({ value }) => value)) : Option.none()
    }),
    meet: Effect.fnUntraced(function*<E>(challenge: Challenge, place: Place, ask: Ask<E>) {
      const { isForScope, sent } = challenge
      if (Option.isSome(sent) && !isForScope) {
        const renewed = yield* orNone(tokens.get(place.connection, { rejected: sent.value }))
        if (Option.exists(renewed, ({ value }) => Redacted.value(value) !== Redacted.value(sent.value))) return
      }
      yield* begin(challenge, place, ask)
    }),
    finish: Effect.fnUntraced(function*<E>(
      connection: string,
      address: string,
      url: Option.Option<string>,
      ask: (url: string) => Ask<E>
    ) {
      const failed = (problem: string) => new SignInFailed({ connection, problem })
      // Who knows no more than an address is not told what has been begun.
      const unknown = (problem: string) => failed(Option.isSome(url) ? problem : "no sign-in waits for this answer")
      const begun = Option.filter(
        yield* pendingOf(connection),
        (one) => Option.getOrElse(url, () => one.target) === one.target
      )
      const pending = yield* Effect.mapError(begun, () => unknown("none was begun"))
      const query = queryOf(address)
      if (query.get("state") !== pending.state) return yield* unknown("the answer is of another sign-in")
      const code = query.get("code")
      if (code === null) return yield* failed(`the server says ${(query.get("error") ?? "nothing").slice(0, 100)}`)
      const outcome = yield* ask(pending.target)({
        client: yield* clientOf(connection),
        scope: pending.scope,
        metadataUrl: undefined,
        state: pending.state,
        redirectUrl: pending.redirectUrl,
        answer: Option.some({ code, kept: Redacted.make(pending.kept) })
      })
      if (outcome._tag === "Browser") return yield* failed("the server wants it begun again")
      yield* tokens.save(connection, outcome.connection)
      yield* vault.remove(pendingKey(connection))
    })
  }
}

/** Scheme and host. */
export const shown = (text: string): string => {
  if (!URL.canParse(text)) return ""
  const { host, protocol } = new URL(text)
  return host === "" ? protocol : `${protocol}//${host}`
}

const queryOf = (address: string) => new URLSearchParams(address.replace(/#.*$/s, "").replace(/^[^?]*\?/s, ""))

/** Says whose sign-in it is, so that whoever gets the answer finds it; its other part is what nobody can guess. */
const stateFor = (connection: string) =>
  Effect.zipWith(
    Candidate.current,
    Ids.make("signin"),
    (who, id) => `${id}.${Encoding.encodeBase64Url(`${Candidate.format(who)} ${connection}`)}`
  )

/** Whose sign-in an address is the answer to, as it says itself: only `finish` knows whether that is true. */
export const ownerIn = (
  address: string
): Option.Option<{ readonly who: Candidate.Candidate; readonly connection: string }> => {
  const [, encoded = ""] = (queryOf(address).get("state") ?? "").split(".")
  const text = Either.getOrElse(Encoding.decodeBase64UrlString(encoded), () => "")
  const space = text.indexOf(" ")
  return Option.map(
    Schema.decodeOption(Candidate.FromString)(text.slice(0, Math.max(0, space))),
    (who) => ({ who, connection: text.slice(space + 1) })
  )
}

const originOf = (url: string) => URL.canParse(url) ? new URL(url).origin : url
const pendingKey = (connection: string) => `${connection}.sign-in`
const decodePending = Schema.decodeOption(Pending)
const encodePending = Schema.encodeSync(Pending)
