/**
 * VectorDB: texts and vectors found by their likeness. Callers use {@link VectorDB}, connectors implement
 * {@link VectorDBConnector}. A namespace is in the asker's home; a team's is `smythfs://<id>.team/<namespace>`.
 */
import { Array as Arr, Chunk, Clock, Context, Effect, Layer, Option, RcMap, Stream } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import { traced } from "../../kernel/Trace.ts"
import type * as Access from "../../security/Access.ts"
import * as Acl from "../../security/Acl.ts"
import type * as Address from "../../security/Address.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Guarded from "../Guarded.ts"
import * as Embeddings from "../llm/Embeddings.ts"
import * as TextChunks from "./TextChunks.ts"
import {
  type Datasource,
  DatasourceExists,
  type DatasourceOptions,
  DimensionMismatch,
  type Hit,
  type Item,
  type Namespace,
  NamespaceExists,
  NamespaceNotFound,
  type NamespaceOptions,
  type Point,
  type SearchOptions,
  type StoredItem,
  type StoredRecord,
  VectorDBConnector
} from "./VectorModels.ts"
import * as Records from "./VectorRecords.ts"
import * as VectorSearch from "./VectorSearch.ts"

export * from "./VectorModels.ts"
export type { Filter } from "./VectorRecords.ts"

type GuardError = Address.InvalidKey | Access.AccessError
type UseError = NamespaceNotFound | GuardError
type EmbedError = UseError | DimensionMismatch | Embeddings.EmbeddingsError
export type VectorDBError = EmbedError | NamespaceExists | DatasourceExists

