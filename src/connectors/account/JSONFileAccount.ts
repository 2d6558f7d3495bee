/**
 * Account in a JSON file: teams as {@link AccountData.Teams} at the top level, beside `apiKeys` (SHA-256 of a key to whose
 * it is, `{"9f86…": "user:bob"}`) and `tokens` (how signed tokens are verified). Read again when it changes.
 */
import { Clock, Config, Effect, ParseResult, Redacted, Ref, Schema } from "effect"
import { createPublicKey, type KeyObject } from "node:crypto"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { settingIssuesOf } from "../../kernel/Issues.ts"
import * as JsonText from "../../kernel/JsonText.ts"
import * as Account from "../../security/Account.ts"
import * as ApiKey from "../../security/ApiKey.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as DataFolder from "../DataFolder.ts"
import * as EncryptedFile from "../vault/EncryptedFile.ts"
import * as AccountData from "./AccountData.ts"

/** Signed tokens: JWTs with `exp`, `sub` (an id) and `role` (default `user`) of somebody in this file. */
const Tokens = Schema.Struct({
  issuer: Schema.optional(Schema.String),
  audience: Schema.optional(Schema.String),
  /** HS256; at least 32 bytes. */
  secret: Schema.optional(Schema.Redacted(Schema.String.pipe(Schema.minLength(32)))),
  /** PEM of an RSA, EC or Ed25519 key. */
  publicKey: Schema.optional(Schema.String.pipe(
    Schema.filter((pem) => publicKey(pem) !== undefined, { message: () => "expected an RSA, EC or Ed25519 key in PEM" })
  ))
}).pipe(
  Schema.filter(({ publicKey, secret }) =>
    (publicKey === undefined) !== (secret === undefined) || `exactly one of "secret" and "publicKey" is needed`
  )
)

const ApiKeys = Schema.Record({ key: Schema.String, value: Candidate.FromString }).pipe(
  Schema.filter((keys) =>
    Object.keys(keys).filter((hash) => !/^[0-9a-f]{64}$/.test(hash)).map(() => ({
      path: [],
      message: "keys are entered by their SHA-256, 64 hexadecimal digits in lower case"
    }))
  )
)

const Document = Schema.transform(
  Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  Schema.Struct({
    teams: AccountData.Teams,
    apiKeys: Schema.optionalWith(ApiKeys, { default: () => ({}) }),
    tokens: Schema.optional(Tokens)
  }),
  {
    strict: false,
    decode: ({ apiKeys, tokens, ...teams }) => ({ teams, apiKeys, tokens }),
    encode: ({ apiKeys, teams, tokens }) => ({ ...teams, apiKeys, tokens })
  }
)

export const JSONFileAccount = Connector.make({
  name: "JSONFileAccount",
  aliases: ["JSONFile"],
  contract: Account.AccountConnector,
  service: Account.layer,
  settings: Schema.Struct({
    /** Default: `account.json` in the data folder. */
    file: Schema.optional(Schema.NonEmptyString),
    /** Refuse a file in plain text. Encrypted ones are read either way. */
    encryption: Schema.optionalWith(Schema.Boolean, { default: () => false })
  }),
  make: Effect.fnUntraced(function*({ encryption, file }) {
    const jose = yield* Connector.vendor(name, "jose", () => import("jose"))
    const stored = yield* EncryptedFile.open({
      connector: name,
      file: file ?? (yield* DataFolder.config("account.json")),
      purpose,
      decode: decode(encryption)
    })
    const last = yield* Ref.make({ good: yield* stored.read, problem: "" })

    /** A file broken by an edit does not lock everybody out: the last good one counts, and the log says so once. */
    const current = stored.read.pipe(
      Effect.tap((good) => Ref.set(last, { good, problem: "" })),
      Effect.catchAll((error) =>
        Effect.gen(function*() {
          const { good, problem } = yield* Ref.get(last)
          yield* Ref.set(last, { good, problem: error.message })
          if (problem !== error.message) yield* Effect.logError(`account not reloaded: ${error.message}`)
          return good
        })
      )
    )

    const verify = Effect.fnUntraced(function*(token: string, { audience, issuer, publicKey: pem, secret }: Tokens) {
      const key = pem === undefined ? undefined : publicKey(pem)
      const now = yield* Clock.currentTimeMillis
      const verified = yield* Effect.tryPromise({
        try: () =>
          jose.jwtVerify(token, key ?? new TextEncoder().encode(secret === undefined ? "" : Redacted.value(secret)), {
            algorithms: key === undefined ? ["HS256"] : algorithms(key),
            requiredClaims: ["exp", "sub"],
            currentDate: new Date(now),
            ...(issuer === undefined ? {} : { issuer }),
            ...(audience === undefined ? {} : { audience })
          }),
        catch: (cause) =>
          new Account.Unauthenticated({
            problem: cause instanceof jose.errors.JWTExpired ? "the token has expired" : "the token is not valid"
          })
      })
      const { role = "user", sub: id } = verified.payload
      return yield* Effect.mapError(
        Schema.decodeUnknown(Candidate.Candidate)({ role, id }),
        () => new Account.Unauthenticated({ problem: "the token names nobody" })
      )
    })

    const claimed = (credential: Redacted.Redacted, { apiKeys, tokens }: Content) => {
      const text = Redacted.value(credential)
      if (tokens !== undefined && text.split(".").length === 3) return verify(text, tokens)
      const owner = apiKeys.get(ApiKey.hash(credential))
      return owner === undefined
        ? Effect.fail(new Account.Unauthenticated({ problem: "unknown API key" }))
        : Effect.succeed(owner)
    }

    return Account.AccountConnector.of({
      teamsOf: (candidate) => Effect.map(current, ({ directory }) => directory.teamsOf(candidate)),
      members: (team) => Effect.map(current, ({ directory }) => directory.members(team)),
      permissions: (candidate, team) => Effect.map(current, ({ directory }) => directory.permissions(candidate, team)),
      settings: (of) => Effect.map(current, ({ directory }) => directory.settings(of)),
      authenticate: Effect.fnUntraced(function*(credential) {
        const content = yield* current
        const candidate = yield* claimed(credential, content)
        return content.directory.has(candidate)
          ? candidate
          : yield* new Account.Unauthenticated({ problem: `${Candidate.format(candidate)} is not in the account` })
      })
    })
  })
})

