/** Which key a provider of models is asked with, and whether the server of a model may be asked at all. */
import { type Context, Effect, Layer, Option, type Redacted, Schema } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import type * as Access from "../../security/Access.ts"
import * as Credentials from "../../security/Credentials.ts"
import * as Vault from "../../security/Vault.ts"
import type { NetworkPolicy } from "../io/NetworkPolicy.ts"
import type { Model } from "./Models.ts"

/** No key for the provider in the candidate's vault, nor (in internal credential mode) in the environment. */
export class MissingCredentials extends Schema.TaggedError<MissingCredentials>()("MissingCredentials", {
  provider: Schema.String,
  /** Where a key was looked for. */
  lookedIn: Schema.Array(Schema.String),
  /** Variable whose key would do, if there is one. */
  variable: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const variable = this.variable === undefined ? "" : `, or set ${this.variable} where the vault sees the environment`
    return `No API key for ${this.provider}. Looked in: ${this.lookedIn.join(", ")}. Put one there${variable}`
  }
}

/** What is known of a provider's keys without asking it. */
export interface Keyed {
  /** As the models registry names it: `OpenAI`, `Echo`. */
  readonly provider: string
  readonly credentials: {
    /** Variable with the operator's own key. */
    readonly environment: string | undefined
    /** The operator's own key from the settings; wins over the variable. */
    readonly apiKey?: Redacted.Redacted | undefined
    /** Whether a call without any key makes no sense. */
    readonly required: boolean
  }
  /** Where models that name no address are asked, where that is a machine nearby and not the choice of the operator. */
  readonly nearby?: string | undefined
}

/** The key of this asker for one call. `standalone`: one program's own system, where the operator's key serves every model. */
export const keyOf = (
  model: Model,
  { credentials, provider }: Keyed,
  vault: Context.Tag.Service<Vault.Vault>,
  options: { readonly standalone: boolean }
): Effect.Effect<Redacted.Redacted | undefined, MissingCredentials | Access.AccessError> => {
  // A key the operator wrote in the settings is for all of the operator's models, after the asker's own.
  const serves = options.standalone ? !ownAddress(model) : credentials.apiKey !== undefined && !model.isCustom
  const modes = serves && !model.credentials.includes("none")
    ? [...model.credentials, "internal" as const]
    : model.credentials
  return Credentials.resolve(vault, {
    provider,
    modes,
    environment: credentials.environment,
    operatorKey: credentials.apiKey
  }).pipe(
    Effect.catchTag(
      "SecretNotFound",
      ({ name }) => Effect.fail(new MissingCredentials({ provider, lookedIn: [`secret "${name}" of the vault`] }))
    ),
    Effect.filterOrFail(
      (key) => Option.isSome(key) || modes.includes("none") || !credentials.required || ownAddress(model),
      () =>
        new MissingCredentials({
          provider,
          lookedIn: modes.map((mode) => placeOf(mode, provider, credentials)),
          variable: credentials.environment
        })
    ),
    Effect.map(Option.getOrUndefined)
  )
}

/**
 * A server that a candidate put into its own models is judged as any place it would connect to, and so is one nearby that
 * nobody chose. Gives the policy that must also judge what DNS makes of the name, when it is connected to; none for the
 * addresses of the operator.
 */
export const reachable = (
  model: Model,
  { nearby }: Keyed,
  policy: NetworkPolicy,
  method: string
): Effect.Effect<NetworkPolicy | undefined, ConnectorError> => {
  const address = model.isForeign ? model.baseURL ?? nearby : undefined
  const judge = address === undefined ? undefined : policy
  const detail = address === undefined
    ? undefined
    : URL.canParse(address)
    ? policy.refusesUrl(new URL(address))
    : "it is not a URL"
  return detail === undefined ? Effect.succeed(judge) : Effect.fail(
    new ConnectorError({
      connector: model.provider,
      method,
      reason: "InvalidInput",
      detail: `the server of the model "${model.name}" must not be asked: ${detail}`
    })
  )
}

/** What holds for a model of which nothing is written down. */
export const unknownModel: Model = {
  name: "",
  modelId: "",
  provider: "",
  label: "",
  features: [],
  tags: [],
  contextTokens: undefined,
  outputTokens: undefined,
  baseURL: undefined,
  credentials: ["vault"],
  interface: undefined,
  params: {},
  prices: undefined,
  models: [],
  choose: "order",
  fallback: undefined,
  settings: {},
  enabled: true,
  hidden: false,
  isCustom: true,
  isForeign: true
}

const noVault = (method: string) =>
  Effect.fail(
    new ConnectorError({ connector: "none", method, reason: "Unsupported", detail: "no vault is configured" })
  )

/** For one program's own system: a vault without secrets. */
export const withoutVault: Layer.Layer<Vault.Vault> = Layer.provide(
  Vault.layer,
  Layer.succeed(Vault.VaultConnector, {
    shared: Option.none(),
    get: () => Effect.succeedNone,
    names: () => Effect.succeed([]),
    set: () => noVault("set"),
    remove: () => noVault("remove")
  })
)

/** Whether the asker chose where the call goes: then the operator's key must not, and a server without keys may. */
const ownAddress = (model: Model) => model.isForeign && model.baseURL !== undefined

const placeOf = (mode: Credentials.Mode, provider: string, { environment }: Keyed["credentials"]): string =>
  mode === "vault"
    ? `secret "${provider.toLowerCase()}" of the vault`
    : mode === "internal"
    ? ["settings.apiKey", ...(environment === undefined ? [] : [environment])].join(", ")
    : "the model's own credentials"
