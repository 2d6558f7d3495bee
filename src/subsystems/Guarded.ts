/** What the stores of guarded data have in common: addresses, the list that decides, and writes that cannot be outrun. */
import { type Context, Effect, Either, Option, RcMap, Schema, type Scope, type Stream } from "effect"
import { ConnectorError, isConflict } from "../kernel/ConnectorError.ts"
import * as Pull from "../kernel/Pull.ts"
import * as Access from "../security/Access.ts"
import * as Acl from "../security/Acl.ts"
import * as Address from "../security/Address.ts"
import * as Candidate from "../security/Candidate.ts"

/** Who asks for what; `key` is unique over all homes and what connectors store under. */
export interface Place {
  readonly operation: string
  readonly who: Candidate.Candidate
  readonly home: Candidate.Candidate
  readonly key: string
}

export interface Guarded {
  readonly guard: Access.Guard
  /** Where `key`, as the asker wrote it, lives. */
  readonly locate: (operation: string, key: string) => Effect.Effect<Place, Candidate.NoCandidate | Address.InvalidKey>
  /** The list of the datum decides; of an absent one, whose home it would be in, so that strangers cannot probe for names. */
  readonly check: (
    place: Place,
    level: Acl.Level,
    found: Option.Option<{ readonly acl: Acl.Acl }>
  ) => Effect.Effect<void, Access.AccessError>
  /**
   * Runs read-check-write again when another write came between. Those of this process that lost one queue up by `key`, so
   * that they do not go on outrunning each other.
   */
  readonly retryConflicts: (key: string) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Built once when a service is built. */
export const make = Effect.fnUntraced(function*(service: string): Effect.fn.Return<Guarded, never, Scope.Scope> {
  const guard = yield* Access.guard(service)
  const queues = yield* RcMap.make({ lookup: (_key: string) => Effect.makeSemaphore(1) })

  return {
    guard,
    retryConflicts: (key) => <A, E, R>(self: Effect.Effect<A, E, R>) => {
      const again = Effect.contextWithEffect((context: Context.Context<R>) =>
        Effect.scoped(
          Effect.flatMap(RcMap.get(queues, key), (queue) =>
            queue.withPermits(1)(Effect.retry(Effect.provide(self, context), { while: isConflict, times: 100 })))
        )
      )
      return Effect.catchAll(self, (error) => isConflict(error) ? again : Effect.fail(error))
    },
    locate: (operation, key) =>
      guard.asking(
        operation,
        (who) => Either.map(Address.resolve(key, who), ({ home, key }) => ({ operation, who, home, key }))
      ),
    check: ({ home, key, operation }, level, found) =>
      guard.check(Option.isSome(found) ? found.value.acl : Access.ofHome(home), { operation, level, resource: key })
  }
})

/** The list a write stores: the one there is, so that a later writer does not become owner, else a new one. */
export const aclOf = (place: Place, found: Option.Option<{ readonly acl: Acl.Acl }>): Acl.Acl =>
  Option.match(found, { onNone: () => Access.forNew(place.home, place.who), onSome: ({ acl }) => acl })

export const versionOf = (found: Option.Option<{ readonly version: string }>): Option.Option<string> =>
  Option.map(found, ({ version }) => version)

/** A list without an owner would be nobody's, and could never be changed again. */
export const owned = (service: string, acl: Acl.Acl): Effect.Effect<Acl.Acl, ConnectorError> =>
  Acl.owners(acl).length > 0 ? Effect.succeed(acl) : Effect.fail(
    new ConnectorError({
      connector: service,
      method: "setAcl",
      reason: "InvalidInput",
      detail: "the list would have no owner; give \"owner\" to somebody else first, or in the same list"
    })
  )

/** A connector's key as `who` may write it: relative in its own home, else a `smythfs://` URI. */
export const keyFor = (who: Candidate.Candidate, key: string): string => {
  const home = `${Candidate.format(who)}/`
  if (key.startsWith(home)) return key.slice(home.length)
  const [, role, id, path] = /^([^:]+):([^/]+)\/(.*)$/s.exec(key) ?? []
  return Address.toUri({ home: { role: role as Candidate.Role, id: id ?? "" }, path: path ?? "" })
}

/** A part of a list: at most `limit` items behind the one that `next` of the page before named. */
export interface Page {
  readonly after: Option.Option<string>
  readonly limit: number
}

/** A page may hold less than was asked for; without `next` it is the last. */
export interface Listed<A> {
  readonly items: ReadonlyArray<A>
  readonly next: Option.Option<string>
}

/** The chunks of a body in one piece. */
export const concat = (chunks: Iterable<Uint8Array>): Uint8Array => {
  const all = Array.from(chunks)
  if (all.length === 1) return all[0]!
  const bytes = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0))
  all.reduce((offset, chunk) => (bytes.set(chunk, offset), offset + chunk.length), 0)
  return bytes
}

