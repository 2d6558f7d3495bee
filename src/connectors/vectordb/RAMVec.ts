/** VectorDB in memory, exact: every vector is compared. With a folder it lasts, as a snapshot that is written every so often. */
import { Duration, Effect, Either, Option, ParseResult, Schedule, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError } from "../../kernel/ConnectorError.ts"
import type * as Guarded from "../../subsystems/Guarded.ts"
import * as VectorDB from "../../subsystems/io/VectorDB.ts"
import * as DataFolder from "../DataFolder.ts"
import * as VectorTable from "./VectorTable.ts"

const RAMVecSettings = Schema.Struct({
  /** Vectors and what stands beside them; beyond, inserting fails with `Full`. Snapshots take as much again while written. */
  maxBytes: Schema.optionalWith(ByteSize, { default: () => 256 * 2 ** 20 }),
  /** Where the snapshot is. Without one, everything is gone with the process. */
  folder: Schema.optional(Schema.NonEmptyString),
  /** Between snapshots, in milliseconds; what was written since the last one is lost with a process that is killed. */
  saveEvery: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(5) })
})

export const RAMVec = Connector.make({
  name: "RAMVec",
  aliases: ["RAM"],
  contract: VectorDB.VectorDBConnector,
  service: VectorDB.layer,
  settings: RAMVecSettings,
  make: Effect.fnUntraced(function*({ folder, maxBytes, saveEvery }) {
    const state: State = { records: new Map(), tables: new Map(), bytes: 0, isDirty: false }
    if (folder !== undefined) yield* lasting(state, folder, saveEvery)

    const change = <A>(method: string, bytes: number, run: () => Either.Either<A, ConnectorError>) =>
      Effect.suspend(() => {
        if (bytes > 0 && state.bytes + bytes > maxBytes) return full(method)
        const result = run()
        if (Either.isRight(result)) state.isDirty = true
        return result
      })

    /** Replaces what is stored while it is of the version; `undefined` for nothing. */
    const replace = (method: string, space: string, name: string, expected: string | undefined, value?: string) =>
      change(method, value === undefined ? 0 : value.length * 2, () => {
        const records = state.records.get(space) ?? new Map<string, VectorDB.StoredRecord>()
        const old = records.get(name)
        if (old?.version !== expected) return Either.left(conflict("RAMVec", method))
        state.bytes += ((value?.length ?? 0) - (old?.value.length ?? 0)) * 2
        if (value === undefined) records.delete(name)
        else state.records.set(space, records.set(name, { name, value, version: randomUUID() }))
        if (records.size === 0) state.records.delete(space)
        return Either.void
      })

    return VectorDB.VectorDBConnector.of({
      get: (space, name) => Effect.sync(() => Option.fromNullable(state.records.get(space)?.get(name))),
      put: (space, name, value, expected) => replace("put", space, name, Option.getOrUndefined(expected), value),
      remove: (space, name, expected) => replace("remove", space, name, expected),
      list: (space, page) => Effect.sync(() => list(state.records.get(space), page)),
      upsert: (collection, points) =>
        change("upsert", points.reduce((sum, point) => sum + VectorTable.sizeOf(point, point.vector.length), 0), () => {
          const dimensions = points[0]?.vector.length ?? 0
          const table = state.tables.get(collection) ?? VectorTable.make(dimensions)
          state.tables.set(collection, table)
          for (const point of points) state.bytes += VectorTable.set(table, point)
          return Either.void
        }),
      fetch: (collection, ids) =>
        Effect.sync(() => {
          const table = state.tables.get(collection)
          return table === undefined ? [] : ids.flatMap((id) => VectorTable.get(table, id) ?? [])
        }),
      delete: (collection, ids) =>
        change("delete", 0, () => {
          const table = state.tables.get(collection)
          if (table !== undefined) { for (const id of ids) state.bytes -= VectorTable.remove(table, id) }
          return Either.void
        }),
      search: (collection, query) =>
        Effect.sync(() => {
          const table = state.tables.get(collection)
          return table === undefined ? [] : VectorTable.search(table, query)
        }),
      searchWords: (collection, query) =>
        Effect.sync(() => {
          const table = state.tables.get(collection)
          return table === undefined ? [] : VectorTable.searchWords(table, query)
        }),
      drop: (collection) =>
        change("drop", 0, () => {
          const table = state.tables.get(collection)
          state.bytes -= table === undefined ? 0 : VectorTable.bytesOf(table)
          for (const { value } of state.records.get(collection)?.values() ?? []) state.bytes -= value.length * 2
          state.tables.delete(collection)
          state.records.delete(collection)
          return Either.void
        })
    })
  })
})

/** `VectorDB` in memory, gone with the process. */
export const RAMVecLive = RAMVec.layer({})

