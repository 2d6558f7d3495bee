/**
 * Vault in an encrypted JSON file ({@link EncryptedFile}). A file in plain text, `{"team": {"name": "secret"}}`, is read as
 * it is, with `$env(NAME)` in a secret standing for a variable; it is not written until {@link encrypt} has encrypted it.
 */
import { Config, Effect, Option, type Record, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Vault from "../../security/Vault.ts"
import * as DataFolder from "../DataFolder.ts"
import * as EncryptedFile from "./EncryptedFile.ts"
import * as EnvVault from "./EnvVault.ts"

export const JSONFileVault = Connector.make({
  name: "JSONFileVault",
  aliases: ["JSONFile"],
  contract: Vault.VaultConnector,
  service: Vault.layer,
  settings: Schema.Struct({
    /** Default: `vault.json` in the data folder. A file that does not exist is an empty vault. */
    file: Schema.optional(Schema.NonEmptyString),
    /** Team whose secrets every candidate may use. Default: none. */
    shared: Schema.optional(Schema.NonEmptyString),
    /** Team that also sees the secrets of the environment, as `EnvVault` gives them, where the file lacks them. Default: none. */
    environment: Schema.optional(Schema.NonEmptyString)
  }),
  make: Effect.fnUntraced(function*({ environment, file, shared }) {
    const variables = yield* EnvVault.open
    const vault = yield* EncryptedFile.open({
      connector: name,
      file: file ?? (yield* DataFolder.config("vault.json")),
      purpose,
      decode: (content, path) =>
        Effect.map(decode(content, path), (entries) => ({ entries, writable: content._tag !== "Plain" }))
    })
    const surroundings = environment === undefined ? undefined : `team:${environment}`

    const stored = (entries: EncryptedFile.Entries, owner: string, name: string) => {
      const secret = entries.get(owner)?.get(name)
      const reference = entries.get(references + owner)?.get(name)
      return secret !== undefined || reference === undefined
        ? Effect.succeed(Option.fromNullable(secret))
        : expand(reference, variables.variable)
    }

    const modify = (
      method: string,
      owner: string,
      change: (values: ReadonlyMap<string, Redacted.Redacted>) => ReadonlyMap<string, Redacted.Redacted>
    ) =>
      vault.modify(({ entries, writable }) => {
        const next = new Map(entries).set(owner, change(entries.get(owner) ?? new Map()))
        return writable
          ? Effect.succeed(next)
          : failure(
            method,
            "Unsupported",
            `${vault.path} is in plain text; encrypt it before secrets are written to it`
          )
      })

    return Vault.VaultConnector.of({
      shared: Option.fromNullable(shared),
      get: Effect.fnUntraced(function*(owner, name) {
        const { entries } = yield* vault.read
        const found = yield* stored(entries, owner, name)
        return Option.isNone(found) && owner === surroundings ? yield* variables.secret(name) : found
      }),
      names: Effect.fnUntraced(function*(owner) {
        const { entries } = yield* vault.read
        const written = [owner, references + owner].flatMap((section) => Array.from(entries.get(section)?.keys() ?? []))
        const known = yield* Effect.filter(written, (name) => Effect.map(stored(entries, owner, name), Option.isSome))
        return Array.from(new Set([...known, ...(owner === surroundings ? yield* variables.names : [])]))
      }),
      set: (owner, name, value) => modify("set", owner, (values) => new Map(values).set(name, value)),
      remove: (owner, name) =>
        modify("remove", owner, (values) => new Map(Array.from(values).filter(([one]) => one !== name)))
    })
  })
})

/** File, shared team and team of the environment from `SRE_VAULT_FILE`, `SRE_VAULT_SHARED` and `SRE_VAULT_ENVIRONMENT`. */
export const JSONFileVaultLive = JSONFileVault.layerConfig(Config.all({
  file: Config.withDefault(Config.nonEmptyString("SRE_VAULT_FILE"), undefined),
  shared: Config.withDefault(Config.nonEmptyString("SRE_VAULT_SHARED"), undefined),
  environment: Config.withDefault(Config.nonEmptyString("SRE_VAULT_ENVIRONMENT"), undefined)
}))

/** Encrypts a vault file in place. Does nothing to one that is encrypted already. */
export const encrypt = (file: string): Effect.Effect<void, ConnectorError> =>
  EncryptedFile.encrypt({ connector: name, file, purpose, entries: fromPlain })

const name = "JSONFileVault"
const purpose = "vault"

/**
 * Section of the secrets that name variables. Only the operator, who writes the plain file, makes one: a secret that was
 * `set` is taken literally, or whoever may write secrets could read the environment.
 */
const references = "$env "

const decode = (
  content: EncryptedFile.Content,
  path: string
): Effect.Effect<EncryptedFile.Entries, ConnectorError> =>
  content._tag === "Missing"
    ? Effect.succeed(new Map())
    : content._tag === "Plain"
    ? fromPlain(content.json, path)
    : Effect.succeed(content.entries)

/** Team names are the keys; `user:bob` and `agent:a1` are homes as well. What is not text is no secret and left out. */
const fromPlain = (json: unknown, path: string): Effect.Effect<EncryptedFile.Entries, ConnectorError> => {
  if (!isRecord(json)) return failure("read", "Corrupted", `${path}: expected {"team": {"name": "secret"}}`)
  const entries = new Map<string, Map<string, Redacted.Redacted>>()
  for (const [key, secrets] of Object.entries(json)) {
    const owner = /^(user|agent|team):./.test(key) ? key : `team:${key}`
    for (const [name, value] of Object.entries(isRecord(secrets) ? secrets : {})) {
      if (typeof value !== "string") continue
      const section = variable.test(value) ? references + owner : owner
      entries.set(
        section,
        (entries.get(section) ?? new Map<string, Redacted.Redacted>()).set(name, Redacted.make(value))
      )
    }
  }
  return Effect.succeed(entries)
}

const isRecord = (value: unknown): value is Record.ReadonlyRecord<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const variable = /\$env\(([^)\s]+)\)/

/** Every `$env(NAME)` replaced; nothing at all when one of the variables is not set. */
const expand = Effect.fnUntraced(function*(
  reference: Redacted.Redacted,
  lookup: (name: string) => Effect.Effect<Option.Option<Redacted.Redacted>>
) {
  const [text = "", ...rest] = Redacted.value(reference).split(new RegExp(variable, "g"))
  let expanded = text
  for (const [index, part] of rest.entries()) {
    if (index % 2 === 1) {
      expanded += part
      continue
    }
    const value = yield* lookup(part)
    if (Option.isNone(value)) return Option.none<Redacted.Redacted>()
    expanded += Redacted.value(value.value)
  }
  return Option.some(Redacted.make(expanded))
})

const failure = (method: string, reason: ConnectorError["reason"], detail: string) =>
  Effect.fail(new ConnectorError({ connector: name, method, reason, detail }))
