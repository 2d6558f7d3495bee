/** Services for other systems: keys, owners and spaces of a team are put below the name of the team, and taken out again. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Effect, Option, ParseResult, Ref, Schema, Stream } from "effect"
import { createHash } from "node:crypto"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Address from "../../security/Address.ts"
import * as Candidate from "../../security/Candidate.ts"
import { VaultConnector } from "../../security/Vault.ts"
import { LogConnector } from "../../subsystems/io/Log.ts"
import { Api, type BackendFailed, backendFailed, Tenant } from "../../subsystems/io/ManagedApi.ts"
import * as ManagedObjects from "../../subsystems/io/ManagedObjects.ts"
import { StorageConnector, type StoredObject } from "../../subsystems/io/Storage.ts"
import { VectorDBConnector } from "../../subsystems/io/VectorModels.ts"

/** What a caller learns of a failure: its reason. The rest is logged. */
export const failed = (error: ConnectorError): Effect.Effect<never, BackendFailed> =>
  Effect.zipRight(
    error.reason === "Conflict" || error.reason === "InvalidInput"
      ? Effect.void
      : Effect.logWarning(`a request of another system failed: ${error.message}`),
    Effect.fail(backendFailed(error))
  )

/** Runs on the contract, if it is offered, for the team that asks. */
const using =
  <Id, S>(tag: Context.Tag<Id, S>, offered: Context.Context<never>) =>
  <A, R>(run: (service: S, team: string) => Effect.Effect<A, ConnectorError, R>) =>
    Effect.flatMap(Tenant, ({ team }) =>
      Option.match(Context.getOption(offered, tag), {
        onNone: () => Effect.fail(backendFailed({ reason: "Unsupported", retryAfter: undefined })),
        onSome: (service) => Effect.catchAll(run(service, team), failed)
      }))

const done = Effect.as({})

/** Below this no candidate of the host has a home: there is no such role. */
const within = (team: string, name: string) => `tenant:${team}/${name}`

const invalid = (detail: string) =>
  new ConnectorError({ connector: "Managed", method: "request", reason: "InvalidInput", detail })

/* ------------------------------------------------------------------------------------------------------------------
 * Storage
 * ---------------------------------------------------------------------------------------------------------------- */

/** Only keys that a service would make: what a backend does with others, dots say, was never asked. */
const keyOf = (team: string, key: string): Effect.Effect<string, ConnectorError> => {
  const [, role, id, path] = /^(user|agent|team):([^/]+)\/(.*)$/s.exec(key) ?? []
  const home = { role: role as Candidate.Role, id: id ?? "" }
  return path !== undefined && Schema.is(Candidate.Candidate)(home)
    ? Effect.mapBoth(Address.resolve(Address.toUri({ home, path }), home), {
      onFailure: ({ problem }) => invalid(problem),
      onSuccess: () => within(team, key)
    })
    : Effect.fail(invalid("a key is in the home of a user, an agent or a team"))
}

const outside = (team: string) => (object: StoredObject): StoredObject => ({
  ...object,
  key: object.key.slice(within(team, "").length)
})

const encodeOpenLine = ParseResult.encode(ManagedObjects.OpenLine)
const decodePutLine = ParseResult.decodeUnknown(ManagedObjects.PutLine)

export const storage = (maxObjectBytes: number) =>
  HttpApiBuilder.group(Api, "storage", (handlers) =>
    Effect.map(Effect.context<never>(), (offered) => {
      const on = using(StorageConnector, offered)
      return handlers
        .handle("head", ({ payload: { key } }) =>
          on((store, team) =>
            Effect.map(Effect.flatMap(keyOf(team, key), store.head), (object) => ({
              object: Option.map(object, outside(team))
            }))
          ))
        .handle("open", ({ payload: { key, range } }) =>
          on((store, team) =>
            Effect.gen(function*() {
              const opened = yield* store.open(yield* keyOf(team, key), range)
              const line = yield* Effect.orDie(encodeOpenLine({ object: Option.map(opened, outside(team)) }))
              const bytes = Option.match(opened, {
                onNone: () =>
                  Stream.empty,
                onSome: ({ body }) =>
                  body
              })
              return HttpServerResponse.stream(ManagedObjects.frame(line, bytes), {
                contentType: "application/octet-stream"
              })
            })
          ))
        .handleRaw("put", ({ request }) =>
          on((store, team) =>
            Effect.scoped(Effect.gen(function*() {
              const { bytes, line } = yield* ManagedObjects.unframe(Stream.mapError(request.stream, () => endedEarly))
              const { expected, head, key } = yield* Effect.mapError(decodePutLine(line), () => endedEarly)
              yield* store.put(
                yield* keyOf(team, key),
                { ...head, body: yield* bounded(bytes, maxObjectBytes) },
                expected
              )
              return HttpServerResponse.unsafeJson({})
            })).pipe(Effect.catchTag("NoFirstLine", () => Effect.fail(endedEarly)))
          ))
        .handle("update", ({ payload: { change, expected, key } }) =>
          on((store, team) =>
            done(Effect.flatMap(keyOf(team, key), (key) =>
              store.update(key, change, expected)))
          ))
        .handle("remove", ({ payload: { expected, key } }) =>
          on((store, team) =>
            done(Effect.flatMap(keyOf(team, key), (key) =>
              store.remove(key, expected)))
          ))
        .handle("list", ({ payload: { page, prefix } }) =>
          on((store, team) =>
            keyOf(team, `${prefix}x`).pipe(
              Effect.flatMap((key) => store.list(key.slice(0, -1), page)),
              Effect.map(({ items, next }) => ({ items: items.map(outside(team)), next }))
            )
          ))
    }))

