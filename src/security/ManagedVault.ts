/**
 * ManagedVault: secrets the platform itself writes (OAuth tokens). Callers use {@link ManagedVault}, connectors implement
 * {@link ManagedVaultConnector}. Keys are relative to the asker's home; a team's home is reached by an absolute address.
 */
import { Context, Effect, Layer, Option, RcMap, type Redacted } from "effect"
import { type ConnectorError, isConflict, retrying } from "../kernel/ConnectorError.ts"
import { traced } from "../kernel/Trace.ts"
import * as Access from "./Access.ts"
import * as Address from "./Address.ts"
import * as Candidate from "./Candidate.ts"
import { SecretNotFound } from "./Vault.ts"

/** `version` is opaque and new with every write. */
export interface ManagedSecret {
  readonly value: Redacted.Redacted
  readonly version: string
}

/** `owner` is the name of a home: `team:t1`, `user:u1`, `agent:a1`. No access code. */
export class ManagedVaultConnector extends Context.Tag("effect-sre/ManagedVaultConnector")<ManagedVaultConnector, {
  readonly get: (owner: string, name: string) => Effect.Effect<Option.Option<ManagedSecret>, ConnectorError>
  /** Writes only while the stored version is `expected` (none: no secret yet), else fails with `Conflict`. */
  readonly set: (
    owner: string,
    name: string,
    value: Redacted.Redacted,
    expected: Option.Option<string>
  ) => Effect.Effect<void, ConnectorError>
  /** Also succeeds when there is nothing to remove. */
  readonly remove: (owner: string, name: string) => Effect.Effect<void, ConnectorError>
}>() {}

export type ManagedVaultError = Access.AccessError | Address.InvalidKey

/** Every method is an owner's operation on the home the key is in, so every use is audited. */
export class ManagedVault extends Context.Tag("effect-sre/ManagedVault")<ManagedVault, {
  readonly get: (key: string) => Effect.Effect<Redacted.Redacted, SecretNotFound | ManagedVaultError>
  readonly exists: (key: string) => Effect.Effect<boolean, ManagedVaultError>
  readonly set: (key: string, value: Redacted.Redacted) => Effect.Effect<void, ManagedVaultError>
  readonly remove: (key: string) => Effect.Effect<void, ManagedVaultError>
  /**
   * Renews a secret, one at a time within this process: `renew` gets the stored one and returns what replaces it, or none
   * to keep it. When another process wrote meanwhile, `renew` is asked again with what that one wrote, so no update is lost.
   */
  readonly refresh: <E, R>(
    key: string,
    renew: (current: Redacted.Redacted) => Effect.Effect<Option.Option<Redacted.Redacted>, E, R>
  ) => Effect.Effect<Redacted.Redacted, SecretNotFound | ManagedVaultError | E, R>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* ManagedVaultConnector
  const guard = yield* Access.guard("ManagedVault")
  const locks = yield* RcMap.make({ lookup: (_key: string) => Effect.makeSemaphore(1) })

  const locate = Effect.fnUntraced(function*(operation: string, key: string) {
    const who = yield* guard.candidate(operation)
    const address = yield* Address.resolve(key, who)
    yield* guard.check(Access.ofHome(address.home), { operation, level: "owner", resource: address.key })
    return { owner: Candidate.format(address.home), name: address.path, key: address.key }
  })

  const read = (owner: string, name: string) => retrying(connector.get(owner, name))

  const found = (owner: string, name: string) =>
    Effect.flatMap(
      read(owner, name),
      Option.match({
        onNone: () => Effect.fail(new SecretNotFound({ name, near: [] })),
        onSome: Effect.succeed
      })
    )

  const replace = Effect.fnUntraced(function*(owner: string, name: string, value: Redacted.Redacted) {
    const stored = yield* read(owner, name)
    yield* connector.set(owner, name, value, Option.map(stored, ({ version }) => version))
  }, Effect.retry({ while: isConflict, times: 3 }))

  /** What was renewed is written even when nobody waits for it any more: the old secret may be void by now. */
  const renewed = <E, R>(
    owner: string,
    name: string,
    renew: (current: Redacted.Redacted) => Effect.Effect<Option.Option<Redacted.Redacted>, E, R>
  ) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        for (let attempt = 0;; attempt++) {
          const stored = yield* restore(found(owner, name))
          const next = yield* restore(renew(stored.value))
          if (Option.isNone(next)) return stored.value
          const written = yield* retrying(connector.set(owner, name, next.value, Option.some(stored.version))).pipe(
            Effect.as(true),
            Effect.catchIf((error) => isConflict(error) && attempt < 3, () => Effect.succeed(false))
          )
          if (written) return next.value
        }
      })
    )

  return ManagedVault.of({
    get: Effect.fnUntraced(function*(key) {
      const { name, owner } = yield* locate("get", key)
      return (yield* found(owner, name)).value
    }, traced("ManagedVault.get")),
    exists: Effect.fnUntraced(function*(key) {
      const { name, owner } = yield* locate("exists", key)
      return Option.isSome(yield* read(owner, name))
    }, traced("ManagedVault.exists")),
    set: Effect.fnUntraced(function*(key, value) {
      const { name, owner } = yield* locate("set", key)
      yield* replace(owner, name, value)
    }, traced("ManagedVault.set")),
    remove: Effect.fnUntraced(function*(key) {
      const { name, owner } = yield* locate("remove", key)
      yield* retrying(connector.remove(owner, name))
    }, traced("ManagedVault.remove")),
    refresh: (key, renew) =>
      locate("refresh", key).pipe(
        Effect.flatMap(({ key, name, owner }) =>
          Effect.scoped(
            Effect.flatMap(RcMap.get(locks, key), (lock) => lock.withPermits(1)(renewed(owner, name, renew)))
          )
        ),
        traced("ManagedVault.refresh")
      )
  })
})

export const layer: Layer.Layer<ManagedVault, never, ManagedVaultConnector> = Layer.scoped(ManagedVault, make)
