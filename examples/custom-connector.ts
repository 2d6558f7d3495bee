/** A connector of one's own: secrets in a `Map`. Who may see them is the service's business, not the connector's. */
import { Effect, Option, Redacted, Schema } from "effect"
import { Candidate, Connector, Vault } from "effect-sre"

const MapVault = Connector.make({
  name: "Map",
  contract: Vault.VaultConnector,
  service: Vault.layer,
  settings: Schema.Struct({
    /** Team whose secrets everybody may use. */
    shared: Schema.optional(Schema.NonEmptyString)
  }),
  make: ({ shared }) =>
    Effect.sync(() => {
      const secrets = new Map<string, Redacted.Redacted>()
      return Vault.VaultConnector.of({
        shared: Option.fromNullable(shared),
        get: (owner, name) => Effect.sync(() => Option.fromNullable(secrets.get(`${owner} ${name}`))),
        names: (owner) =>
          Effect.sync(() =>
            Array.from(secrets.keys(), (key) => key.split(" ")).flatMap(([home, name]) => home === owner ? name! : [])
          ),
        set: (owner, name, value) => Effect.sync(() => void secrets.set(`${owner} ${name}`, value)),
        remove: (owner, name) => Effect.sync(() => void secrets.delete(`${owner} ${name}`))
      })
    })
})

const main = Effect.gen(function*() {
  const vault = yield* Vault.Vault
  yield* Candidate.as(vault.set("openai", Redacted.make("sk-1")), Candidate.user("alice"))
  console.log("alice:", Redacted.value(yield* Candidate.as(vault.get("openai"), Candidate.user("alice"))))
  console.log("bob:", (yield* Effect.flip(Candidate.as(vault.get("openai"), Candidate.user("bob")))).message)
})

export const program = () => Effect.runPromise(Effect.provide(main, MapVault.layer({})))