/** All of a body: see {@link Pull}. */
export const collect = <E, R>(body: Stream.Stream<Uint8Array, E, R>): Effect.Effect<Uint8Array, E, R> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    return Effect.map(Pull.forEach(body, (bytes) => chunks.push(bytes)), () => concat(chunks))
  })

/** Facts about a datum, as JSON. */
export const Metadata = Schema.Record({ key: Schema.String, value: Schema.Unknown })
export type Metadata = typeof Metadata.Type

/** A copy as JSON keeps it, or `InvalidInput` for what JSON cannot hold. */
export const jsonMetadata = (service: string, metadata: Metadata): Effect.Effect<Metadata, ConnectorError> =>
  Object.keys(metadata).length === 0 ? Effect.succeed(metadata) : Effect.try({
    try: () => JSON.parse(JSON.stringify(metadata)) as Metadata,
    catch: (cause) =>
      new ConnectorError({
        connector: service,
        method: "metadata",
        reason: "InvalidInput",
        detail: "it is not JSON",
        cause
      })
  })

/* ------------------------------------------------------------------------------------------------------------------
 * One text for a value and what guards it, for backends that move opaque values: a line of JSON, then the value
 * ---------------------------------------------------------------------------------------------------------------- */

export interface Envelope {
  readonly acl: Acl.Acl
  readonly metadata: Metadata
  readonly value: string
}

const Head = Schema.Struct({ acl: Acl.Acl, metadata: Schema.optionalWith(Metadata, { default: () => ({}) }) })
/** Most data of a program have no metadata and one of few lists: what was read lately of such text is not read again. */
export const remembering = <A extends { readonly metadata: Metadata }>(
  decode: (text: string) => Option.Option<A>
): (text: string) => Option.Option<A> => {
  const heads = new Map<string, Option.Option<A>>()
  return (text) => {
    const known = heads.get(text)
    if (known !== undefined) return known
    const head = decode(text)
    if (Option.isSome(head) && text.length <= maxHeadLength && Object.keys(head.value.metadata).length === 0) {
      if (heads.size >= maxHeads) heads.clear()
      heads.set(text, frozen(head))
    }
    return head
  }
}
const maxHeads = 1000
const maxHeadLength = 500

/** What several readers get at once none of them may change. An `Option` nobody can, and there is only one that is none. */
const frozen = <A>(value: A): A => {
  if (Option.isOption(value)) Option.map(value, frozen)
  else if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen)
  return value
}

const decodeHead = remembering(Schema.decodeOption(Schema.parseJson(Head)))

export const pack = ({ acl, metadata, value }: Envelope): string =>
  // Joined, not concatenated: the result is one piece of memory instead of a tree of them.
  [JSON.stringify(Object.keys(metadata).length === 0 ? { acl } : { acl, metadata }), value].join("\n")

/** Fails with `Corrupted` on anything {@link pack} did not make: unreadable is refused, not open. */
export const unpack = (service: string, key: string, text: string): Either.Either<Envelope, ConnectorError> => {
  const end = text.indexOf("\n")
  const head = end < 0 ? Option.none() : decodeHead(text.slice(0, end))
  return Option.isSome(head)
    ? Either.right({ acl: head.value.acl, metadata: head.value.metadata, value: text.slice(end + 1) })
    : Either.left(
      new ConnectorError({
        connector: service,
        method: "get",
        reason: "Corrupted",
        detail: `the entry "${key}" cannot be read; remove or replace it`
      })
    )
}