interface State {
  readonly records: Map<string, Map<string, VectorDB.StoredRecord>>
  readonly tables: Map<string, VectorTable.VectorTable>
  bytes: number
  isDirty: boolean
}

/** In the order of the names' UTF-16, so that a page begins where the last one ended whatever was removed. */
const list = (
  records: ReadonlyMap<string, VectorDB.StoredRecord> | undefined,
  { after, limit }: Guarded.Page
): Guarded.Listed<VectorDB.StoredRecord> => {
  const names = Array.from(records?.keys() ?? []).filter((name) => Option.isNone(after) || name > after.value).sort()
  const items = names.slice(0, limit).flatMap((name) => records?.get(name) ?? [])
  return { items, next: names.length > limit ? Option.fromNullable(names[limit - 1]) : Option.none() }
}

const full = (method: string) =>
  Effect.fail(
    new ConnectorError({
      connector: "RAMVec",
      method,
      reason: "Full",
      detail: "remove namespaces, raise maxBytes, or choose a connector that keeps vectors on disk"
    })
  )

/* ------------------------------------------------------------------------------------------------------------------
 * The snapshot: a line of JSON with all but the numbers, then the numbers of every collection in its order
 * ---------------------------------------------------------------------------------------------------------------- */

const Head = Schema.parseJson(Schema.Struct({
  format: Schema.Literal("effect-sre vectors 1"),
  records: Schema.Array(Schema.Tuple(
    Schema.String,
    Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String, version: Schema.String }))
  )),
  tables: Schema.Array(Schema.Struct({
    name: Schema.String,
    dimensions: Schema.Int,
    points: Schema.Array(
      Schema.Struct({
        id: Schema.String,
        payload: Schema.String,
        terms: Schema.Array(Schema.String),
        words: Schema.optionalWith(Schema.String, { default: () => "" })
      })
    )
  }))
}))

/** Reads the snapshot, and writes it again after changes, the last time when the connector closes. */
const lasting = Effect.fnUntraced(function*(state: State, location: string, saveEvery: Duration.Duration) {
  const folder = yield* DataFolder.open("RAMVec", location)
  yield* DataFolder.sweep("RAMVec", folder)
  const file = join(folder, "vectors.snapshot")
  const bytes = yield* Effect.catchIf(
    Effect.asSome(DataFolder.attempt("RAMVec", "open", (signal) => readFile(file, { signal }))),
    ({ reason }) => reason === "NotFound",
    () => Effect.succeedNone
  )
  if (Option.isSome(bytes)) yield* restore(state, file, bytes.value)

  const save = Effect.suspend(() => {
    if (!state.isDirty) return Effect.void
    state.isDirty = false
    return Effect.tapError(DataFolder.writeAtomic(file, encode(state)), () => Effect.sync(() => (state.isDirty = true)))
  })
  const reported = Effect.catchAll(save, (error) => Effect.logError("RAMVec: the snapshot was not written", error))
  yield* Effect.addFinalizer(() => reported)
  yield* Effect.forkScoped(Effect.schedule(reported, Schedule.spaced(saveEvery)))
})

const encode = ({ records, tables }: State): Uint8Array => {
  const head = Schema.encodeSync(Head)({
    format: "effect-sre vectors 1",
    records: Array.from(records, ([space, all]) => [space, Array.from(all.values())] as const),
    tables: Array.from(tables, ([name, { dimensions, points }]) => ({ name, dimensions, points }))
  })
  return Buffer.concat([
    Buffer.from(`${head}\n`),
    ...Array.from(tables.values(), (table) => {
      const { buffer, byteLength } = VectorTable.numbers(table)
      return new Uint8Array(buffer, 0, byteLength)
    })
  ])
}

const restore = Effect.fnUntraced(function*(state: State, file: string, bytes: Buffer) {
  const corrupted = new ConnectorError({
    connector: "RAMVec",
    method: "open",
    reason: "Corrupted",
    detail: `${file} is damaged; restore it from a backup or delete it`
  })
  let at = bytes.indexOf("\n") + 1
  const head = yield* Effect.mapError(
    ParseResult.decode(Head)(bytes.toString("utf8", 0, Math.max(0, at - 1))),
    () => corrupted
  )
  for (const [space, records] of head.records) {
    state.records.set(space, new Map(records.map((record) => [record.name, record])))
    for (const { value } of records) state.bytes += value.length * 2
  }
  for (const { dimensions, name, points } of head.tables) {
    const table = VectorTable.make(dimensions)
    for (const point of points) {
      if (at + dimensions * 4 > bytes.length) return yield* corrupted
      const vector = new Float32Array(Uint8Array.from(bytes.subarray(at, at + dimensions * 4)).buffer)
      state.bytes += VectorTable.set(table, { ...point, vector })
      at += dimensions * 4
    }
    state.tables.set(name, table)
  }
  if (at !== bytes.length) return yield* corrupted
})
