/** Services for Promise code: the same guarded ones, asked as the given candidate. */
import { Duration, Effect, Option, Redacted } from "effect"
import * as VaultService from "../security/Vault.ts"
import * as StorageService from "../subsystems/io/Storage.ts"
import * as CacheService from "../subsystems/memory/Cache.ts"
import { type As, localUser, SRE } from "./Runtime.ts"

export class Storage {
  readonly #sre = SRE.current
  readonly #as: As
  constructor(options: { readonly as?: As } = {}) {
    this.#as = options.as ?? localUser
  }

  /** The bytes, or `undefined` when there is no such object. */
  read(key: string): Promise<Uint8Array | undefined> {
    return this.#sre.run(
      Effect.flatMap(StorageService.Storage, (storage) => storage.read(key)).pipe(
        Effect.asSome,
        Effect.catchTag("ObjectNotFound", () => Effect.succeedNone),
        Effect.map(Option.getOrUndefined)
      ),
      this.#as
    )
  }

  write(key: string, data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
    return this.#sre.run(
      Effect.asVoid(Effect.flatMap(StorageService.Storage, (storage) => storage.write(key, bytes))),
      this.#as
    )
  }

  exists(key: string): Promise<boolean> {
    return this.#sre.run(Effect.flatMap(StorageService.Storage, (storage) => storage.exists(key)), this.#as)
  }

  delete(key: string): Promise<void> {
    return this.#sre.run(
      Effect.asVoid(Effect.flatMap(StorageService.Storage, (storage) => storage.remove(key))),
      this.#as
    )
  }
}

export class Cache {
  readonly #sre = SRE.current
  readonly #as: As
  constructor(options: { readonly as?: As } = {}) {
    this.#as = options.as ?? localUser
  }

  /** The value, or `undefined` when there is none or its time is over. */
  get(key: string): Promise<string | undefined> {
    return this.#sre.run(
      Effect.map(Effect.flatMap(CacheService.Cache, (cache) => cache.get(key)), Option.getOrUndefined),
      this.#as
    )
  }

  /** `ttl` in seconds, or as a duration such as `"5 minutes"`; without it the value does not expire. */
  set(key: string, value: string, ttl?: number | Duration.DurationInput): Promise<void> {
    const timeToLive = typeof ttl === "number" ? Duration.seconds(ttl) : ttl
    return this.#sre.run(
      Effect.asVoid(Effect.flatMap(CacheService.Cache, (cache) => cache.set(key, value, { timeToLive }))),
      this.#as
    )
  }

  delete(key: string): Promise<void> {
    return this.#sre.run(Effect.asVoid(Effect.flatMap(CacheService.Cache, (cache) => cache.remove(key))), this.#as)
  }
}

export class Vault {
  readonly #sre = SRE.current
  readonly #as: As
  constructor(options: { readonly as?: As } = {}) {
    this.#as = options.as ?? localUser
  }

  /** The secret in clear text: do not log it. Rejects with `SecretNotFound`. */
  get(name: string): Promise<string> {
    return this.#sre.run(
      Effect.map(Effect.flatMap(VaultService.Vault, (vault) => vault.get(name)), Redacted.value),
      this.#as
    )
  }

  listKeys(): Promise<ReadonlyArray<string>> {
    return this.#sre.run(Effect.flatMap(VaultService.Vault, (vault) => vault.list), this.#as)
  }
}
