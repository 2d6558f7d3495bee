/**
 * Managed vault in AWS Secrets Manager, `<prefix>/<team>/<name>`. It has no conditional write of a value, but a label moves
 * only from the version that holds it: a value is put aside first, and becomes the current one where it replaces the expected.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
 */
import { Config, Effect, Option, type Redacted, Schema } from "effect"
import { randomUUID } from "node:crypto"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError } from "../../kernel/ConnectorError.ts"
import * as ManagedVault from "../../security/ManagedVault.ts"
import * as SecretsManagerClient from "../vault/SecretsManagerClient.ts"

export const SecretsManagerManagedVault = Connector.make({
  name: "SecretsManagerManagedVault",
  // The name older configurations know it by.
  aliases: ["SecretManagerManagedVault", "SecretsManager"],
  contract: ManagedVault.ManagedVaultConnector,
  service: ManagedVault.layer,
  settings: Schema.Struct({
    ...SecretsManagerClient.settings,
    /** Before the names of secrets: `<prefix>/<team>/<name>`. Default: nothing. */
    prefix: Schema.optionalWith(Schema.String, { default: () => "" })
  }).pipe(Schema.filter(SecretsManagerClient.complete)),
  make: Effect.fnUntraced(function*({ prefix, ...settings }) {
    const client = yield* SecretsManagerClient.open(name, settings)
    const idOf = (owner: string, name: string) => SecretsManagerClient.idOf(prefix, owner, name)

    const current = (method: string, SecretId: string) =>
      SecretsManagerClient.found(client(method, (sdk, options) => sdk.getSecretValue({ SecretId }, options)))

    /** The token is the new version's id; AWS takes a request that comes twice with it for one. */
    const create = (id: string, SecretString: string) =>
      client("set", (sdk, options) =>
        sdk.createSecret({
          Name: id,
          SecretString,
          ClientRequestToken: randomUUID(),
          Tags: [{ Key: "smyth-managed-vault", Value: "true" }]
        }, options))

    const replace = Effect.fnUntraced(function*(SecretId: string, SecretString: string, expected: string) {
      const version = randomUUID()
      yield* client("set", (sdk, options) =>
        sdk.putSecretValue({
          SecretId,
          SecretString,
          ClientRequestToken: version,
          VersionStages: ["SRE-PENDING"]
        }, options))
      yield* client("set", (sdk, options) =>
        sdk.updateSecretVersionStage({
          SecretId,
          VersionStage: "AWSCURRENT",
          RemoveFromVersionId: expected,
          MoveToVersionId: version
        }, options)).pipe(
          // AWS says the same of an outrun write and of a bad request.
          Effect.catchIf(
            SecretsManagerClient.isNamed("InvalidParameterException", "InvalidRequestException", "ValidationException"),
            (error) =>
              Effect.flatMap(
                current("set", SecretId),
                (found) =>
                  Effect.fail(
                    Option.exists(found, ({ VersionId }) => VersionId === expected) ? error : conflict(name, "set")
                  )
              )
          )
        )
    }, Effect.catchIf(isGone, () => Effect.fail(conflict(name, "set"))))

    /** A removed secret keeps its name for a week: it is restored, and replaced at once. */
    const revive = Effect.fnUntraced(function*(SecretId: string, text: string) {
      yield* client("set", (sdk, options) => sdk.restoreSecret({ SecretId }, options))
      const left = Option.flatMapNullable(yield* current("set", SecretId), ({ VersionId }) => VersionId)
      yield* Option.isNone(left) ? Effect.fail(conflict(name, "set")) : replace(SecretId, text, left.value)
    })

    return ManagedVault.ManagedVaultConnector.of({
      get: Effect.fnUntraced(function*(owner, key) {
        const SecretId = idOf(owner, key)
        const found = yield* current("get", SecretId)
        return yield* Effect.transposeMapOption(
          found,
          ({ SecretString, VersionId }) =>
            SecretString === undefined || VersionId === undefined
              ? Effect.fail(
                new ConnectorError({
                  connector: name,
                  method: "get",
                  reason: "Unsupported",
                  detail: `${SecretId} holds bytes; a secret is text`
                })
              )
              : Effect.succeed({ value: SecretsManagerClient.valueOf(key, SecretString), version: VersionId })
        )
      }),
      set: (owner: string, key: string, value: Redacted.Redacted, expected: Option.Option<string>) => {
        const id = idOf(owner, key)
        const text = SecretsManagerClient.written(key, value)
        return Option.match(expected, {
          onSome: (version) => replace(id, text, version),
          onNone: () =>
            create(id, text).pipe(
              Effect.catchIf(
                SecretsManagerClient.isNamed("ResourceExistsException"),
                () => Effect.fail(conflict(name, "set"))
              ),
              Effect.catchIf(SecretsManagerClient.isDeleted, () => revive(id, text)),
              Effect.asVoid
            )
        })
      },
      remove: (owner, key) => SecretsManagerClient.remove(client, idOf(owner, key))
    })
  })
})

/**
 * In `AWS_REGION`, with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` or the machine's credentials, under
 * `SRE_MANAGED_VAULT_PREFIX`.
 */
export const SecretsManagerManagedVaultLive = SecretsManagerManagedVault.layerConfig(Config.all({
  ...SecretsManagerClient.config,
  prefix: Config.withDefault(Config.string("SRE_MANAGED_VAULT_PREFIX"), "")
}))

const name = "SecretsManagerManagedVault"

/** Removed meanwhile. */
const isGone = (error: ConnectorError) =>
  SecretsManagerClient.isNamed("ResourceNotFoundException")(error) || SecretsManagerClient.isDeleted(error)
