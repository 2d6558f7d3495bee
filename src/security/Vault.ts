/**
 * Vault: named secrets of teams, users and agents. Callers use {@link Vault}, connectors implement {@link VaultConnector}.
 * A candidate sees the secrets of its own home, then of its teams, then of the team the operator opened to everybody.
 */
import { Array, Context, Effect, Layer, Option, type Redacted, Schema } from "effect"
import { type ConnectorError, retrying } from "../kernel/ConnectorError.ts"
import { nearest } from "../kernel/Nearest.ts"
import { traced } from "../kernel/Trace.ts"
import * as Access from "./Access.ts"
import * as Address from "./Address.ts"
import * as Candidate from "./Candidate.ts"

/** None of the secrets the asker may use has this name; whether somebody else has one is not told. */
export class SecretNotFound extends Schema.TaggedError<SecretNotFound>()("SecretNotFound", {
  name: Schema.String,
  /** Names close to it that the asker may use. */
  near: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const near = this.near.length === 0 ? "" : ` Did you mean ${this.near.map((one) => `"${one}"`).join(" or ")}?`
    return `No secret named "${this.name}" in the vault.${near}`
  }
}

export type VaultError = SecretNotFound | Access.AccessError

/** `owner` is the name of a home: `team:t1`, `user:u1`, `agent:a1`. No access code. */
export class VaultConnector extends Context.Tag("effect-sre/VaultConnector")<VaultConnector, {
  /** Team whose secrets the operator opened to every known candidate. */
  readonly shared: Option.Option<string>
  readonly get: (owner: string, name: string) => Effect.Effect<Option.Option<Redacted.Redacted>, ConnectorError>
  readonly names: (owner: string) => Effect.Effect<ReadonlyArray<string>, ConnectorError>
  /** Creates or replaces. A vault that is written elsewhere fails with `Unsupported`. */
  readonly set: (owner: string, name: string, value: Redacted.Redacted) => Effect.Effect<void, ConnectorError>
  /** Also succeeds when there is nothing to remove. */
  readonly remove: (owner: string, name: string) => Effect.Effect<void, ConnectorError>
}>() {}

export class Vault extends Context.Tag("effect-sre/Vault")<Vault, {
  /** The secret, for the moment it is needed. Never empty text for one that is missing. */
  readonly get: (name: string) => Effect.Effect<Redacted.Redacted, VaultError>
  /** The same for who can do without it. */
  readonly find: (name: string) => Effect.Effect<Option.Option<Redacted.Redacted>, Access.AccessError>
  readonly exists: (name: string) => Effect.Effect<boolean, Access.AccessError>
  /** The names the asker may use, sorted. */
  readonly list: Effect.Effect<ReadonlyArray<string>, Access.AccessError>
  /** Stores a secret in the asker's home, or in its team's by `smythfs://<id>.team/<name>`. */
  readonly set: (
    name: string,
    value: Redacted.Redacted
  ) => Effect.Effect<void, Access.AccessError | Address.InvalidKey>
  readonly remove: (name: string) => Effect.Effect<void, Access.AccessError | Address.InvalidKey>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* VaultConnector
  const guard = yield* Access.guard("Vault")

  /** The homes whose secrets the asker may use, in the order they are searched. The public has none. */
  const visible = (operation: string) =>
    Effect.flatMap(guard.candidate(operation), (who) =>
      who.role === "public"
        ? Effect.succeed<ReadonlyArray<Home>>([])
        : Effect.map(guard.teams(who), (teams) => {
          const shared = Option.toArray(connector.shared)
          return [
            { owner: Candidate.format(who), shows: () => true },
            ...teams.map(({ gives, team }): Home => ({
              owner: `team:${team}`,
              shows: (name) => shared.includes(team) || gives("read", `team:${team}/${name}`)
            })),
            ...shared.filter((id) => !teams.some(({ team }) => team === id))
              .map((id): Home => ({ owner: `team:${id}`, shows: () => true }))
          ].filter(({ owner }, n, all) => all.findIndex((one) => one.owner === owner) === n)
        }))

  const search = Effect.fnUntraced(function*(name: string, homes: ReadonlyArray<Home>) {
    for (const { owner, shows } of homes) {
      const found = shows(name) ? yield* retrying(connector.get(owner, name)) : Option.none()
      if (Option.isSome(found)) return found
    }
    return Option.none<Redacted.Redacted>()
  })

  const namesIn = (homes: ReadonlyArray<Home>) =>
    Effect.map(
      Effect.forEach(homes, ({ owner, shows }) => Effect.map(retrying(connector.names(owner)), Array.filter(shows))),
      (names) => Array.dedupe(names.flat()).sort()
    )

  /** Where a write goes: an owner's operation on the home it goes to. */
  const owned = Effect.fnUntraced(function*(operation: string, name: string) {
    const who = yield* guard.candidate(operation)
    const address = yield* Address.resolve(name, who)
    yield* guard.check(Access.ofHome(address.home), { operation, level: "owner", resource: address.key })
    return { owner: Candidate.format(address.home), name: address.path }
  })

  return Vault.of({
    get: Effect.fnUntraced(function*(name) {
      const homes = yield* visible("get")
      const found = yield* search(name, homes)
      if (Option.isNone(found)) return yield* new SecretNotFound({ name, near: nearest(name, yield* namesIn(homes)) })
      yield* guard.granted("get", name)
      return found.value
    }, traced("Vault.get")),
    find: Effect.fnUntraced(function*(name) {
      const found = yield* search(name, yield* visible("find"))
      if (Option.isSome(found)) yield* guard.granted("get", name)
      return found
    }, traced("Vault.find")),
    exists: Effect.fnUntraced(function*(name) {
      return Option.isSome(yield* search(name, yield* visible("exists")))
    }, traced("Vault.exists")),
    list: traced("Vault.list")(Effect.flatMap(visible("list"), namesIn)),
    set: Effect.fnUntraced(function*(name, value) {
      const { name: path, owner } = yield* owned("set", name)
      yield* retrying(connector.set(owner, path, value))
    }, traced("Vault.set")),
    remove: Effect.fnUntraced(function*(name) {
      const { name: path, owner } = yield* owned("remove", name)
      yield* retrying(connector.remove(owner, path))
    }, traced("Vault.remove"))
  })
})

interface Home {
  readonly owner: string
  /** Whether the asker's roles let it see the secret of that name. */
  readonly shows: (name: string) => boolean
}

export const layer: Layer.Layer<Vault, never, VaultConnector> = Layer.effect(Vault, make)