const endedEarly = invalid("the body is not one of this method, or it ended early")

const bounded = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>, maxBytes: number) =>
  Effect.map(Ref.make(0), (length) =>
    Stream.tap(bytes, (chunk) =>
      Effect.flatMap(
        Ref.updateAndGet(length, (before) => before + chunk.length),
        (sum) => sum > maxBytes ? Effect.fail(invalid(`more than ${maxBytes} bytes`)) : Effect.void
      )))

/* ------------------------------------------------------------------------------------------------------------------
 * Vault, vectors, log
 * ---------------------------------------------------------------------------------------------------------------- */

export const vault = HttpApiBuilder.group(Api, "vault", (handlers) =>
  Effect.map(Effect.context<never>(), (offered) => {
    const on = using(VaultConnector, offered)
    return handlers
      .handle("get", ({ payload: { name, owner } }) =>
        on((secrets, team) =>
          Effect.map(secrets.get(within(team, owner), name), (value) => ({ value }))
        ))
      .handle("names", ({ payload: { owner } }) =>
        on((secrets, team) =>
          Effect.map(secrets.names(within(team, owner)), (names) => ({ names }))
        ))
      .handle("set", ({ payload: { name, owner, value } }) =>
        on((secrets, team) =>
          done(secrets.set(within(team, owner), name, value))
        ))
      .handle("remove", ({ payload: { name, owner } }) =>
        on((secrets, team) =>
          done(secrets.remove(within(team, owner), name))
        ))
  }))

/** Collections have names of letters and digits, and spaces may be named after them: 128 bits of the team's hash tell teams apart. */
const spaceOf = (team: string, name: string) =>
  /^[a-z0-9]+$/i.test(name)
    ? `t${createHash("sha256").update(team).digest("hex").slice(0, 32)}${name}`
    : within(team, name)

const collectionOf = (team: string, name: string): Effect.Effect<string, ConnectorError> =>
  /^[a-z0-9]+$/i.test(name)
    ? Effect.succeed(spaceOf(team, name))
    : Effect.fail(invalid("a collection has a name of letters and digits"))

export const vectors = HttpApiBuilder.group(
  Api,
  "vectors",
  (handlers) =>
    Effect.map(Effect.context<never>(), (offered) => {
      const on = using(VectorDBConnector, offered)
      return handlers
        .handle("get", ({ payload: { name, space } }) =>
          on((store, team) =>
            Effect.map(store.get(spaceOf(team, space), name), (record) => ({ record }))
          ))
        .handle("put", ({ payload: { expected, name, space, value } }) =>
          on((store, team) =>
            done(store.put(spaceOf(team, space), name, value, expected))
          ))
        .handle("remove", ({ payload: { expected, name, space } }) =>
          on((store, team) =>
            done(store.remove(spaceOf(team, space), name, expected))
          ))
        .handle("list", ({ payload: { page, space } }) =>
          on((store, team) =>
            store.list(spaceOf(team, space), page)
          ))
        .handle("upsert", ({ payload: { collection, points } }) =>
          on((store, team) =>
            done(Effect.flatMap(collectionOf(team, collection), (name) =>
              store.upsert(name, points)))
          ))
        .handle("fetch", ({ payload: { collection, ids } }) =>
          on((store, team) =>
            Effect.flatMap(collectionOf(team, collection), (name) =>
              store.fetch(name, ids))
          ))
        .handle("delete", ({ payload: { collection, ids } }) =>
          on((store, team) =>
            done(Effect.flatMap(collectionOf(team, collection), (name) =>
              store.delete(name, ids)))
          ))
        .handle("search", ({ payload: { collection, query } }) =>
          on((store, team) =>
            Effect.flatMap(collectionOf(team, collection), (name) =>
              store.search(name, query))
          ))
        .handle("searchWords", ({ payload: { collection, query } }) =>
          on((store, team) =>
            Effect.flatMap(collectionOf(team, collection), (name) =>
              store.searchWords(name, query))
          ))
        .handle("drop", ({ payload: { collection } }) =>
          on((store, team) =>
            done(Effect.flatMap(collectionOf(team, collection), store.drop))
          ))
    })
)

/** Ids of records that were written, of the latest requests: who did not hear of it sends them again. */
const remembered = 50_000

/**
 * Written as the system that proved who it is; whom it names stands below the name of its team, so that no other system can
 * write into the log of a candidate of the host.
 */
export const log = HttpApiBuilder.group(Api, "log", (handlers) =>
  Effect.gen(function*() {
    const on = using(LogConnector, yield* Effect.context<never>())
    const seen = new Set<string>()
    const one = yield* Effect.makeSemaphore(1)
    return handlers.handle("records", ({ payload: { records } }) =>
      Effect.flatMap(Tenant, ({ host }) =>
        on((sink, team) =>
          Effect.gen(function*() {
            const added = records.filter(({ id }) =>
              !seen.has(within(team, id))
            )
            if (added.length > 0) {
              yield* sink.write(added.map(({ record }) => ({
                ...record,
                candidate: host,
                agentId: record.candidate === undefined ? team : `${team}/${Candidate.format(record.candidate)}`
              })))
            }
            for (const { id } of added) seen.add(within(team, id))
            for (const id of seen) {
              if (seen.size <= remembered) break
              seen.delete(id)
            }
            return {}
          })
        ).pipe(one.withPermits(1))))
  }))
