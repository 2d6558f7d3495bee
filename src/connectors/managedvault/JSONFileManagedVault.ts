/** Managed vault in an encrypted JSON file, with the key of the vault ({@link EncryptedFile}). */
import { Config, Effect, Option, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import * as ManagedVault from "../../security/ManagedVault.ts"
import * as DataFolder from "../DataFolder.ts"
import * as EncryptedFile from "../vault/EncryptedFile.ts"

export const JSONFileManagedVault = Connector.make({
  name: "JSONFileManagedVault",
  aliases: ["JSONFile"],
  contract: ManagedVault.ManagedVaultConnector,
  service: ManagedVault.layer,
  settings: Schema.Struct({
    /** Default: `managed-vault.json` in the data folder. */
    file: Schema.optional(Schema.NonEmptyString)
  }),
  make: Effect.fnUntraced(function*({ file }) {
    const vault = yield* EncryptedFile.open({
      connector: name,
      file: file ?? (yield* DataFolder.config("managed-vault.json")),
      purpose: "managed vault",
      decode
    })

    return ManagedVault.ManagedVaultConnector.of({
      get: (owner, name) => Effect.map(vault.read, (entries) => secretIn(entries, owner, name)),
      set: Effect.fnUntraced(function*(owner, name, value, expected) {
        const version = yield* Ids.make("v")
        yield* vault.modify((entries) => {
          const stored = Option.map(secretIn(entries, owner, name), ({ version }) => version)
          return Option.getOrUndefined(stored) === Option.getOrUndefined(expected)
            ? Effect.succeed(change(entries, owner, (values) => values.set(name, written(version, value))))
            : failure("set", "Conflict", "the secret was written by somebody else meanwhile")
        })
      }),
      remove: (owner, name) =>
        vault.modify((entries) => Effect.succeed(change(entries, owner, (values) => values.delete(name))))
    })
  })
})

/** File named by `SRE_MANAGED_VAULT_FILE`, by default `managed-vault.json` in the data folder. */
export const JSONFileManagedVaultLive = JSONFileManagedVault.layerConfig(Config.all({
  file: Config.withDefault(Config.nonEmptyString("SRE_MANAGED_VAULT_FILE"), undefined)
}))

const name = "JSONFileManagedVault"

const decode = (
  content: EncryptedFile.Content,
  path: string
): Effect.Effect<EncryptedFile.Entries, ConnectorError> =>
  content._tag === "Missing"
    ? Effect.succeed(new Map())
    : content._tag === "Encrypted"
    ? Effect.succeed(content.entries)
    : failure("read", "Corrupted", `${path}: a managed vault is always encrypted, and this is not`)

const change = (
  entries: EncryptedFile.Entries,
  owner: string,
  edit: (values: Map<string, Redacted.Redacted>) => void
): EncryptedFile.Entries => {
  const values = new Map(entries.get(owner))
  edit(values)
  return new Map(entries).set(owner, values)
}

/** Version and secret are encrypted as one text: `v-… secret`. */
const written = (version: string, value: Redacted.Redacted) => Redacted.make(`${version} ${Redacted.value(value)}`)

const secretIn = (
  entries: EncryptedFile.Entries,
  owner: string,
  name: string
): Option.Option<ManagedVault.ManagedSecret> =>
  Option.map(Option.fromNullable(entries.get(owner)?.get(name)), (stored) => {
    const text = Redacted.value(stored)
    const cut = text.indexOf(" ")
    return { version: text.slice(0, cut), value: Redacted.make(text.slice(cut + 1)) }
  })

const failure = (method: string, reason: ConnectorError["reason"], detail: string) =>
  Effect.fail(new ConnectorError({ connector: name, method, reason, detail }))
