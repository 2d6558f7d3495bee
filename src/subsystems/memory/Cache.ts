/**
 * Cache: text under a key for a while. Callers use {@link Cache}, connectors implement {@link CacheConnector}. Keys are
 * relative to the asker's home, so nobody can occupy another's; `smythfs://<id>.<role>/<key>` names another home.
 */
import { Context, Duration, Effect, Either, identity, Layer, Option, ParseResult, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { type ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Acl from "../../security/Acl.ts"
import type * as Address from "../../security/Address.ts"
import type * as Candidate from "../../security/Candidate.ts"
import * as Guarded from "../Guarded.ts"

export class EntryNotFound extends Schema.TaggedError<EntryNotFound>()("EntryNotFound", { key: Schema.String }) {
  override get message(): string {
    return `No cache entry "${this.key}"`
  }
}

export type CacheError = Address.InvalidKey | Access.AccessError

export interface CachedText {
  readonly value: string
  /** Opaque, and new with every `set`. */
  readonly version: string
  /** What is left; infinite for an entry that does not expire. */
  readonly timeToLive: Duration.Duration
}

/**
 * Moves opaque text; no access code. With `expected` a write happens only while the stored version is that (none: no entry),
 * else it fails with `Conflict`. An entry is absent from the millisecond its time to live has passed.
 */
export class CacheConnector extends Context.Tag("effect-sre/CacheConnector")<CacheConnector, {
  readonly get: (key: string) => Effect.Effect<Option.Option<CachedText>, ConnectorError>
  /** `keep`: the time to live the replaced entry has left. */
  readonly set: (
    key: string,
    value: string,
    timeToLive: Duration.Duration | "keep",
    expected: Option.Option<string>
  ) => Effect.Effect<void, ConnectorError>
  /**
   * In one round trip: sets an entry that is not there, or whose value begins with `start`, and gives whether it did. A backend
   * that cannot do that never does: see {@link withoutOverwrite}.
   */
  readonly overwrite: (
    key: string,
    value: string,
    timeToLive: Duration.Duration,
    start: string
  ) => Effect.Effect<boolean, ConnectorError>
  readonly touch: (key: string, timeToLive: Duration.Duration, expected: string) => Effect.Effect<void, ConnectorError>
  readonly remove: (key: string, expected: string) => Effect.Effect<void, ConnectorError>
}>() {}

/** For a backend that would have to look first. */
export const withoutOverwrite = (): Effect.Effect<boolean> => Effect.succeed(false)

export interface SetOptions {
  /** Default: does not expire, though a bounded cache may still drop it. */
  readonly timeToLive?: Duration.DurationInput | undefined
  readonly metadata?: Guarded.Metadata | undefined
}

export class Cache extends Context.Tag("effect-sre/Cache")<Cache, {
  readonly get: (key: string) => Effect.Effect<Option.Option<string>, CacheError>
  /** What does not decode fails, as text that another version of a program left may. */
  readonly getJson: <A, I, R>(
    key: string,
    schema: Schema.Schema<A, I, R>
  ) => Effect.Effect<Option.Option<A>, CacheError | ParseResult.ParseError, R>
  /** The first writer of an entry owns it; a later one replaces value, metadata and time to live, not the list. */
  readonly set: (key: string, value: string, options?: SetOptions) => Effect.Effect<void, CacheError>
  /** Sets an entry that is not there, and gives whether it did: of many who race, one. */
  readonly add: (key: string, value: string, options?: SetOptions) => Effect.Effect<boolean, CacheError>
  readonly setJson: <A, I, R>(
    key: string,
    schema: Schema.Schema<A, I, R>,
    value: A,
    options?: SetOptions
  ) => Effect.Effect<void, CacheError | ParseResult.ParseError, R>
  readonly exists: (key: string) => Effect.Effect<boolean, CacheError>
  /** For owners. Also succeeds when there is nothing to remove. */
  readonly remove: (key: string) => Effect.Effect<void, CacheError>
  /** What is left; infinite for an entry that does not expire, none for one that is not there. */
  readonly timeToLive: (key: string) => Effect.Effect<Option.Option<Duration.Duration>, CacheError>
  /** Starts a new time to live; false when there is no entry. */
  readonly touch: (key: string, timeToLive: Duration.DurationInput) => Effect.Effect<boolean, CacheError>
  readonly metadata: (key: string) => Effect.Effect<Option.Option<Guarded.Metadata>, CacheError>
  /** Adds to the metadata or replaces entries of it; the time to live goes on. */
  readonly setMetadata: (key: string, metadata: Guarded.Metadata) => Effect.Effect<void, EntryNotFound | CacheError>
  /** For owners, as the next two. */
  readonly acl: (key: string) => Effect.Effect<Acl.Acl, EntryNotFound | CacheError>
  /** Replaces the list; one without an owner is refused. */
  readonly setAcl: (key: string, acl: Acl.Acl) => Effect.Effect<void, EntryNotFound | CacheError>
  /** Gives the candidate exactly these levels; none of them takes all away. */
  readonly share: (
    key: string,
    candidate: Candidate.Candidate,
    levels: ReadonlyArray<Acl.Level>
  ) => Effect.Effect<void, EntryNotFound | CacheError>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

interface Entry extends Guarded.Envelope, Omit<CachedText, "value"> {}

const entryOf = (
  key: string,
  stored: Option.Option<CachedText>
): Either.Either<Option.Option<Entry>, ConnectorError> => {
  if (Option.isNone(stored)) return Either.right(Option.none())
  const { timeToLive, value, version } = stored.value
  return Either.map(
    Guarded.unpack("Cache", key, value),
    ({ acl, metadata, value }) => Option.some({ acl, metadata, value, version, timeToLive })
  )
}

const make = Effect.gen(function*() {
  const connector = yield* CacheConnector
  const { check, guard, locate, retryConflicts } = yield* Guarded.make("Cache")

  const findAt = <A>(place: Guarded.Place, level: Acl.Level, use: (found: Option.Option<Entry>) => A) =>
    Effect.flatMap(retrying(connector.get(place.key)), (stored) =>
      Either.match(entryOf(place.key, stored), {
        onLeft: Effect.fail,
        onRight: (found) => Effect.map(check(place, level, found), () => use(found))
      }))

  const find = (operation: string, key: string, level: Acl.Level) =>
    Effect.flatMap(locate(operation, key), (place) => findAt(place, level, (found) => ({ found, place })))

  const read = <A>(operation: string, level: Acl.Level, get: (entry: Entry) => A) => {
    const span = traced(`Cache.${operation}`)
    const use = Option.map(get)
    return (key: string) => span(Effect.flatMap(locate(operation, key), (place) => findAt(place, level, use)))
  }

  const existing = (operation: string, key: string, level: Acl.Level) =>
    Effect.flatMap(
      find(operation, key, level),
      ({ found, place }) =>
        Effect.mapBoth(found, { onFailure: () => new EntryNotFound({ key }), onSuccess: (entry) => ({ entry, place }) })
    )

  const update = (
    operation: string,
    level: Acl.Level,
    key: string,
    change: (entry: Entry) => Effect.Effect<Partial<Guarded.Envelope>, ConnectorError>
  ) =>
    existing(operation, key, level).pipe(
      Effect.flatMap(({ entry, place }) =>
        Effect.flatMap(change(entry), (changed) =>
          connector.set(place.key, Guarded.pack({ ...entry, ...changed }), "keep", Option.some(entry.version)))
      ),
      retryConflicts(key),
      traced(`Cache.${operation}`)
    )

  const aclChange = (acl: Acl.Acl) => Effect.map(Guarded.owned("Cache", acl), (acl) => ({ acl }))

  const get = read("get", "read", ({ value }) => value)

  /** Gives whether it wrote: `add` leaves what is there. */
  const write = (operation: "set" | "add") =>
    Effect.fnUntraced(
      function*(key: string, value: string, options: SetOptions = {}) {
        const place = yield* locate(operation, key)
        const timeToLive = Duration.decode(options.timeToLive ?? Duration.infinity)
        const packed = (acl: Acl.Acl) =>
          Effect.map(
            Guarded.jsonMetadata("Cache", options.metadata ?? {}),
            // Half a surrogate pair has no UTF-8, so that backends would disagree about it.
            (metadata) => Guarded.pack({ acl, metadata, value: value.toWellFormed() })
          )
        // What is in one's own home is one's own, unless its list says otherwise: then the backend leaves it.
        const own = Access.ofHome(place.home)
        if (operation === "set" && Acl.gives(own, place.who, "write")) {
          yield* check(place, "write", Option.some({ acl: own }))
          const start = Guarded.pack({ acl: own, metadata: {}, value: "" })
          if (yield* connector.overwrite(place.key, yield* packed(own), timeToLive, start)) return true
        }
        const found = yield* findAt(place, "write", identity)
        if (operation === "add" && Option.isSome(found)) return false
        const text = yield* packed(Guarded.aclOf(place, found))
        yield* connector.set(place.key, text, timeToLive, Guarded.versionOf(found))
        return true
      },
      (self, key) => retryConflicts(key)(self),
      traced(`Cache.${operation}`)
    )
  const replace = write("set")
  const set = (key: string, value: string, options?: SetOptions) => Effect.asVoid(replace(key, value, options))

  return Cache.of({
    get,
    getJson: (key, schema) => {
      const decode = ParseResult.decode(Schema.parseJson(schema))
      return Effect.flatMap(
        get(key),
        Effect.transposeMapOption((text) => Effect.mapError(decode(text), ParseResult.parseError))
      )
    },
    set,
    add: write("add"),
    setJson: (key, schema, value, options) =>
      guard.candidate("setJson").pipe(
        Effect.zipRight(Effect.mapError(ParseResult.encode(Schema.parseJson(schema))(value), ParseResult.parseError)),
        Effect.flatMap((text) => set(key, text, options))
      ),
    exists: (key) => Effect.map(read("exists", "read", () => true)(key), Option.isSome),
    remove: Effect.fnUntraced(
      function*(key) {
        const { found, place } = yield* find("remove", key, "owner")
        if (Option.isSome(found)) yield* connector.remove(place.key, found.value.version)
      },
      (self, key) => retryConflicts(key)(self),
      traced("Cache.remove")
    ),
    timeToLive: read("timeToLive", "read", ({ timeToLive }) => timeToLive),
    touch: Effect.fnUntraced(
      function*(key, timeToLive) {
        const { found, place } = yield* find("touch", key, "write")
        if (Option.isSome(found)) yield* connector.touch(place.key, Duration.decode(timeToLive), found.value.version)
        return Option.isSome(found)
      },
      (self, key) => retryConflicts(key)(self),
      traced("Cache.touch")
    ),
    metadata: read("metadata", "read", ({ metadata }) => metadata),
    setMetadata: (key, metadata) =>
      update(
        "setMetadata",
        "write",
        key,
        (entry) =>
          Effect.map(Guarded.jsonMetadata("Cache", { ...entry.metadata, ...metadata }), (metadata) => ({ metadata }))
      ),
    acl: Effect.fnUntraced(function*(key) {
      return (yield* existing("acl", key, "owner")).entry.acl
    }, traced("Cache.acl")),
    setAcl: (key, acl) => update("setAcl", "owner", key, () => aclChange(acl)),
    share: (key, candidate, levels) =>
      update("share", "owner", key, ({ acl }) => aclChange(Acl.grant(acl, candidate, levels)))
  })
})

export const layer: Layer.Layer<Cache, never, CacheConnector> = Layer.scoped(Cache, make)
