/** NKV in this process's memory: gone when it ends, bounded. */
import { Effect, Option, Schema } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError } from "../../kernel/ConnectorError.ts"
import { add, half } from "../../kernel/Places.ts"
import * as Tenants from "../../security/Tenants.ts"
import * as NKV from "../../subsystems/io/NKV.ts"

const RAMNKVSettings = Schema.Struct({
  /** Of all entries together; a write that would pass it fails with `Full`. */
  maxBytes: Schema.optionalWith(ByteSize, { default: () => 256 * 2 ** 20 }),
  /** Of these, for one team, or one candidate that is in none. Default: half. */
  maxBytesPerTenant: Schema.optional(ByteSize)
})

export const RAMNKV = Connector.make({
  name: "RAM",
  aliases: ["RAMNKV"],
  contract: NKV.NKVConnector,
  service: NKV.layer,
  settings: RAMNKVSettings,
  make: ({ maxBytes, maxBytesPerTenant = half(maxBytes) }) =>
    Effect.map(Tenants.make, ({ ofKey }) => {
      const spaces = new Map<string, Space>()
      const usedOf = new Map<string, number>()
      let usedBytes = 0
      let writes = 0

      const use = (tenant: string, bytes: number) => {
        usedBytes += bytes
        add(usedOf, tenant, bytes)
      }
      /** Counts for the tenant that had it first. */
      const spaceOf = (namespace: string): Effect.Effect<Space> => {
        const space = spaces.get(namespace)
        return space !== undefined
          ? Effect.succeed(space)
          : Effect.map(ofKey(namespace), (tenant) => spaces.get(namespace) ?? { tenant, entries: new Map() })
      }

      const replace = (
        method: string,
        namespace: string,
        space: Space,
        expected: Option.Option<string>,
        key: string,
        value: string | undefined
      ): Effect.Effect<void, ConnectorError> => {
        const { entries, tenant } = space
        const stored = entries.get(key)
        if (stored?.version !== Option.getOrUndefined(expected)) return Effect.fail(conflict("RAM", method))
        const bytes = sizeOf(key, value) - sizeOf(key, stored?.value)
        if (value !== undefined && usedBytes + bytes > maxBytes) return Effect.fail(full(maxBytes, "maxBytes"))
        if (value !== undefined && (usedOf.get(tenant) ?? 0) + bytes > maxBytesPerTenant) {
          return Effect.fail(full(maxBytesPerTenant, "maxBytesPerTenant"))
        }
        use(tenant, bytes)
        if (value === undefined) entries.delete(key)
        else entries.set(key, { key, value, version: String(++writes) })
        if (entries.size === 0) spaces.delete(namespace)
        else spaces.set(namespace, space)
        return Effect.void
      }

      return NKV.NKVConnector.of({
        get: (namespace, key) => Effect.sync(() => Option.fromNullable(spaces.get(namespace)?.entries.get(key))),
        set: (namespace, key, value, expected) =>
          Effect.flatMap(
            Effect.suspend(() => spaceOf(namespace)),
            (space) => replace("set", namespace, space, expected, key, value)
          ),
        remove: (namespace, key, expected) =>
          Effect.flatMap(
            Effect.suspend(() => spaceOf(namespace)),
            (space) => replace("remove", namespace, space, Option.some(expected), key, undefined)
          ),
        list: (namespace, { after, limit }) =>
          Effect.sync(() => {
            const entries = Array.from(spaces.get(namespace)?.entries.values() ?? [])
              .filter(({ key }) => Option.match(after, { onNone: () => true, onSome: (last) => key > last }))
              .sort((a, b) => a.key < b.key ? -1 : 1)
            const items = entries.slice(0, limit)
            const last = entries.length > items.length ? items.at(-1) : undefined
            return { items, next: Option.map(Option.fromNullable(last), ({ key }) => key) }
          }),
        clear: (namespace) =>
          Effect.sync(() => {
            const { entries = new Map(), tenant = "" } = spaces.get(namespace) ?? {}
            for (const { key, value } of entries.values()) use(tenant, -sizeOf(key, value))
            spaces.delete(namespace)
          })
      })
    })
})

/** `NKV` in memory, up to 256 MiB. */
export const RAMNKVLive = RAMNKV.layer({})

const sizeOf = (key: string, value: string | undefined) =>
  value === undefined ? 0 : 2 * (key.length + value.length) + 200

interface Space {
  readonly tenant: string
  readonly entries: Map<string, NKV.StoredText>
}

const full = (bytes: number, setting: string) =>
  new ConnectorError({
    connector: "RAM",
    method: "set",
    reason: "Full",
    detail: `more than ${bytes} bytes; remove entries or raise the setting "${setting}"`
  })
