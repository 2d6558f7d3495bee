/** Who is asking. Only a credential says so; nothing in a path, a header, a query or a body names a candidate. */
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { Account, Unauthenticated } from "../security/Account.ts"
import * as Candidate from "../security/Candidate.ts"
import * as Failures from "./Failures.ts"

/**
 * The candidate of the request. Handlers run their work with {@link asAsker} and pin streams with `Candidate.streamAs`: a
 * response body is pulled by the server's fiber, long after middleware has returned.
 */
export class Asker extends Context.Tag("effect-sre/server/Asker")<Asker, Candidate.Candidate>() {}

export const asAsker = <A, E, R>(work: (asker: Candidate.Candidate) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Asker, (asker) => Candidate.as(work(asker), asker))

const status = <A, I>(error: Schema.Schema<A, I>, status: number) =>
  error.annotations(HttpApiSchema.annotations({ status }))

export class Identity extends HttpApiMiddleware.Tag<Identity>()("effect-sre/server/Identity", {
  provides: Asker,
  failure: Schema.Union(
    status(Failures.wire(Unauthenticated), 401),
    status(Failures.wire(Failures.RateLimited), 429),
    status(Failures.wire(Failures.Unavailable), 503),
    status(Failures.wire(Failures.Timeout), 504)
  )
}) {}

/** Everybody who reaches the server is its one local user: for a server that only this machine can reach. */
export const local = Layer.succeed(Identity, Effect.succeed(Candidate.user("local")))

/** `Authorization: Bearer <API key or signed token>`, or `X-API-Key`, as the account knows them. */
export const account: Layer.Layer<Identity, never, Account> = Layer.effect(
  Identity,
  Effect.map(Account, ({ authenticate }) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => {
      const credential = credentialOf(headers)
      return credential === undefined
        ? Effect.fail(new Unauthenticated({ problem: "send an API key or token as `Authorization: Bearer …`" }))
        : Failures.outside(authenticate(credential))
    }))
)

export const credentialOf = (headers: Readonly<Record<string, string | undefined>>): Redacted.Redacted | undefined => {
  const bearer = /^Bearer +([^\s]+) *$/i.exec(headers["authorization"] ?? "")?.[1]
  const credential = headers["authorization"] === undefined ? headers["x-api-key"] : bearer
  return credential === undefined || credential === "" ? undefined : Redacted.make(credential)
}