export class VectorDB extends Context.Tag("effect-sre/VectorDB")<VectorDB, {
  /** Its creator owns it, and so does the home it is in. */
  readonly createNamespace: (
    namespace: string,
    options?: NamespaceOptions
  ) => Effect.Effect<void, NamespaceExists | GuardError>
  readonly getNamespace: (namespace: string) => Effect.Effect<Namespace, UseError>
  readonly namespaceExists: (namespace: string) => Effect.Effect<boolean, GuardError>
  /** With all that is in it. For owners. Also succeeds when there is nothing to delete. */
  readonly deleteNamespace: (namespace: string) => Effect.Effect<void, GuardError>
  /** What the maker of the stream may read of the namespaces that start with `prefix`; empty: all of its home. */
  readonly listNamespaces: (
    prefix: string
  ) => Effect.Effect<Stream.Stream<Namespace, Access.AccessError>, Candidate.NoCandidate | Address.InvalidKey>
  /** For owners, as the next two. */
  readonly acl: (namespace: string) => Effect.Effect<Acl.Acl, UseError>
  /** Replaces the list; one without an owner is refused. */
  readonly setAcl: (namespace: string, acl: Acl.Acl) => Effect.Effect<void, UseError>
  /** Gives the candidate exactly these levels; none of them takes all away. */
  readonly share: (
    namespace: string,
    candidate: Candidate.Candidate,
    levels: ReadonlyArray<Acl.Level>
  ) => Effect.Effect<void, UseError>
  /** Creates items or replaces those of the same id; gives their ids. Above 100 items, those before a failure stay. */
  readonly insert: (namespace: string, items: ReadonlyArray<Item>) => Effect.Effect<ReadonlyArray<string>, EmbedError>
  /** Those of the ids there are, in the order of the ids. */
  readonly get: (
    namespace: string,
    ids: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<StoredItem>, UseError>
  readonly remove: (namespace: string, ids: ReadonlyArray<string>) => Effect.Effect<void, UseError>
  /**
   * The nearest first; of equally near ones in the order of their ids. A text is embedded as those in the namespace were. With
   * `text` the best of two searches first.
   */
  readonly search: (
    namespace: string,
    query: string | ArrayLike<number>,
    options?: SearchOptions
  ) => Effect.Effect<ReadonlyArray<Hit>, EmbedError>
  readonly createDatasource: (
    namespace: string,
    source: DatasourceOptions
  ) => Effect.Effect<Datasource, DatasourceExists | EmbedError>
  readonly getDatasource: (namespace: string, id: string) => Effect.Effect<Option.Option<Datasource>, UseError>
  readonly listDatasources: (
    namespace: string
  ) => Effect.Effect<Stream.Stream<Datasource, Access.AccessError>, UseError>
  /** Whether there was one. */
  readonly deleteDatasource: (namespace: string, id: string) => Effect.Effect<boolean, UseError>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

const make = Effect.gen(function*() {
  const connector = yield* VectorDBConnector
  const embeddings = yield* Effect.serviceOption(Embeddings.Embeddings)
  const { check, guard, locate, retryConflicts } = yield* Guarded.make("VectorDB")
  const turns = yield* RcMap.make({ lookup: (_key: string) => Effect.makeSemaphore(1) })

  /** Two that write one data source would mix their chunks. */
  const inTurn = (key: string) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.scoped(Effect.flatMap(RcMap.get(turns, key), (turn) => turn.withPermits(1)(self)))

  const find = Effect.fnUntraced(function*(operation: string, namespace: string, level: Acl.Level) {
    const place = yield* locate(operation, namespace)
    const stored = yield* retrying(connector.get(...Records.nameOf(place)))
    const found = yield* Effect.transposeMapOption(stored, Records.namespace(place.key))
    yield* check(place, level, found)
    return { place, found }
  })

  const existing = Effect.fnUntraced(function*(operation: string, namespace: string, level: Acl.Level) {
    const { found, place } = yield* find(operation, namespace, level)
    return { place, found: yield* Effect.mapError(found, () => new NamespaceNotFound({ namespace })) }
  })

  const put = (place: Guarded.Place, { acl, metadata, space }: Omit<Records.Found, "version">, version?: string) =>
    connector.put(
      ...Records.nameOf(place),
      Guarded.pack({ acl, metadata, value: JSON.stringify(space) }),
      Option.fromNullable(version)
    )

  const changeAcl = (operation: string, namespace: string, change: (acl: Acl.Acl) => Acl.Acl) =>
    Effect.gen(function*() {
      const { found, place } = yield* existing(operation, namespace, "owner")
      const acl = yield* Guarded.owned("VectorDB", change(found.acl))
      yield* put(place, { ...found, acl }, found.version)
    }).pipe(retryConflicts(namespace), traced(`VectorDB.${operation}`))

  const embed = Effect.fnUntraced(function*(
    texts: ReadonlyArray<string>,
    { asked, model }: Records.Found["space"],
    purpose: Embeddings.Purpose
  ) {
    const service = yield* Effect.mapError(embeddings, () => noEmbeddings)
    return yield* service.embed({ texts, model, dimensions: asked, purpose })
  })

  /** The items as points, with the model their texts were embedded with. */
  const points = Effect.fnUntraced(function*({ space }: Records.Found, items: ReadonlyArray<Item>, source?: string) {
    const texts = items.flatMap(({ text, vector }) => vector === undefined && text !== undefined ? [text] : [])
    const embedded = texts.length === 0 ? undefined : yield* embed(texts, space, "document")
    const vectors = embedded?.vectors.values()
    const made: Array<Point> = []
    for (const [index, item] of items.entries()) {
      const id = item.id ?? (yield* Ids.make("v"))
      const name = `item ${index} ("${id.slice(0, 40)}")`
      const given = item.vector ?? (item.text === undefined ? undefined : vectors?.next().value)
      if (given === undefined) return yield* Records.invalid("insert", `${name} has neither text nor vector`)
      yield* Records.checkId("insert", id)
      const vector = yield* Records.direction("insert", name, given)
      const metadata = yield* Guarded.jsonMetadata("VectorDB", item.metadata ?? {})
      const chunk = source === undefined ? {} : { datasource: source, chunk: index }
      const payload = Records.pack({ text: item.text, ...chunk, metadata })
      const words = Records.wordsOf(item.text)
      made.push({ id, vector, payload, terms: yield* Records.termsOf(name, metadata), words })
    }
    return { model: embedded?.model, points: made }
  })

  /** What the first vectors decide for all that follow; the record is read again when others were first. */
  const settle = (
    operation: string,
    namespace: string,
    vectors: ReadonlyArray<Point>,
    model: string | undefined
  ) =>
    Effect.gen(function*() {
      const { found, place } = yield* existing(operation, namespace, "write")
      const expected = found.space.dimensions ?? vectors[0]?.vector.length
      const wrong = vectors.find(({ vector }) => vector.length !== expected)
      if (wrong !== undefined && expected !== undefined) {
        return yield* new DimensionMismatch({ namespace, expected, got: wrong.vector.length })
      }
      const space = { ...found.space, dimensions: expected, model: found.space.model ?? model }
      if (space.dimensions !== found.space.dimensions || space.model !== found.space.model) {
        yield* put(place, { ...found, space }, found.version)
      }
      return space.collection
    }).pipe(retryConflicts(namespace))

  /** Of several with one id the last stays. */
  const store = (collection: string, all: ReadonlyArray<Point>) =>
    Effect.forEach(
      Arr.chunksOf(new Map(all.map((point) => [point.id, point])).values(), batchSize),
      (batch) => retrying(connector.upsert(collection, batch)),
      {
        discard: true
      }
    )

  const erase = (collection: string, ids: ReadonlyArray<string>) =>
    Effect.forEach(Arr.chunksOf(ids, batchSize), (batch) => retrying(connector.delete(collection, batch)), {
      discard: true
    })

  const datasource = (collection: string, id: string) =>
    Effect.flatMap(
      retrying(connector.get(collection, id)),
      Effect.transposeMapOption(({ value, version }) =>
        Effect.map(Records.datasource(id, value), (source) => ({ source, version }))
      )
    )

  const pages = <A>(
    space: string,
    use: (record: StoredRecord) => Effect.Effect<Option.Option<A>, Access.AccessError>
  ) =>
    Stream.paginateChunkEffect(Option.none<string>(), (after) =>
      Effect.gen(function*() {
        const { items, next } = yield* retrying(connector.list(space, { after, limit: pageSize }))
        const used = yield* Effect.forEach(items, use)
        return [Chunk.fromIterable(used.flatMap(Option.toArray)), Option.map(next, Option.some)]
      }))

  return VectorDB.of({
    createNamespace: Effect.fnUntraced(
      function*(namespace, options = {}) {
        const { found, place } = yield* find("createNamespace", namespace, "write")
        if (Option.isSome(found)) return yield* new NamespaceExists({ namespace })
        const { dimensions, model } = options
        if (dimensions !== undefined) yield* Records.checkDimensions("createNamespace", dimensions)
        const metadata = yield* Guarded.jsonMetadata("VectorDB", options.metadata ?? {})
        const collection = (yield* Ids.make("v")).replace("-", "")
        const space = { collection, dimensions, asked: dimensions, model, created: yield* Clock.currentTimeMillis }
        yield* put(place, { acl: Guarded.aclOf(place, found), metadata, space })
      },
      (self, namespace) => retryConflicts(namespace)(self),
      traced("VectorDB.createNamespace")
    ),
    getNamespace: Effect.fnUntraced(function*(namespace) {
      const { found, place } = yield* existing("getNamespace", namespace, "read")
      return Records.describe(place.key, found, place.who)
    }, traced("VectorDB.getNamespace")),
    namespaceExists: Effect.fnUntraced(function*(namespace) {
      return Option.isSome((yield* find("namespaceExists", namespace, "read")).found)
    }, traced("VectorDB.namespaceExists")),
    deleteNamespace: (namespace) =>
      Effect.gen(function*() {
        const { found, place } = yield* find("deleteNamespace", namespace, "owner")
        if (Option.isNone(found)) return
        yield* retrying(connector.drop(found.value.space.collection))
        yield* connector.remove(...Records.nameOf(place), found.value.version)
      }).pipe(retryConflicts(namespace), traced("VectorDB.deleteNamespace")),
    listNamespaces: Effect.fnUntraced(function*(prefix) {
      // A prefix may end anywhere, also where no name could: one more letter makes a name of it.
      const { home, key, who } = yield* locate("listNamespaces", `${prefix}x`)
      const space = Candidate.format(home)
      const readable = Effect.fnUntraced(function*(stored: StoredRecord) {
        const name = `${space}/${stored.name}`
        if (!name.startsWith(key.slice(0, -1))) return Option.none()
        const found = yield* Records.namespace(name)(stored)
        return (yield* guard.permits(found.acl, "read", name))
          ? Option.some(Records.describe(name, found, who))
          : Option.none()
      })
      return Candidate.streamAs(pages(space, readable), who)
    }, traced("VectorDB.listNamespaces")),
    acl: Effect.fnUntraced(function*(namespace) {
      return (yield* existing("acl", namespace, "owner")).found.acl
    }, traced("VectorDB.acl")),
    setAcl: (namespace, acl) => changeAcl("setAcl", namespace, () => acl),
    share: (namespace, candidate, levels) => changeAcl("share", namespace, (acl) => Acl.grant(acl, candidate, levels)),
    insert: Effect.fnUntraced(function*(namespace, items) {
      const { found } = yield* existing("insert", namespace, "write")
      const made = yield* points(found, items)
      const collection = yield* settle("insert", namespace, made.points, made.model)
      yield* store(collection, made.points)
      return made.points.map(({ id }) => id)
    }, traced("VectorDB.insert")),
    get: Effect.fnUntraced(function*(namespace, ids) {
      const { found } = yield* existing("get", namespace, "read")
      if (found.space.dimensions === undefined) return []
      const batches = yield* Effect.forEach(
        Arr.chunksOf(ids, batchSize),
        (batch) => retrying(connector.fetch(found.space.collection, batch))
      )
      const items = new Map((yield* Effect.forEach(batches.flat(), Records.open)).map((item) => [item.id, item]))
      return ids.flatMap((id) => items.get(id) ?? [])
    }, traced("VectorDB.get")),
    remove: Effect.fnUntraced(function*(namespace, ids) {
      const { found } = yield* existing("remove", namespace, "write")
      if (found.space.dimensions !== undefined) yield* erase(found.space.collection, ids)
    }, traced("VectorDB.remove")),
    search: Effect.fnUntraced(
      function*(namespace, query, { filter = {}, includeMetadata = true, text, topK = 10 } = {}) {
        const { found } = yield* existing("search", namespace, "read")
        const { collection, dimensions } = found.space
        if (!Number.isInteger(topK) || topK < 1 || topK > maxTopK) {
          return yield* Records.invalid("search", `topK is a whole number from 1 to ${maxTopK}, not ${topK}`)
        }
        const groups = Records.groupsOf(filter)
        if (dimensions === undefined || groups.some(({ length }) => length === 0)) return []
        const given = typeof query === "string" ? (yield* embed([query], found.space, "query")).vectors[0]! : query
        const vector = yield* Records.direction("search", "the query", given)
        if (vector.length !== dimensions) {
          return yield* new DimensionMismatch({ namespace, expected: dimensions, got: vector.length })
        }
        const hits = yield* VectorSearch.run(connector, collection, { vector, topK, groups }, text)
        return includeMetadata ? hits : hits.map((hit) => ({ ...hit, metadata: {} }))
      },
      traced("VectorDB.search")
    ),
    createDatasource: Effect.fnUntraced(function*(namespace, options) {
      const { found } = yield* existing("createDatasource", namespace, "write")
      const id = options.id ?? (yield* Ids.make("source"))
      yield* Records.checkId("createDatasource", `${id}#999999`)
      const { chunkOverlap = 100, chunkSize = 512, label = "Untitled", replace = false, text } = options
      if (!isSize(chunkSize, 1) || !isSize(chunkOverlap, 0) || chunkOverlap >= chunkSize) {
        return yield* Records.invalid(
          "createDatasource",
          "chunkOverlap must be less than chunkSize, both in characters"
        )
      }
      yield* Records.checkPieces([text].flat(), { chunkSize, chunkOverlap })
      const metadata = yield* Guarded.jsonMetadata("VectorDB", options.metadata ?? {})
      const texts = [text].flat().flatMap((page) => TextChunks.split(page, { chunkSize, chunkOverlap }))
      const items = texts.map((chunk, n) => ({ id: `${id}#${n}`, text: chunk, metadata }))
      const made = yield* points(found, items, id)
      const { collection } = found.space
      return yield* Effect.gen(function*() {
        const before = yield* datasource(collection, id)
        if (Option.isSome(before) && !replace) return yield* new DatasourceExists({ namespace, id })
        yield* settle("createDatasource", namespace, made.points, made.model)
        const source: Datasource = {
          id,
          label,
          metadata,
          chunks: texts.length,
          chunkSize,
          chunkOverlap,
          sizeBytes: [text].flat().reduce((sum, page) => sum + Buffer.byteLength(page), 0),
          created: yield* Clock.currentTimeMillis
        }
        const stale = Option.match(before, {
          onNone: () => [],
          onSome: (old) => chunkIds(id, texts.length, old.source.chunks)
        })
        yield* erase(collection, stale)
        // Before the chunks: whatever stops what follows, the source is listed and can be deleted.
        yield* connector.put(collection, id, JSON.stringify(source), Guarded.versionOf(before))
        yield* store(collection, made.points)
        return source
      }).pipe(inTurn(`${collection} ${id}`), retryConflicts(`${collection} ${id}`))
    }, traced("VectorDB.createDatasource")),
    getDatasource: Effect.fnUntraced(function*(namespace, id) {
      const { found } = yield* existing("getDatasource", namespace, "read")
      return Option.map(yield* datasource(found.space.collection, id), ({ source }) => source)
    }, traced("VectorDB.getDatasource")),
    listDatasources: Effect.fnUntraced(function*(namespace) {
      const { found, place } = yield* existing("listDatasources", namespace, "read")
      const decoded = ({ name, value }: StoredRecord) => Effect.asSome(Records.datasource(name, value))
      return Candidate.streamAs(pages(found.space.collection, decoded), place.who)
    }, traced("VectorDB.listDatasources")),
    deleteDatasource: Effect.fnUntraced(function*(namespace, id) {
      const { found } = yield* existing("deleteDatasource", namespace, "write")
      const { collection } = found.space
      return yield* Effect.gen(function*() {
        const before = yield* datasource(collection, id)
        if (Option.isNone(before)) return false
        yield* erase(collection, chunkIds(id, 0, before.value.source.chunks))
        yield* connector.remove(collection, id, before.value.version)
        return true
      }).pipe(inTurn(`${collection} ${id}`), retryConflicts(`${collection} ${id}`))
    }, traced("VectorDB.deleteDatasource"))
  })
})

/** Text is embedded by the `Embeddings` there are where this is built; without any, only vectors are taken. */
export const layer: Layer.Layer<VectorDB, never, VectorDBConnector> = Layer.scoped(VectorDB, make)

const batchSize = 100
const pageSize = 500
const maxTopK = 1000

const chunkIds = (id: string, from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, n) => `${id}#${from + n}`)

const noEmbeddings = new ConnectorError({
  connector: "VectorDB",
  method: "embed",
  reason: "Unsupported",
  detail: "there are no Embeddings here; provide a layer of Embeddings, or give vectors instead of text"
})

const isSize = (value: number, least: number) => Number.isInteger(value) && value >= least
