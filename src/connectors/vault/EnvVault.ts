/**
 * Vault from the environment, for one team: well-known provider keys (`OPENAI_API_KEY` is the secret `openai`) and
 * `SRE_SECRET_<NAME>`. One team only, because variable names fold case and punctuation and could not tell two teams apart.
 */
import { Config, type ConfigProvider, Effect, Option, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Vault from "../../security/Vault.ts"

/** Secret name to the variable its vendor documents. */
export const providerKeys: ReadonlyMap<string, string> = new Map([
  ["openai", "OPENAI_API_KEY"],
  ["anthropic", "ANTHROPIC_API_KEY"],
  ["googleai", "GOOGLE_AI_API_KEY"],
  ["groq", "GROQ_API_KEY"],
  ["togetherai", "TOGETHER_AI_API_KEY"],
  ["xai", "XAI_API_KEY"],
  ["perplexity", "PERPLEXITY_API_KEY"],
  ["deepseek", "DEEPSEEK_API_KEY"],
  ["tavily", "TAVILY_API_KEY"],
  ["scrapfly", "SCRAPFLY_API_KEY"]
])

export const EnvVault = Connector.make({
  name: "Env",
  aliases: ["EnvVault"],
  contract: Vault.VaultConnector,
  service: Vault.layer,
  settings: Schema.Struct({
    /** The team that sees the environment's secrets. */
    team: Schema.optionalWith(Schema.NonEmptyString, { default: () => "default" })
  }),
  make: Effect.fnUntraced(function*({ team }) {
    const environment = yield* open
    const home = `team:${team}`
    return Vault.VaultConnector.of({
      shared: Option.none(),
      get: (owner, name) => owner === home ? environment.secret(name) : Effect.succeedNone,
      names: (owner) => owner === home ? environment.names : Effect.succeed([]),
      set: () => readOnly("set"),
      remove: () => readOnly("remove")
    })
  })
})

/** For the team named by `SRE_VAULT_ENVIRONMENT`, by default `default`. */
export const EnvVaultLive = EnvVault.layerConfig({
  team: Config.withDefault(Config.nonEmptyString("SRE_VAULT_ENVIRONMENT"), "default")
})

/** The environment as the system was booted with; its variables are read at each call, and an empty one counts as unset. */
export const open = Effect.configProviderWith((provider: ConfigProvider.ConfigProvider) => {
  const variable = (name: string) =>
    Effect.map(
      Effect.option(provider.load(Config.redacted(name))),
      Option.filter((value) => Redacted.value(value) !== "")
    )

  const secret = Effect.fnUntraced(function*(name: string) {
    const own = yield* variable(`${prefix.join("_")}_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`)
    const known = providerKeys.get(name)
    return Option.isSome(own) || known === undefined ? own : yield* variable(known)
  })

  /** A provider names its children one `_` at a time. */
  const below = (path: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
    Effect.gen(function*() {
      const children = yield* Effect.orElseSucceed(provider.flattened.enumerateChildren(path), () => [])
      const deeper = yield* Effect.forEach(children, (child) => below([...path, child]))
      const here = path.length > prefix.length && Option.isSome(yield* variable(path.join("_")))
      return [...(here ? [path.slice(prefix.length).join("_").toLowerCase()] : []), ...deeper.flat()]
    })

  const names = Effect.gen(function*() {
    const known = yield* Effect.filter(providerKeys.keys(), (name) => Effect.map(secret(name), Option.isSome))
    return Array.from(new Set([...known, ...yield* below(prefix)]))
  })

  return Effect.succeed({ variable, secret, names })
})

const prefix = ["SRE", "SECRET"]

const readOnly = (method: string) =>
  Effect.fail(
    new ConnectorError({
      connector: "Env",
      method,
      reason: "Unsupported",
      detail: "secrets of the environment are set where the process is started; configure JSONFileVault to store some"
    })
  )
