/** A vault in memory, for whole systems in tests. */
import { Effect, Layer, Option, Redacted } from "effect"
import { VaultConnector } from "../security/Vault.ts"

/** Secrets by owner: `{ "team:ta": { openai: "sk-…" } }`. */
export const memoryVault = (initial: Readonly<Record<string, Readonly<Record<string, string>>>>) =>
  Layer.sync(VaultConnector, () => {
    const owners = new Map(Object.entries(initial).map(([owner, secrets]) => [owner, new Map(Object.entries(secrets))]))
    const of = (owner: string) => owners.get(owner) ?? new Map<string, string>()
    return {
      shared: Option.none(),
      get: (owner, name) => Effect.sync(() => Option.map(Option.fromNullable(of(owner).get(name)), Redacted.make)),
      names: (owner) => Effect.sync(() => Array.from(of(owner).keys())),
      set: (owner, name, value) =>
        Effect.sync(() => {
          owners.set(owner, of(owner).set(name, Redacted.value(value)))
        }),
      remove: (owner, name) => Effect.sync(() => void of(owner).delete(name))
    }
  })
