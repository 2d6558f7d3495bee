/** Where the API key of a provider comes from: an ordered list of modes, of which the first that yields a key wins. */
import { Config, type Context, Effect, Option, Redacted, Schema } from "effect"
import * as TemplateString from "../kernel/TemplateString.ts"
import * as Secrets from "./Secrets.ts"
import { Vault, type VaultError } from "./Vault.ts"

/**
 * - `vault`: the asker's secret named like the provider, in lower case.
 * - `internal`: the operator's own key, from the environment.
 * - `none`: no key is needed; later modes are not tried.
 * - an object: its `apiKey`, in which `{{KEY(name)}}` is a secret of the asker.
 */
export const Mode = Schema.Union(
  Schema.Literal("vault", "internal", "none"),
  Schema.Struct({ apiKey: Schema.Redacted(Schema.String) })
)
export type Mode = typeof Mode.Type

export interface Options {
  /** As the models registry names it: `OpenAI`. */
  readonly provider: string
  readonly modes: ReadonlyArray<Mode>
  /** Variable with the operator's own key, e.g. `OPENAI_API_KEY`. */
  readonly environment: string | undefined
  /** The operator's own key where it is configured; wins over the variable. */
  readonly operatorKey?: Redacted.Redacted | undefined
}

/** The key for one call, or none. A vault that fails, and a secret an object names in vain, fail; they are not skipped. */
export const resolve = Effect.fnUntraced(function*(
  vault: Context.Tag.Service<Vault>,
  options: Options
): Effect.fn.Return<Option.Option<Redacted.Redacted>, VaultError> {
  for (const mode of options.modes) {
    if (mode === "none") return Option.none()
    const found = yield* fromMode(mode, vault, options)
    if (Option.isSome(found) && Redacted.value(found.value) !== "") return found
  }
  return Option.none()
})

const fromMode = (
  mode: Exclude<Mode, "none">,
  vault: Context.Tag.Service<Vault>,
  { environment, operatorKey, provider }: Options
): Effect.Effect<Option.Option<Redacted.Redacted>, VaultError> => {
  if (mode === "internal") {
    return operatorKey !== undefined
      ? Effect.succeedSome(operatorKey)
      : environment === undefined
      ? Effect.succeedNone
      : fromEnvironment(environment)
  }
  if (mode === "vault") return vault.find(provider.toLowerCase())
  const rendered = Secrets.render(TemplateString.parse(Redacted.value(mode.apiKey)), {})
  return Effect.asSome(Effect.provideService(rendered, Vault, vault))
}

const fromEnvironment = (variable: string) =>
  Effect.orElseSucceed(Effect.asSome(Config.redacted(variable)), Option.none<Redacted.Redacted>)
