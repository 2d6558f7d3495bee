/**
 * Managed vault in a database ({@link Sql}), which never sees a secret: each is encrypted under a key of its own, and that one
 * under the master key. Both are bound to whose secret it is and to its name, so that none can be moved.
 */
import { Config, Effect, Option, Redacted, Schema } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import * as ManagedVault from "../../security/ManagedVault.ts"
import * as Sql from "../Sql.ts"
import { seal, unseal } from "../vault/EncryptedFile.ts"
import * as VaultKey from "../vault/VaultKey.ts"

export const SQLManagedVault = Connector.make({
  name: "SQLManagedVault",
  aliases: ["SQL"],
  contract: ManagedVault.ManagedVaultConnector,
  service: ManagedVault.layer,
  settings: Schema.Struct({
    ...Sql.settings,
    /** The master key: 32 bytes in hexadecimal or base64. Default: `SRE_VAULT_KEY`. */
    key: Schema.optional(Schema.Redacted(Schema.String)),
    /** Master keys of before: what they encrypted is read, and under `key` from its next write on. */
    formerKeys: Schema.optionalWith(Schema.Array(Schema.Redacted(Schema.String)), { default: () => [] })
  }),
  make: Effect.fnUntraced(function*({ formerKeys, key, ...settings }) {
    const current = yield* masterKey("key", key ?? (yield* environmentKey))
    const former = yield* Effect.forEach(formerKeys, (text, n) => masterKey(`formerKeys.${n}`, text))
    const keys = new Map([...former, current].map((one) => [one.id, one.bytes]))
    const { run } = yield* Sql.open(connector, settings, tables)

    const opened = (owner: string, secret: string, { data_key, key_id, sealed, version }: Row) => {
      const master = keys.get(key_id)
      if (master === undefined) {
        return failure(
          "Unauthorized",
          `the secret "${secret}" of ${owner} was encrypted under another master key; enter it in formerKeys`
        )
      }
      const value = Option.flatMap(
        unseal(master, data_key, [purpose, "key", owner, secret]),
        (key) => unseal(Buffer.from(key, "base64"), sealed, [purpose, owner, secret, version])
      )
      return Option.isSome(value)
        ? Effect.succeed({ value: Redacted.make(value.value), version })
        : failure("Corrupted", `the secret "${secret}" of ${owner} was changed or damaged`)
    }

    return ManagedVault.ManagedVaultConnector.of({
      get: Effect.fnUntraced(function*(owner, name) {
        const [row] = yield* run(
          "get",
          (sql) =>
            sql<Row>`SELECT data_key, key_id, sealed, version FROM sre_managed_vault
            WHERE owner = ${Sql.toBytes(owner)} AND name = ${Sql.toBytes(name)}`
        )
        return yield* Effect.transposeMapOption(Option.fromNullable(row), (row) => opened(owner, name, row))
      }),
      set: Effect.fnUntraced(function*(owner, name, value, expected) {
        const dataKey = randomBytes(32)
        const version = yield* Ids.make("v")
        const id = { owner: Sql.toBytes(owner), name: Sql.toBytes(name) }
        const row: Row = {
          data_key: seal(current.bytes, dataKey.toString("base64"), [purpose, "key", owner, name]),
          key_id: current.id,
          sealed: seal(dataKey, Redacted.value(value), [purpose, owner, name, version]),
          version
        }
        const written = yield* run("set", (sql) =>
          Option.match(expected, {
            onNone: () => Effect.as(sql`INSERT INTO sre_managed_vault ${sql.insert({ ...id, ...row })}`, 1),
            onSome: (expected) =>
              Sql.rows(sql`UPDATE sre_managed_vault SET ${sql.update({ ...row })}
                WHERE owner = ${id.owner} AND name = ${id.name} AND version = ${expected}`)
          }))
        if (written === 0) return yield* conflict(connector, "set")
      }),
      remove: (owner, name) =>
        run("remove", (sql) =>
          Effect.asVoid(sql`DELETE FROM sre_managed_vault
            WHERE owner = ${Sql.toBytes(owner)} AND name = ${Sql.toBytes(name)}`))
    })
  })
})

/** In the database named by `SRE_SQL_URL`, under the key in `SRE_VAULT_KEY`. */
export const SQLManagedVaultLive = SQLManagedVault.layerConfig(
  Config.all({
    ...Sql.config,
    key: Config.withDefault(Config.redacted("SRE_VAULT_KEY"), undefined),
    formerKeys: Config.succeed([])
  })
)

const connector = "SQLManagedVault"
const purpose = "managed vault in SQL"

const tables: Sql.Migrations = {
  name: "managedvault",
  steps: [
    (sql, type) => [
      sql`CREATE TABLE IF NOT EXISTS sre_managed_vault (
        owner ${type.key(600)} NOT NULL, name ${type.key(1024)} NOT NULL,
        data_key ${type.text} NOT NULL, key_id ${type.word} NOT NULL, sealed ${type.text} NOT NULL,
        version ${type.word} NOT NULL, PRIMARY KEY (owner, name))`
    ]
  ]
}

interface Row {
  readonly data_key: string
  readonly key_id: string
  readonly sealed: string
  readonly version: string
}

const environmentKey = Effect.mapError(
  Config.redacted("SRE_VAULT_KEY"),
  () => boot("key", "there is no key. Set SRE_VAULT_KEY, or this setting: openssl rand -base64 32")
)

/** The same on every machine that uses the database, so never made up here. A passphrase is too weak to be one. */
const masterKey = (setting: string, text: Redacted.Redacted) => {
  const bytes = VaultKey.decode(Redacted.value(text).trim())
  return bytes === undefined
    ? Effect.fail(boot(setting, "it must be 32 bytes in hexadecimal or base64: openssl rand -base64 32"))
    : Effect.succeed({ bytes, id: createHash("sha256").update(purpose).update(bytes).digest("hex").slice(0, 16) })
}

const boot = (setting: string, problem: string) =>
  new BootError({ service: "ManagedVault", connector, path: `ManagedVault.Settings.${setting}`, problem })

const failure = (reason: ConnectorError["reason"], detail: string) =>
  Effect.fail(new ConnectorError({ connector, method: "get", reason, detail }))
