/**
 * Storage: named blobs with an owner. Callers use {@link Storage}, connectors implement {@link StorageConnector}.
 * Keys are relative to the asker's home; `smythfs://<id>.<role>/<path>` names another.
 */
import { Chunk, Clock, Context, Duration, Effect, Layer, Option, Schema, type Scope, Stream } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import type * as Access from "../../security/Access.ts"
import * as Acl from "../../security/Acl.ts"
import * as Address from "../../security/Address.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Guarded from "../Guarded.ts"
import * as MediaType from "./MediaType.ts"

export class ObjectNotFound extends Schema.TaggedError<ObjectNotFound>()("ObjectNotFound", { key: Schema.String }) {
  override get message(): string {
    return `No object at "${this.key}"`
  }
}

export type StorageError = ObjectNotFound | Address.InvalidKey | Access.AccessError
type WriteError = Exclude<StorageError, ObjectNotFound>

/** What is known of an object without its bytes. Times are milliseconds since 1970. */
export interface ObjectInfo {
  /** As the asker may write it: relative in its own home, else a `smythfs://` URI. */
  readonly key: string
  readonly sizeBytes: number
  readonly contentType: string
  readonly metadata: Guarded.Metadata
  readonly modified: number
  readonly expires: Option.Option<number>
}

/** What a connector keeps beside the bytes; `key` is an {@link Address.Address} key. */
export interface StoredObject extends ObjectInfo {
  readonly acl: Acl.Acl
  /** Opaque, and new with every write (ETag, row version). */
  readonly version: string
}

/** What a write decides, all of it stored at once with the bytes. */
export interface ObjectHead extends Pick<StoredObject, "acl" | "contentType" | "metadata" | "expires"> {}

/** Bytes from `offset`, to the end or `length` of them; what lies behind the end is left out. */
export interface Range {
  readonly offset: number
  readonly length?: number | undefined
}

/**
 * One round trip a call, the ACL in the same record as the bytes, no access code. A write with `expected` happens only while
 * the stored version is that (none: no object yet), else it fails with `Conflict`; it is all visible or not at all.
 */
export class StorageConnector extends Context.Tag("effect-sre/StorageConnector")<StorageConnector, {
  readonly head: (key: string) => Effect.Effect<Option.Option<StoredObject>, ConnectorError>
  /** The object as it was when opened, also while it is replaced; to be read before the scope closes. */
  readonly open: (key: string, range?: Range) => Effect.Effect<
    Option.Option<StoredObject & { readonly body: Stream.Stream<Uint8Array, ConnectorError> }>,
    ConnectorError,
    Scope.Scope
  >
  readonly put: <E = never, R = never>(
    key: string,
    object: ObjectHead & { readonly body: Uint8Array | Stream.Stream<Uint8Array, E, R> },
    expected: Option.Option<string>
  ) => Effect.Effect<void, ConnectorError | E, R>
  /** Changes what is kept beside the bytes. */
  readonly update: (key: string, change: Partial<ObjectHead>, expected: string) => Effect.Effect<void, ConnectorError>
  readonly remove: (key: string, expected: string) => Effect.Effect<void, ConnectorError>
  /** Objects whose key starts with `prefix`, in a fixed order; `prefix` begins with a home and a slash. */
  readonly list: (prefix: string, page: Guarded.Page) => Effect.Effect<Guarded.Listed<StoredObject>, ConnectorError>
  /**
   * A URL under which anybody may fetch the bytes of this version until `timeToLive` has passed. None where the backend is not
   * open to others, or not for as long: see {@link withoutPublicUrls}.
   */
  readonly publicUrl: (
    key: string,
    expected: string,
    timeToLive: Duration.Duration
  ) => Effect.Effect<Option.Option<string>, ConnectorError>
}>() {}

/** For a backend that only this system can reach. */
export const withoutPublicUrls = (): Effect.Effect<Option.Option<string>> => Effect.succeedNone

