/** Storage in this process's memory: gone when it ends, bounded, for tests and short-lived work. */
import { Clock, Effect, Option, Schema, Stream } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError } from "../../kernel/ConnectorError.ts"
import { add, half } from "../../kernel/Places.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as Tenants from "../../security/Tenants.ts"
import { concat } from "../../subsystems/Guarded.ts"
import * as Storage from "../../subsystems/io/Storage.ts"

const MemoryStorageSettings = Schema.Struct({
  /** Of all objects together; a write that would pass it fails with `Full`. */
  maxBytes: Schema.optionalWith(ByteSize, { default: () => 256 * 2 ** 20 }),
  /** Of these, for one team, or one candidate that is in none. Default: half. */
  maxBytesPerTenant: Schema.optional(ByteSize)
})

export const MemoryStorage = Connector.make({
  name: "Memory",
  contract: Storage.StorageConnector,
  service: Storage.layer,
  settings: MemoryStorageSettings,
  make: ({ maxBytes, maxBytesPerTenant = half(maxBytes) }) =>
    Effect.map(Tenants.make, ({ ofKey }) => {
      const objects = new Map<string, StoredBytes>()
      const usedOf = new Map<string, number>()
      let usedBytes = 0
      let writes = 0

      const replace = (method: string, key: string, expected: Option.Option<string>, next: StoredBytes | undefined) => {
        const stored = objects.get(key)
        if (stored?.version !== Option.getOrUndefined(expected)) return Effect.fail(conflict("Memory", method))
        const bytes = sizeOf(key, next) - sizeOf(key, stored)
        const tenant = (stored ?? next)?.tenant ?? ""
        if (next !== undefined && usedBytes + bytes > maxBytes) return Effect.fail(full(method, maxBytes, "maxBytes"))
        if (next !== undefined && (usedOf.get(tenant) ?? 0) + bytes > maxBytesPerTenant) {
          return Effect.fail(full(method, maxBytesPerTenant, "maxBytesPerTenant"))
        }
        usedBytes += bytes
        add(usedOf, tenant, bytes)
        if (next === undefined) objects.delete(key)
        else objects.set(key, { ...next, tenant })
        return Effect.void
      }

      const find = (key: string) => Effect.sync(() => Option.fromNullable(objects.get(key)))

      return Storage.StorageConnector.of({
        head: (key) => Effect.map(find(key), Option.map(withoutBytes)),
        open: (key, range) =>
          Effect.map(
            find(key),
            Option.map((object) => {
              const { length = object.sizeBytes, offset = 0 } = range ?? {}
              const bytes = object.bytes.slice(offset, offset + length)
              return { ...withoutBytes(object), body: Pull.fromIterable(bytes.length === 0 ? [] : [bytes]) }
            })
          ),
        put: Effect.fnUntraced(function*(key, { body, ...head }, expected) {
          const tenant = yield* ofKey(key)
          const bytes = body instanceof Uint8Array ? body.slice() : yield* collect(body, maxBytesPerTenant)
          const modified = yield* Clock.currentTimeMillis
          const next = { ...head, key, bytes, tenant, modified, sizeBytes: bytes.length, version: String(++writes) }
          yield* Effect.suspend(() => replace("put", key, expected, next))
        }),
        update: (key, change, expected) =>
          Effect.flatMap(Clock.currentTimeMillis, (modified) => {
            const stored = objects.get(key)
            return stored === undefined
              ? Effect.fail(conflict("Memory", "update"))
              : replace("update", key, Option.some(expected), {
                ...stored,
                ...change,
                modified,
                version: String(++writes)
              })
          }),
        remove: (key, expected) => Effect.suspend(() => replace("remove", key, Option.some(expected), undefined)),
        publicUrl: Storage.withoutPublicUrls,
        list: (prefix, { after, limit }) =>
          Effect.sync(() => {
            const keys = Array.from(objects.keys())
              .filter((key) =>
                key.startsWith(prefix) && Option.match(after, { onNone: () => true, onSome: (last) => key > last })
              )
              .sort()
            const page = keys.slice(0, limit)
            return {
              items: page.map((key) => withoutBytes(objects.get(key)!)),
              next: keys.length > page.length ? Option.fromNullable(page.at(-1)) : Option.none()
            }
          })
      })
    })
})

/** `Storage` in memory, up to 256 MiB. */
export const MemoryStorageLive = MemoryStorage.layer({})

interface StoredBytes extends Storage.StoredObject {
  readonly bytes: Uint8Array
  /** In whose room it is: the first's who put it there. */
  readonly tenant: string
}

const withoutBytes = ({ bytes: _, tenant: _tenant, ...object }: StoredBytes): Storage.StoredObject => object

/** With an allowance for what is kept beside the bytes. */
const sizeOf = (key: string, object: StoredBytes | undefined) =>
  object === undefined ? 0 : object.sizeBytes + 2 * key.length + 200

const full = (method: string, bytes: number, setting: string) =>
  new ConnectorError({
    connector: "Memory",
    method,
    reason: "Full",
    detail: `more than ${bytes} bytes; remove objects or raise the setting "${setting}"`
  })

const collect = <E, R>(body: Stream.Stream<Uint8Array, E, R>, maxBytes: number) =>
  Stream.runFoldEffect(
    body,
    { chunks: [] as Array<Uint8Array>, length: 0 },
    ({ chunks, length }, chunk) =>
      length + chunk.length > maxBytes
        ? Effect.fail(full("put", maxBytes, "maxBytesPerTenant"))
        : Effect.succeed({ chunks: (chunks.push(chunk.slice()), chunks), length: length + chunk.length })
  ).pipe(
    Effect.map(({ chunks }) => concat(chunks))
  )
