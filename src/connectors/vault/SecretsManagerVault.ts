/** Vault in AWS Secrets Manager: a secret for each, `<prefix>/<team>/<name>`, as its text or as a field of its own name. */
import { Config, Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Vault from "../../security/Vault.ts"
import * as SecretsManagerClient from "./SecretsManagerClient.ts"

export const SecretsManagerVault = Connector.make({
  name: "SecretsManager",
  aliases: ["SecretsManagerVault", "AWSSecretsManager"],
  contract: Vault.VaultConnector,
  service: Vault.layer,
  settings: Schema.Struct({
    ...SecretsManagerClient.settings,
    /** Before the names of secrets: `<prefix>/<team>/<name>`. */
    prefix: Schema.optionalWith(Schema.String, { default: () => "smythos" }),
    /** Team whose secrets every candidate may use. Default: none. */
    shared: Schema.optional(Schema.NonEmptyString)
  }).pipe(Schema.filter(SecretsManagerClient.complete)),
  make: Effect.fnUntraced(function*({ prefix, shared, ...settings }) {
    const client = yield* SecretsManagerClient.open(name, settings)
    const idOf = (owner: string, name: string) => SecretsManagerClient.idOf(prefix, owner, name)

    const put = (SecretId: string, SecretString: string) =>
      client("set", (sdk, options) => sdk.putSecretValue({ SecretId, SecretString }, options))

    const page = (folder: string, NextToken: string | undefined) =>
      client(
        "names",
        (sdk, options) =>
          sdk.listSecrets({ Filters: [{ Key: "name", Values: [folder] }], MaxResults: 100, NextToken }, options)
      )

    return Vault.VaultConnector.of({
      shared: Option.fromNullable(shared),
      get: Effect.fnUntraced(function*(owner, key) {
        const SecretId = idOf(owner, key)
        const found = yield* SecretsManagerClient.found(
          client("get", (sdk, options) => sdk.getSecretValue({ SecretId }, options))
        )
        if (Option.isNone(found)) return Option.none()
        const { SecretString } = found.value
        return SecretString === undefined
          ? yield* new ConnectorError({
            connector: name,
            method: "get",
            reason: "Unsupported",
            detail: `${SecretId} holds bytes; a secret is text`
          })
          : Option.some(SecretsManagerClient.valueOf(key, SecretString))
      }),
      names: Effect.fnUntraced(function*(owner) {
        const folder = SecretsManagerClient.folderOf(prefix, owner)
        const names: Array<string> = []
        let next: string | undefined = undefined
        do {
          const { NextToken, SecretList }: Page = yield* page(folder, next)
          names.push(
            ...(SecretList ?? []).flatMap(({ Name = "" }) => Option.toArray(SecretsManagerClient.nameOf(folder, Name)))
          )
          next = NextToken
        } while (next !== undefined)
        return names
      }),
      set: (owner, key, value) => {
        const id = idOf(owner, key)
        const text = SecretsManagerClient.written(key, value)
        return put(id, text).pipe(
          Effect.catchIf(SecretsManagerClient.isNamed("ResourceNotFoundException"), () =>
            Effect.catchIf(
              client("set", (sdk, options) => sdk.createSecret({ Name: id, SecretString: text }, options)),
              SecretsManagerClient.isNamed("ResourceExistsException"),
              () => put(id, text)
            )),
          Effect.catchIf(SecretsManagerClient.isDeleted, () =>
            Effect.zipRight(
              client("set", (sdk, options) => sdk.restoreSecret({ SecretId: id }, options)),
              put(id, text)
            )),
          Effect.asVoid
        )
      },
      remove: (owner, key) => SecretsManagerClient.remove(client, idOf(owner, key))
    })
  })
})

/**
 * In `AWS_REGION`, with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` or the machine's credentials, under
 * `SRE_VAULT_PREFIX`; `SRE_VAULT_SHARED` names the team whose secrets are everybody's.
 */
export const SecretsManagerVaultLive = SecretsManagerVault.layerConfig(Config.all({
  ...SecretsManagerClient.config,
  prefix: Config.withDefault(Config.string("SRE_VAULT_PREFIX"), "smythos"),
  shared: Config.withDefault(Config.nonEmptyString("SRE_VAULT_SHARED"), undefined)
}))

const name = "SecretsManager"

interface Page {
  readonly SecretList?: ReadonlyArray<{ readonly Name?: string | undefined }> | undefined
  readonly NextToken?: string | undefined
}