export interface WriteOptions {
  /** Default: by the extension of the key, else by the first bytes. */
  readonly contentType?: string | undefined
  readonly metadata?: Guarded.Metadata | undefined
  /** After this the object is absent. On an object that exists only its owner may say so, as with `expire`. */
  readonly timeToLive?: Duration.DurationInput | undefined
}

export class Storage extends Context.Tag("effect-sre/Storage")<Storage, {
  readonly read: (key: string) => Effect.Effect<Uint8Array, StorageError>
  /** Reads as whoever made the stream. The object is opened and its list checked when the first bytes are asked for. */
  readonly readStream: (
    key: string,
    range?: Range
  ) => Effect.Effect<Stream.Stream<Uint8Array, StorageError>, Candidate.NoCandidate>
  /** Creates the object, owned by its first writer, also when two race; or replaces all of it but its list. */
  readonly write: (key: string, bytes: Uint8Array, options?: WriteOptions) => Effect.Effect<void, WriteError>
  /** Like `write`; a stream cannot be read twice, so when another write comes between it fails with `Conflict`. */
  readonly writeStream: <E, R>(
    key: string,
    body: Stream.Stream<Uint8Array, E, R>,
    options?: WriteOptions
  ) => Effect.Effect<void, WriteError | E, R>
  /**
   * Replaces the bytes by what `change` makes of them; needs both levels. When another write comes between, `change` is asked
   * again with what that one wrote, so no update is lost. Content type, metadata and expiry stay.
   */
  readonly modify: <E, R>(
    key: string,
    change: (bytes: Option.Option<Uint8Array>) => Effect.Effect<Uint8Array, E, R>
  ) => Effect.Effect<void, WriteError | E, R>
  readonly exists: (key: string) => Effect.Effect<boolean, WriteError>
  /** For owners. Also succeeds when there is nothing to remove. */
  readonly remove: (key: string) => Effect.Effect<void, WriteError>
  readonly info: (key: string) => Effect.Effect<ObjectInfo, StorageError>
  /** Adds to the metadata or replaces entries of it. */
  readonly setMetadata: (key: string, metadata: Guarded.Metadata) => Effect.Effect<void, StorageError>
  /** For owners, as the next three. */
  readonly acl: (key: string) => Effect.Effect<Acl.Acl, StorageError>
  /** Replaces the list; one without an owner is refused. */
  readonly setAcl: (key: string, acl: Acl.Acl) => Effect.Effect<void, StorageError>
  /** Gives the candidate exactly these levels; none of them takes all away. */
  readonly share: (
    key: string,
    candidate: Candidate.Candidate,
    levels: ReadonlyArray<Acl.Level>
  ) => Effect.Effect<void, StorageError>
  /**
   * A URL of the backend's own, under which anybody may fetch what is there now until `timeToLive` has passed, at most as long
   * as the object lives. It works to its end, whatever becomes of the object. None where the backend has none: `PublicUrls`
   * gives one that this system serves.
   */
  readonly publicUrl: (
    key: string,
    timeToLive: Duration.DurationInput
  ) => Effect.Effect<Option.Option<string>, StorageError>
  /** The object is absent once `timeToLive` has passed; an infinite one lifts that. */
  readonly expire: (key: string, timeToLive: Duration.DurationInput) => Effect.Effect<void, StorageError>
  /** What the maker of the stream may read of the objects whose key starts with `prefix`; empty: all of its home. */
  readonly list: (
    prefix: string
  ) => Effect.Effect<Stream.Stream<ObjectInfo, WriteError>, Candidate.NoCandidate | Address.InvalidKey>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

const make = Effect.gen(function*() {
  const connector = yield* StorageConnector
  const { check, guard, locate, retryConflicts } = yield* Guarded.make("Storage")

  /** The object there is, and the version to replace: that of an expired one, too, which counts as absent. */
  const find = Effect.fnUntraced(function*({ key }: Guarded.Place) {
    const stored = yield* retrying(connector.head(key))
    const now = yield* Clock.currentTimeMillis
    return { found: Option.filter(stored, isAlive(now)), version: Guarded.versionOf(stored) }
  })

  const existing = Effect.fnUntraced(function*(operation: string, key: string, level: Acl.Level) {
    const place = yield* locate(operation, key)
    const { found } = yield* find(place)
    yield* check(place, level, found)
    const object = yield* Effect.mapError(found, () => new ObjectNotFound({ key }))
    return { place, object }
  })

  const opened = Effect.fnUntraced(function*(operation: string, key: string, range?: Range) {
    const place = yield* locate(operation, key)
    if (range !== undefined) yield* checkRange(range)
    const stored = yield* retrying(connector.open(place.key, range))
    const found = Option.filter(stored, isAlive(yield* Clock.currentTimeMillis))
    yield* check(place, "read", found)
    return yield* Effect.mapError(found, () => new ObjectNotFound({ key }))
  })

  const update = (
    operation: string,
    level: Acl.Level,
    change: (object: StoredObject) => Effect.Effect<Partial<ObjectHead>, ConnectorError>
  ) =>
  (key: string) =>
    existing(operation, key, level).pipe(
      Effect.flatMap(({ object, place }) =>
        Effect.flatMap(change(object), (changed) => connector.update(place.key, changed, object.version))
      ),
      retryConflicts(key),
      traced(`Storage.${operation}`)
    )

  const put = Effect.fnUntraced(function*<E, R>(
    operation: string,
    key: string,
    body: Uint8Array | Stream.Stream<Uint8Array, E, R>,
    options: WriteOptions
  ) {
    const place = yield* locate(operation, key)
    const { found, version } = yield* find(place)
    yield* check(place, options.timeToLive !== undefined && Option.isSome(found) ? "owner" : "write", found)
    const object = {
      acl: Guarded.aclOf(place, found),
      contentType: options.contentType ?? MediaType.detect(key, body instanceof Uint8Array ? body : undefined),
      metadata: yield* Guarded.jsonMetadata("Storage", options.metadata ?? {}),
      expires: yield* expiryIn(options.timeToLive ?? Duration.infinity),
      body
    }
    yield* connector.put(place.key, object, version)
  })

  const modify = Effect.fnUntraced(function*<E, R>(
    key: string,
    change: (bytes: Option.Option<Uint8Array>) => Effect.Effect<Uint8Array, E, R>
  ) {
    const place = yield* locate("modify", key)
    const stored = yield* retrying(connector.open(place.key))
    const found = Option.filter(stored, isAlive(yield* Clock.currentTimeMillis))
    yield* check(place, "read", found)
    yield* check(place, "write", found)
    const body = yield* change(yield* Effect.transposeMapOption(found, (object) => Guarded.collect(object.body)))
    const kept = Option.getOrElse(found, () => ({
      contentType: MediaType.detect(key, body),
      metadata: {},
      expires: Option.none<number>()
    }))
    const { contentType, expires, metadata } = kept
    const object = { acl: Guarded.aclOf(place, found), contentType, expires, metadata, body }
    yield* connector.put<never, never>(place.key, object, Guarded.versionOf(stored))
  }, Effect.scoped)

  return Storage.of({
    read: Effect.fnUntraced(
      function*(key) {
        const { body } = yield* opened("read", key)
        return yield* Guarded.collect(body)
      },
      Effect.scoped,
      traced("Storage.read")
    ),
    readStream: (key, range) =>
      Effect.map(guard.candidate("readStream"), (who) =>
        Candidate.streamAs(
          Stream.unwrapScoped(Effect.map(opened("readStream", key, range), ({ body }) => body)),
          who
        )),
    write: (key, bytes, options = {}) =>
      put<never, never>("write", key, bytes, options).pipe(retryConflicts(key), traced("Storage.write")),
    writeStream: (key, body, options = {}) => traced("Storage.writeStream")(put("writeStream", key, body, options)),
    modify: (key, change) => modify(key, change).pipe(retryConflicts(key), traced("Storage.modify")),
    exists: Effect.fnUntraced(function*(key) {
      const place = yield* locate("exists", key)
      const { found } = yield* find(place)
      yield* check(place, "read", found)
      return Option.isSome(found)
    }, traced("Storage.exists")),
    remove: Effect.fnUntraced(
      function*(key) {
        const place = yield* locate("remove", key)
        const { found, version } = yield* find(place)
        yield* check(place, "owner", found)
        if (Option.isSome(version)) yield* connector.remove(place.key, version.value)
      },
      (self, key) => retryConflicts(key)(self),
      traced("Storage.remove")
    ),
    info: Effect.fnUntraced(function*(key) {
      const { object, place } = yield* existing("info", key, "read")
      return describe(object, place.who)
    }, traced("Storage.info")),
    setMetadata: (key, metadata) =>
      update(
        "setMetadata",
        "write",
        (object) =>
          Effect.map(Guarded.jsonMetadata("Storage", { ...object.metadata, ...metadata }), (metadata) => ({ metadata }))
      )(key),
    acl: Effect.fnUntraced(function*(key) {
      return (yield* existing("acl", key, "owner")).object.acl
    }, traced("Storage.acl")),
    setAcl: (key, acl) => update("setAcl", "owner", () => aclChange(acl))(key),
    share: (key, candidate, levels) =>
      update("share", "owner", ({ acl }) => aclChange(Acl.grant(acl, candidate, levels)))(key),
    publicUrl: (key, timeToLive) =>
      Effect.gen(function*() {
        const { object, place } = yield* existing("publicUrl", key, "read")
        const now = yield* Clock.currentTimeMillis
        const left = Duration.millis(Option.getOrElse(object.expires, () => Infinity) - now)
        return yield* retrying(connector.publicUrl(place.key, object.version, Duration.min(timeToLive, left)))
      }).pipe(retryConflicts(key), traced("Storage.publicUrl")),
    expire: (key, timeToLive) =>
      update("expire", "owner", () => Effect.map(expiryIn(timeToLive), (expires) => ({ expires })))(key),
    list: Effect.fnUntraced(function*(prefix) {
      const who = yield* guard.candidate("list")
      // A prefix may end anywhere, also where no key could: one more letter makes a key of it.
      const start = (yield* Address.resolve(`${prefix}x`, who)).key.slice(0, -1)
      const pages = Stream.paginateChunkEffect(Option.none<string>(), (after) =>
        Effect.gen(function*() {
          const { items, next } = yield* retrying(connector.list(start, { after, limit: pageSize }))
          const now = yield* Clock.currentTimeMillis
          const readable = yield* Effect.filter(
            items.filter(isAlive(now)),
            ({ acl, key }) => guard.permits(acl, "read", key)
          )
          return [Chunk.fromIterable(readable.map((object) => describe(object, who))), Option.map(next, Option.some)]
        }))
      return Candidate.streamAs(pages, who)
    }, traced("Storage.list"))
  })
})

export const layer: Layer.Layer<Storage, never, StorageConnector> = Layer.scoped(Storage, make)

const pageSize = 500

const isAlive = (now: number) => ({ expires }: Pick<ObjectInfo, "expires">) =>
  Option.match(expires, { onNone: () => true, onSome: (time) => time > now })

const expiryIn = (timeToLive: Duration.DurationInput): Effect.Effect<Option.Option<number>> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const millis = Duration.toMillis(timeToLive)
    return Number.isFinite(millis) ? Option.some(now + millis) : Option.none()
  })

const aclChange = (acl: Acl.Acl) => Effect.map(Guarded.owned("Storage", acl), (acl) => ({ acl }))

const describe = (
  { contentType, expires, key, metadata, modified, sizeBytes }: StoredObject,
  who: Candidate.Candidate
) => ({
  key: Guarded.keyFor(who, key),
  sizeBytes,
  contentType,
  metadata,
  modified,
  expires
})

const checkRange = ({ length = 0, offset }: Range) =>
  Number.isSafeInteger(offset) && offset >= 0 && Number.isSafeInteger(length) && length >= 0
    ? Effect.void
    : Effect.fail(
      new ConnectorError({
        connector: "Storage",
        method: "readStream",
        reason: "InvalidInput",
        detail: "offset and length of a range are whole numbers of bytes, not negative"
      })
    )
