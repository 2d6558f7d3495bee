/** Templates with `{{KEY(name)}}`: secrets come from the vault of whoever is asking, never of whom a document names. */
import { Effect, Redacted } from "effect"
import * as TemplateString from "../kernel/TemplateString.ts"
import { Vault, type VaultError } from "./Vault.ts"

/** Renders tokens from `data` and secrets from the vault; a secret that is missing fails, and nothing is sent anywhere. */
export const render = (
  template: TemplateString.Template,
  data: Readonly<Record<string, unknown>>,
  options: { readonly encode?: "text" | "json" | "uri"; readonly missing?: "keep" | "drop" } = {}
): Effect.Effect<Redacted.Redacted, VaultError, Vault> => {
  const names = TemplateString.secrets(template)
  return names.length === 0
    ? Effect.sync(() => Redacted.make(TemplateString.render(template, data, options)))
    : Effect.map(fetch(names), (values) =>
      Redacted.make(TemplateString.render(template, data, {
        ...options,
        secret: (name) => {
          const value = values.get(name)
          return value === undefined ? undefined : Redacted.value(value)
        }
      })))
}

const fetch = (names: ReadonlyArray<string>) =>
  Effect.flatMap(Vault, (vault) =>
    Effect.map(
      Effect.forEach(new Set(names), (name) => Effect.map(vault.get(name), (value) => [name, value] as const)),
      (entries) => new Map(entries)
    ))
