/**
 * Services of one system for another: the contracts of Storage, Vault, VectorDB and Log over HTTP, as data. The server in
 * `server/Managed` and the connectors named `Smyth…` share it.
 *
 * Who is trusted with what. A connector acts for all candidates of its own system and has no access code: whoever calls it has
 * checked the lists already. So the other system is not asked by candidates but by a whole system, which proves itself with a
 * token. The host's Account says whose token it is, and the team setting `smyth.hosts` says which candidates may act for the
 * team: being a member is not enough, since the right is to all of it. What is stored lies in a space named after the team, which
 * no candidate of the host can name and no other team can reach. There it keeps the lists and the versions it comes with, in the
 * same write, so that checks cannot be outrun over HTTP either; the host reads none of them. No path, header or body makes
 * anybody somebody: the team in the path only says which of the rights of the token is meant.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Context, Duration, Schema } from "effect"
import { type ConnectorError, Reason } from "../../kernel/ConnectorError.ts"
import { Unauthenticated } from "../../security/Account.ts"
import type { Candidate } from "../../security/Candidate.ts"
import { LogRecord } from "./Log.ts"
import { Expected, head, Key, StoredObject } from "./ManagedObjects.ts"

/* ------------------------------------------------------------------------------------------------------------------
 * Who asks
 * ---------------------------------------------------------------------------------------------------------------- */

/** Text setting of a team: the candidates that may act for it, `agent:prod, agent:test` or a JSON list. */
export const hostsSetting = "smyth.hosts"

/** The token is somebody's who may not act for this team; whether there is such a team is not told. */
export class NotAllowed extends Schema.TaggedError<NotAllowed>()("NotAllowed", { team: Schema.String }) {
  override get message(): string {
    return `The token may not act for the team "${this.team}": its setting "${hostsSetting}" must name whose token it is`
  }
}

/** The team a request is for, and who proved to be allowed to act for it. */
export class Tenant extends Context.Tag("effect-sre/managed/Tenant")<Tenant, {
  readonly team: string
  readonly host: Candidate
}>() {}

/** What the backend of the host did: the reason alone, for the rest is the host's own business. */
const failures = {
  InvalidInput: 400,
  NotFound: 502,
  Conflict: 409,
  RateLimited: 429,
  Unauthorized: 502,
  Protocol: 502,
  Corrupted: 500,
  Unsupported: 501,
  Unavailable: 503,
  Locked: 503,
  Timeout: 504,
  Full: 507
} as const satisfies Record<Reason, number>

const failure = <R extends Reason>(reason: R) =>
  Schema.Struct({
    error: Schema.Literal("BackendFailed"),
    reason: Schema.Literal(reason),
    retryAfterMillis: Schema.optional(Schema.Number)
  }).annotations(HttpApiSchema.annotations({ status: failures[reason] }))

export const BackendFailed = Schema.Union(...Reason.literals.map((reason) => failure(reason)))
export type BackendFailed = typeof BackendFailed.Type

export const backendFailed = (
  { reason, retryAfter }: Pick<ConnectorError, "reason" | "retryAfter">
): BackendFailed => ({
  error: "BackendFailed",
  reason,
  retryAfterMillis: retryAfter === undefined ? undefined : Duration.toMillis(retryAfter)
})

export class Access extends HttpApiMiddleware.Tag<Access>()("effect-sre/managed/Access", {
  provides: Tenant,
  failure: Schema.Union(
    Unauthenticated.annotations(HttpApiSchema.annotations({ status: 401 })),
    NotAllowed.annotations(HttpApiSchema.annotations({ status: 403 })),
    BackendFailed
  )
}) {}

/* ------------------------------------------------------------------------------------------------------------------
 * What is asked
 * ---------------------------------------------------------------------------------------------------------------- */

const Path = Schema.Struct({ team: Schema.String })
const Page = Schema.Struct({
  after: Schema.OptionFromNullOr(Schema.String),
  limit: Schema.Int.pipe(Schema.between(1, 1000))
})
const listed = <A, I>(item: Schema.Schema<A, I>) =>
  Schema.Struct({ items: Schema.Array(item), next: Schema.OptionFromNullOr(Schema.String) })
const none = Schema.Struct({})

const call = <const Name extends string, P extends Schema.Struct.Fields, A, I>(
  name: Name,
  payload: P,
  success: Schema.Schema<A, I>
) => HttpApiEndpoint.post(name, `/${name}`).setPath(Path).setPayload(Schema.Struct(payload)).addSuccess(success)

