/**
 * NKV: JSON values under a namespace and a key. Callers use {@link NKV}, connectors implement {@link NKVConnector}. A namespace
 * is in the asker's home; a team's is `smythfs://<id>.team/<namespace>`.
 */
import { Chunk, Context, Effect, Either, Layer, Option, Stream } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Acl from "../../security/Acl.ts"
import * as Address from "../../security/Address.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Guarded from "../Guarded.ts"

export type NKVError = Address.InvalidKey | Access.AccessError

export interface Entry {
  readonly key: string
  /** JSON. */
  readonly value: unknown
}

export interface StoredText {
  readonly key: string
  readonly value: string
  /** Opaque, and new with every write. */
  readonly version: string
}

/**
 * Moves opaque text; no access code. `namespace` is unique over all homes; a key is any text of 1 to 1024 bytes. With
 * `expected` a write happens only while the stored version is that (none: no entry), else it fails with `Conflict`.
 */
export class NKVConnector extends Context.Tag("effect-sre/NKVConnector")<NKVConnector, {
  readonly get: (namespace: string, key: string) => Effect.Effect<Option.Option<StoredText>, ConnectorError>
  readonly set: (
    namespace: string,
    key: string,
    value: string,
    expected: Option.Option<string>
  ) => Effect.Effect<void, ConnectorError>
  readonly remove: (namespace: string, key: string, expected: string) => Effect.Effect<void, ConnectorError>
  /** The entries of this namespace alone, in a fixed order. */
  readonly list: (namespace: string, page: Guarded.Page) => Effect.Effect<Guarded.Listed<StoredText>, ConnectorError>
  readonly clear: (namespace: string) => Effect.Effect<void, ConnectorError>
}>() {}

