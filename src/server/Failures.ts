/** How errors look on the wire: `{ error, message, ...fields }`, and the failures only HTTP knows. */
import { Duration, Effect, Schema } from "effect"
import type { ConnectorError } from "../kernel/ConnectorError.ts"
import type { NoCandidate } from "../security/Candidate.ts"

/** The request cannot be read: its JSON, its form, a field or a header. */
export class MalformedRequest extends Schema.TaggedError<MalformedRequest>()("MalformedRequest", {
  problem: Schema.String
}) {
  override get message(): string {
    return `Malformed request: ${this.problem}`
  }
}

/** A browser asks for a page of another origin, or by a name that is not this machine's: both are how pages attack. */
export class ForeignRequest extends Schema.TaggedError<ForeignRequest>()("ForeignRequest", {
  header: Schema.Literal("Host", "Origin", "Sec-Fetch-Site")
}) {
  override get message(): string {
    return this.header === "Host"
      ? "Refused: without credentials this server answers only to localhost and loopback addresses"
      : "Refused: requests of pages of another origin are not answered; the operator can allow it with cors.origins"
  }
}

export class RouteNotFound extends Schema.TaggedError<RouteNotFound>()("RouteNotFound", {
  method: Schema.String,
  path: Schema.String
}) {
  override get message(): string {
    return `There is nothing at ${this.method} ${this.path}; GET /openapi.json lists what there is`
  }
}

export class MethodNotAllowed extends Schema.TaggedError<MethodNotAllowed>()("MethodNotAllowed", {
  method: Schema.String,
  allow: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.method} is not answered here, only ${this.allow.join(", ")}`
  }
}

export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()("BodyTooLarge", { maxBytes: Schema.Int }) {
  override get message(): string {
    return `The body is larger than ${this.maxBytes} bytes`
  }
}

export class UnsupportedContentType extends Schema.TaggedError<UnsupportedContentType>()("UnsupportedContentType", {
  contentType: Schema.String,
  accepted: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `Bodies of type "${this.contentType}" are not read here. Accepted: ${this.accepted.join(", ")}`
  }
}

export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", {
  retryAfterSeconds: Schema.Int
}) {
  override get message(): string {
    return `Too many requests: try again in ${this.retryAfterSeconds} s`
  }
}

/** A backend this request needs does not work now. Which one, and why, is in the operator's log. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {}) {
  override get message(): string {
    return "A service this request needs is not available: try again later"
  }
}

export class Timeout extends Schema.TaggedError<Timeout>()("Timeout", {}) {
  override get message(): string {
    return "A service this request needs did not answer in time"
  }
}

export class InternalError extends Schema.TaggedError<InternalError>()("InternalError", {}) {
  override get message(): string {
    return "Internal error; the operator's log has it"
  }
}

interface TaggedErrorClass<A> {
  new(props: never): A
  readonly _tag: string
  readonly fields: Schema.Struct.Fields
}

/** The schema of an error as it is sent. Fields are public: an error with a `cause` or a `detail` has no place here. */
export const wire = <A extends Error & { readonly _tag: string }, I>(
  error: TaggedErrorClass<A> & Schema.Schema<A, I>
): Schema.Schema<A, { readonly error: string; readonly message: string }> => {
  const { _tag, ...fields } = error.fields
  const Sent = Schema.Struct({ error: Schema.Literal(error._tag), message: Schema.String, ...fields })
  return Schema.transform(Sent, Schema.typeSchema(error), {
    strict: false,
    decode: ({ error: _, message: __, ...props }) => new error(props as never),
    encode: (_, sent) => ({ ...sent, error: sent._tag, message: sent.message })
  }).annotations({ identifier: error._tag }) as never
}

/** Errors without those that are the operator's alone. */
export type Outside<E> = Exclude<E, ConnectorError | NoCandidate> | RateLimited | Unavailable | Timeout

/** What a caller learns of a backend's failure: whether to wait. The rest is logged. */
export const outside = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, Outside<E>, R> =>
  Effect.catchAll(self, (error) => fail(error as never))

const fail = (error: ConnectorError | NoCandidate | { readonly _tag: "" }) => {
  switch (error._tag) {
    case "ConnectorError":
      return Effect.zipRight(Effect.logWarning(`a request failed: ${error.message}`), Effect.fail(ofBackend(error)))
    // Every endpoint runs as whoever asks: to find nobody is a bug of this server.
    case "NoCandidate":
      return Effect.die(error)
    default:
      return Effect.fail(error as never)
  }
}

const ofBackend = ({ reason, retryAfter }: ConnectorError) =>
  reason === "RateLimited"
    ? new RateLimited({ retryAfterSeconds: Math.ceil(Duration.toSeconds(retryAfter ?? Duration.seconds(1))) })
    : reason === "Timeout"
    ? new Timeout()
    : new Unavailable()

/** Headers that belong to a failure. */
export const headersOf = (error: unknown): Readonly<Record<string, string>> => {
  const { _tag: tag } = error as { readonly _tag?: unknown }
  switch (tag) {
    case "Unauthenticated":
      return { "www-authenticate": "Bearer" }
    case "BadSignature":
      return { "www-authenticate": "Signature" }
    case "MethodNotAllowed":
      return { allow: (error as MethodNotAllowed).allow.join(", ") }
    case "RateLimited":
      return { "retry-after": String((error as RateLimited).retryAfterSeconds) }
    case "Overloaded":
    case "Unavailable":
      return { "retry-after": "1" }
    case "ShuttingDown":
      return { "retry-after": "5" }
    default:
      return {}
  }
}