/** File named by `SRE_ACCOUNT_FILE`, by default `account.json` in the data folder. */
export const JSONFileAccountLive = JSONFileAccount.layerConfig(
  Config.all({
    file: Config.withDefault(Config.nonEmptyString("SRE_ACCOUNT_FILE"), undefined),
    encryption: Config.withDefault(Config.boolean("SRE_ACCOUNT_ENCRYPTION"), false)
  })
)

/** Encrypts an account file in place, with the vault's key. Does nothing to one that is encrypted already. */
export const encrypt = (file: string): Effect.Effect<void, ConnectorError> =>
  EncryptedFile.encrypt({
    connector: name,
    file,
    purpose,
    entries: (document, path) =>
      Effect.as(
        parse(document, path),
        new Map([["account", new Map([["document", Redacted.make(JSON.stringify(document))]])]])
      )
  })

const name = "JSONFileAccount"
const purpose = "account"

type Tokens = typeof Tokens.Type

interface Content {
  readonly directory: AccountData.Directory
  readonly apiKeys: ReadonlyMap<string, Candidate.Candidate>
  readonly tokens: Tokens | undefined
}

const decode =
  (encryption: boolean) => (content: EncryptedFile.Content, path: string): Effect.Effect<Content, ConnectorError> => {
    if (content._tag === "Missing") return Effect.fail(failure("NotFound", path, "it does not exist"))
    if (content._tag === "Plain") {
      return encryption
        ? Effect.fail(failure("InvalidInput", path, "it is not encrypted, and the setting `encryption` asks for that"))
        : parse(content.json, path)
    }
    const document = content.entries.get("account")?.get("document")
    return JsonText.parse(document === undefined ? "" : Redacted.value(document)).pipe(
      Effect.mapError((problem) => failure("Corrupted", path, problem)),
      Effect.flatMap((document) => parse(document, path))
    )
  }

const parse = (document: unknown, path: string): Effect.Effect<Content, ConnectorError> =>
  ParseResult.decodeUnknown(Document, { errors: "all", onExcessProperty: "error" })(document).pipe(
    Effect.map(({ apiKeys, teams, tokens }) => ({
      directory: AccountData.directory(teams),
      apiKeys: new Map(Object.entries(apiKeys)),
      tokens
    })),
    Effect.mapError((error) =>
      failure(
        "Corrupted",
        path,
        settingIssuesOf(error)
          .map(({ message, path }) => `${path.join(".")}: ${message.replace(/, actual.*$/s, "")}`)
          .join("; ")
      )
    )
  )

const publicKey = (pem: string): KeyObject | undefined => {
  try {
    const key = createPublicKey(pem)
    return algorithms(key).length === 0 ? undefined : key
  } catch {
    return undefined
  }
}

/** What a key may verify; never a symmetric algorithm, or its public text would be a signing secret. */
const algorithms = ({ asymmetricKeyType: type }: KeyObject): Array<string> =>
  type === "rsa" || type === "rsa-pss"
    ? ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    : type === "ec"
    ? ["ES256", "ES384", "ES512"]
    : type === "ed25519"
    ? ["EdDSA", "Ed25519"]
    : []

const failure = (reason: ConnectorError["reason"], path: string, problem: string) =>
  new ConnectorError({ connector: name, method: "read", reason, detail: `${path}: ${problem}` })