export class NKV extends Context.Tag("effect-sre/NKV")<NKV, {
  readonly get: (namespace: string, key: string) => Effect.Effect<Option.Option<unknown>, NKVError>
  /** The first writer of an entry owns it, and so does the home it is in. */
  readonly set: (namespace: string, key: string, value: unknown) => Effect.Effect<void, NKVError>
  readonly exists: (namespace: string, key: string) => Effect.Effect<boolean, NKVError>
  /** For owners. Also succeeds when there is nothing to remove. */
  readonly remove: (namespace: string, key: string) => Effect.Effect<void, NKVError>
  /** What the maker of the stream may read in the namespace. */
  readonly list: (
    namespace: string
  ) => Effect.Effect<Stream.Stream<Entry, Access.AccessError>, Candidate.NoCandidate | Address.InvalidKey>
  /** Removes all entries, also unreadable ones. For owners of the home. */
  readonly clear: (namespace: string) => Effect.Effect<void, NKVError>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

const make = Effect.gen(function*() {
  const connector = yield* NKVConnector
  const { check, guard, locate, retryConflicts } = yield* Guarded.make("NKV")

  const open = ({ value, version }: StoredText, resource: string) =>
    Either.map(Guarded.unpack("NKV", resource, value), ({ acl, value }) => ({ acl, value, version }))

  const find = (operation: string, namespace: string, key: string, level: Acl.Level) =>
    Effect.flatMap(
      Effect.flatMap(locate(operation, namespace), (space) => placeOf(space, key)),
      ({ namespace, place }) =>
        Effect.flatMap(retrying(connector.get(namespace, key)), (stored) =>
          Either.match(
            Either.transposeMapOption(stored, (text) => open(text, place.key)),
            {
              onLeft: Effect.fail,
              onRight: (found) => Effect.as(check(place, level, found), { place, found, namespace })
            }
          ))
    )

  return NKV.of({
    get: (namespace, key) =>
      Effect.flatMap(
        find("get", namespace, key, "read"),
        ({ found, place }) => Either.transposeMapOption(found, ({ value }) => decode(value, place.key))
      ).pipe(traced("NKV.get")),
    set: Effect.fnUntraced(
      function*(namespace, key, value) {
        const { found, namespace: space, place } = yield* find("set", namespace, key, "write")
        const text = yield* encode(value, place.key)
        const packed = Guarded.pack({ acl: Guarded.aclOf(place, found), metadata: {}, value: text })
        yield* connector.set(space, key, packed, Guarded.versionOf(found))
      },
      (self, _namespace, key) => retryConflicts(key)(self),
      traced("NKV.set")
    ),
    exists: Effect.fnUntraced(function*(namespace, key) {
      return Option.isSome((yield* find("exists", namespace, key, "read")).found)
    }, traced("NKV.exists")),
    remove: Effect.fnUntraced(
      function*(namespace, key) {
        const { found, namespace: space } = yield* find("remove", namespace, key, "owner")
        if (Option.isSome(found)) yield* connector.remove(space, key, found.value.version)
      },
      (self, _namespace, key) => retryConflicts(key)(self),
      traced("NKV.remove")
    ),
    list: Effect.fnUntraced(function*(namespace) {
      const { key: space, who } = yield* locate("list", namespace)
      const readable = Effect.fnUntraced(function*(stored: StoredText) {
        const resource = `${space}:${stored.key}`
        const { acl, value } = yield* open(stored, resource)
        return (yield* guard.permits(acl, "read", resource))
          ? Option.some({ key: stored.key, value: yield* decode(value, resource) })
          : Option.none()
      })
      const pages = Stream.paginateChunkEffect(Option.none<string>(), (after) =>
        Effect.gen(function*() {
          const { items, next } = yield* retrying(connector.list(space, { after, limit: pageSize }))
          const entries = yield* Effect.forEach(items, readable)
          return [Chunk.fromIterable(entries.flatMap(Option.toArray)), Option.map(next, Option.some)]
        }))
      return Candidate.streamAs(pages, who)
    }, traced("NKV.list")),
    clear: Effect.fnUntraced(function*(namespace) {
      const { home, key } = yield* locate("clear", namespace)
      yield* guard.check(Access.ofHome(home), { operation: "clear", level: "owner", resource: key })
      yield* connector.clear(key)
    }, traced("NKV.clear"))
  })
})

export const layer: Layer.Layer<NKV, never, NKVConnector> = Layer.scoped(NKV, make)

const pageSize = 500

/** Of the entry `key`, for whoever decides about it. */
const placeOf = (
  space: Guarded.Place,
  key: string
): Either.Either<{ readonly namespace: string; readonly place: Guarded.Place }, Address.InvalidKey> => {
  const problem = key === ""
    ? "it is empty"
    : Buffer.byteLength(key) > 1024
    ? "it is longer than 1024 bytes"
    : !key.isWellFormed()
    ? "it has half a surrogate pair, which is not Unicode"
    : undefined
  return problem === undefined
    ? Either.right({ namespace: space.key, place: { ...space, key: `${space.key}:${key}` } })
    : Either.left(new Address.InvalidKey({ key: key.slice(0, 200), problem }))
}

const failure = (method: string, reason: ConnectorError["reason"], detail: string, cause: unknown) =>
  new ConnectorError({ connector: "NKV", method, reason, detail, cause })

const encode = (value: unknown, key: string): Effect.Effect<string, ConnectorError> =>
  Effect.flatMap(
    Effect.try({
      try: () => JSON.stringify(value) as string | undefined,
      catch: (cause) => failure("set", "InvalidInput", `the value for "${key}" is not JSON`, cause)
    }),
    (text) =>
      text === undefined
        ? Effect.fail(
          failure("set", "InvalidInput", `the value for "${key}" is ${typeof value}, which JSON lacks`, undefined)
        )
        : Effect.succeed(text)
  )

const decode = (text: string, key: string): Either.Either<unknown, ConnectorError> =>
  Either.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => failure("get", "Corrupted", `the value of "${key}" is not JSON; remove or replace it`, cause)
  })
