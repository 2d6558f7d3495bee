/** NKV in this process's memory: gone when it ends, bounded. */
import { Effect, Option, Schema } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError } from "../../kernel/ConnectorError.ts"
import * as NKV from "../../subsystems/io/NKV.ts"

const RAMNKVSettings = Schema.Struct({
  /** Of all entries together; a write that would pass it fails with `Full`. */
  maxBytes: Schema.optionalWith(ByteSize, { default: () => 256 * 2 ** 20 })
})

export const RAMNKV = Connector.make({
  name: "RAM",
  aliases: ["RAMNKV"],
  contract: NKV.NKVConnector,
  service: NKV.layer,
  settings: RAMNKVSettings,
  make: ({ maxBytes }) =>
    Effect.sync(() => {
      const spaces = new Map<string, Map<string, NKV.StoredText>>()
      let usedBytes = 0
      let writes = 0

      const replace = (
        method: string,
        namespace: string,
        expected: Option.Option<string>,
        key: string,
        value: string | undefined
      ): Effect.Effect<void, ConnectorError> => {
        const space = spaces.get(namespace) ?? new Map<string, NKV.StoredText>()
        const stored = space.get(key)
        if (stored?.version !== Option.getOrUndefined(expected)) return Effect.fail(conflict("RAM", method))
        const bytes = usedBytes - sizeOf(key, stored?.value) + sizeOf(key, value)
        if (value !== undefined && bytes > maxBytes) return Effect.fail(full(maxBytes))
        usedBytes = bytes
        if (value === undefined) space.delete(key)
        else space.set(key, { key, value, version: String(++writes) })
        if (space.size === 0) spaces.delete(namespace)
        else spaces.set(namespace, space)
        return Effect.void
      }

      return NKV.NKVConnector.of({
        get: (namespace, key) => Effect.sync(() => Option.fromNullable(spaces.get(namespace)?.get(key))),
        set: (namespace, key, value, expected) => Effect.suspend(() => replace("set", namespace, expected, key, value)),
        remove: (namespace, key, expected) =>
          Effect.suspend(() => replace("remove", namespace, Option.some(expected), key, undefined)),
        list: (namespace, { after, limit }) =>
          Effect.sync(() => {
            const entries = Array.from(spaces.get(namespace)?.values() ?? [])
              .filter(({ key }) => Option.match(after, { onNone: () => true, onSome: (last) => key > last }))
              .sort((a, b) => a.key < b.key ? -1 : 1)
            const items = entries.slice(0, limit)
            const last = entries.length > items.length ? items.at(-1) : undefined
            return { items, next: Option.map(Option.fromNullable(last), ({ key }) => key) }
          }),
        clear: (namespace) =>
          Effect.sync(() => {
            for (const { key, value } of spaces.get(namespace)?.values() ?? []) usedBytes -= sizeOf(key, value)
            spaces.delete(namespace)
          })
      })
    })
})

/** `NKV` in memory, up to 256 MiB. */
export const RAMNKVLive = RAMNKV.layer({})

const sizeOf = (key: string, value: string | undefined) =>
  value === undefined ? 0 : 2 * (key.length + value.length) + 200

const full = (maxBytes: number) =>
  new ConnectorError({
    connector: "RAM",
    method: "set",
    reason: "Full",
    detail: `more than ${maxBytes} bytes; remove entries or raise the setting "maxBytes"`
  })