const Bytes = Schema.Uint8ArrayFromSelf.pipe(
  HttpApiSchema.withEncoding({ kind: "Uint8Array", contentType: "application/octet-stream" })
)
const storage = HttpApiGroup.make("storage")
  .add(call("head", { key: Key }, Schema.Struct({ object: Schema.OptionFromNullOr(StoredObject) })))
  .add(call("open", {
    key: Key,
    range: Schema.optional(Schema.Struct({ offset: Schema.Int, length: Schema.optional(Schema.Int) }))
  }, Bytes))
  .add(HttpApiEndpoint.post("put", "/put").setPath(Path).addSuccess(none))
  .add(call("update", {
    key: Key,
    change: Schema.Struct({
      acl: Schema.optionalWith(head.acl, { exact: true }),
      contentType: Schema.optionalWith(head.contentType, { exact: true }),
      metadata: Schema.optionalWith(head.metadata, { exact: true }),
      expires: Schema.optionalWith(head.expires, { exact: true })
    }),
    expected: Schema.String
  }, none))
  .add(call("remove", { key: Key, expected: Schema.String }, none))
  .add(call("list", { prefix: Key, page: Page }, listed(StoredObject)))

const Secret = Schema.OptionFromNullOr(Schema.Redacted(Schema.String))
const vault = HttpApiGroup.make("vault")
  .add(call("get", { owner: Key, name: Key }, Schema.Struct({ value: Secret })))
  .add(call("names", { owner: Key }, Schema.Struct({ names: Schema.Array(Schema.String) })))
  .add(call("set", { owner: Key, name: Key, value: Schema.Redacted(Schema.String) }, none))
  .add(call("remove", { owner: Key, name: Key }, none))

const Row = Schema.Struct({ name: Schema.String, value: Schema.String, version: Schema.String })
const isVector = (value: unknown): value is Float32Array => value instanceof Float32Array
/** Little-endian 32-bit floats in base64: a third of the length of digits, and exact. */
const Vector = Schema.transform(Schema.Uint8ArrayFromBase64, Schema.declare(isVector), {
  strict: true,
  decode: (bytes) => new Float32Array(bytes.slice().buffer, 0, bytes.length >> 2),
  encode: (vector) => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)
})
const found = { id: Schema.String, vector: Vector, payload: Schema.String }
const vectors = HttpApiGroup.make("vectors")
  .add(call("get", { space: Key, name: Key }, Schema.Struct({ record: Schema.OptionFromNullOr(Row) })))
  .add(call("put", { space: Key, name: Key, value: Schema.String, expected: Expected }, none))
  .add(call("remove", { space: Key, name: Key, expected: Schema.String }, none))
  .add(call("list", { space: Key, page: Page }, listed(Row)))
  .add(call("upsert", {
    collection: Key,
    points: Schema.Array(
      Schema.Struct({
        ...found,
        terms: Schema.Array(Schema.String),
        words: Schema.optionalWith(Schema.String, { default: () => "" })
      })
    ).pipe(Schema.maxItems(100))
  }, none))
  .add(call("fetch", { collection: Key, ids: Schema.Array(Schema.String) }, Schema.Array(Schema.Struct(found))))
  .add(call("delete", { collection: Key, ids: Schema.Array(Schema.String) }, none))
  .add(call("search", {
    collection: Key,
    query: Schema.Struct({
      vector: Vector,
      topK: Schema.Int.pipe(Schema.between(1, 1000)),
      groups: Schema.Array(Schema.Array(Schema.String))
    })
  }, Schema.Array(Schema.Struct({ ...found, score: Schema.Number }))))
  .add(call("searchWords", {
    collection: Key,
    query: Schema.Struct({
      words: Schema.Array(Schema.String.pipe(Schema.pattern(/^[\p{L}\p{N}\p{M}]{1,100}$/u))).pipe(
        Schema.minItems(1),
        Schema.maxItems(64)
      ),
      topK: Schema.Int.pipe(Schema.between(1, 1000)),
      groups: Schema.Array(Schema.Array(Schema.String))
    })
  }, Schema.Array(Schema.Struct(found))))
  .add(call("drop", { collection: Key }, none))

const log = HttpApiGroup.make("log")
  .add(call("records", {
    /** One of each id is kept. */
    records: Schema.Array(Schema.Struct({ id: Schema.String.pipe(Schema.maxLength(200)), record: LogRecord })).pipe(
      Schema.maxItems(1000)
    )
  }, none))

export const root = "/smyth/v1"

/** `/smyth/v1/teams/acme/storage/head` */
export const Api = HttpApi.make("effect-sre-managed")
  .add(storage.prefix("/storage").middleware(Access))
  .add(vault.prefix("/vault").middleware(Access))
  .add(vectors.prefix("/vectors").middleware(Access))
  .add(log.prefix("/log").middleware(Access))
  .addError(BackendFailed)
  .prefix(`${root}/teams/:team`)
