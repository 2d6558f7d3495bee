/** Services for Promise code: the same guarded ones, asked as the given candidate. */
import { Duration, Effect, Option, Redacted } from "effect"
import * as VaultService from "../security/Vault.ts"
import * as StorageService from "../subsystems/io/Storage.ts"
import * as CacheService from "../subsystems/memory/Cache.ts"
import { type ObjectOptions, Session } from "./Runtime.ts"

export class Storage {
  readonly #session: Session
  constructor(options: ObjectOptions = {}) {
    this.#session = new Session(options)
  }

  /** The bytes, or `undefined` when there is no such object. */
  read(key: string): Promise<Uint8Array | undefined> {
    return this.#session.run(
      Effect.flatMap(StorageService.Storage, (storage) => storage.read(key)).pipe(
        Effect.asSome,
        Effect.catchTag("ObjectNotFound", () => Effect.succeedNone),
        Effect.map(Option.getOrUndefined)
      )
    )
  }

  /** Text is written as UTF-8. */
  write(key: string, data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
    return this.#session.run(
      Effect.asVoid(Effect.flatMap(StorageService.Storage, (storage) => storage.write(key, bytes)))
    )
  }

  exists(key: string): Promise<boolean> {
    return this.#session.run(Effect.flatMap(StorageService.Storage, (storage) => storage.exists(key)))
  }

  delete(key: string): Promise<void> {
    return this.#session.run(
      Effect.asVoid(Effect.flatMap(StorageService.Storage, (storage) => storage.remove(key)))
    )
  }
}

export class Cache {
  readonly #session: Session
  constructor(options: ObjectOptions = {}) {
    this.#session = new Session(options)
  }

  /** The value, or `undefined` when there is none or its time is over. */
  get(key: string): Promise<string | undefined> {
    return this.#session.run(
      Effect.map(Effect.flatMap(CacheService.Cache, (cache) => cache.get(key)), Option.getOrUndefined)
    )
  }

  /** `ttl` in seconds, or as a duration such as `"5 minutes"`; without it the value does not expire. */
  set(key: string, value: string, ttl?: number | Duration.DurationInput): Promise<void> {
    const timeToLive = typeof ttl === "number" ? Duration.seconds(ttl) : ttl
    return this.#session.run(
      Effect.asVoid(Effect.flatMap(CacheService.Cache, (cache) => cache.set(key, value, { timeToLive })))
    )
  }

  exists(key: string): Promise<boolean> {
    return this.#session.run(Effect.flatMap(CacheService.Cache, (cache) => cache.exists(key)))
  }

  delete(key: string): Promise<void> {
    return this.#session.run(Effect.asVoid(Effect.flatMap(CacheService.Cache, (cache) => cache.remove(key))))
  }
}

export class Vault {
  readonly #session: Session
  constructor(options: ObjectOptions = {}) {
    this.#session = new Session(options)
  }

  /** The secret in clear text: do not log it. Rejects with `SecretNotFound`. */
  get(name: string): Promise<string> {
    return this.#session.run(
      Effect.map(Effect.flatMap(VaultService.Vault, (vault) => vault.get(name)), Redacted.value)
    )
  }

  listKeys(): Promise<ReadonlyArray<string>> {
    return this.#session.run(Effect.flatMap(VaultService.Vault, (vault) => vault.list))
  }
}
