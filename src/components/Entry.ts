/**
 * How runs begin at a component. An endpoint is called; a trigger starts runs by itself, once its agent's owner has registered
 * it: with what comes in over HTTP (a hook), or with what it finds when it looks from time to time (a poll). Each payload is a
 * run of its own and data like any other: whoever sent it, nobody is known to have asked.
 */
import { type Effect, type Option, Schema } from "effect"
import type { JobSchedule } from "../subsystems/compute/JobSchedule.ts"
import * as Port from "./Port.ts"
import type { Services } from "./Services.ts"

export type Entry<Config> = Call | Trigger<Config>
export type Trigger<Config> = Hook<Config> | Poll<Config>

/** The request is checked and made to fit before the run. */
export interface Call {
  readonly kind: "call"
}

/** What a component may know of its place outside of runs. */
export interface Place<Config> {
  readonly config: Config
  /** Of the agent; no secrets. */
  readonly variables: Readonly<Record<string, unknown>>
}

/** A vault, a network or whatever else a trigger needs does not work, or a setting makes no sense. */
export interface Trouble {
  readonly message: string
}
type Work<A> = Effect.Effect<A, Trouble, Services>

export interface Hook<Config> {
  readonly kind: "hook"
  /** Judges what came in, fails with a {@link Refusal}, or gives the payloads in it. */
  readonly receive: (request: HookRequest, place: Place<Config>) => Effect.Effect<Received, Refusal | Trouble, Services>
  /** Tells the sender where to send to, and not to any more; absent where people do. */
  readonly subscribe?: (place: Place<Config>) => Work<void>
  readonly unsubscribe?: (place: Place<Config>) => Work<void>
}

export interface HookRequest {
  readonly method: "GET" | "POST"
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  /** As it came, for signatures. */
  readonly body: Uint8Array
}

export interface Received {
  readonly deliveries: ReadonlyArray<Delivery>
  /** What the sender is told. Default: 202, and how many runs were started. */
  readonly reply?: Reply
  /** The sender of a single delivery waits for the answer of its run. */
  readonly waits?: boolean
}

export interface Delivery {
  readonly payload: unknown
  /** For a day another delivery with one of these starts nothing; what is sure to be the sender's comes first. */
  readonly ids?: ReadonlyArray<string>
}

export interface Reply {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

export interface Poll<Config> {
  readonly kind: "poll"
  readonly schedule: (config: Config) => typeof JobSchedule.Encoded
  /** Where to go on from: what was there before the registration is not delivered. */
  readonly begin: (place: Place<Config>) => Work<string>
  /** What is new behind the cursor; `due` is the time of the schedule, in milliseconds since 1970. */
  readonly look: (cursor: string, due: number, place: Place<Config>) => Work<Found>
  /** The payload of an item; none: it is gone meanwhile. */
  readonly load: (item: string, place: Place<Config>) => Work<Option.Option<unknown>>
}

export interface Found {
  /** Oldest first. */
  readonly items: ReadonlyArray<string>
  readonly cursor: string
}

/** The signature is missing, too old, or not made with the secret of the trigger. */
export class BadSignature extends Schema.TaggedError<BadSignature>()("BadSignature", { problem: Schema.String }) {
  override get message(): string {
    return `The signature was not accepted: ${this.problem}`
  }
}

/** Somebody who wants to prove that this is the right address does not know the token of the trigger. */
export class BadVerification extends Schema.TaggedError<BadVerification>()("BadVerification", {
  problem: Schema.String
}) {
  override get message(): string {
    return `The address was not verified: ${this.problem}`
  }
}

/** Rightly signed, but not what this trigger takes. */
export class BadPayload extends Schema.TaggedError<BadPayload>()("BadPayload", { problem: Schema.String }) {
  override get message(): string {
    return `The payload cannot be read: ${this.problem}`
  }
}

export type Refusal = BadSignature | BadVerification | BadPayload

export const isRefusal = (error: unknown): error is Refusal =>
  error instanceof BadSignature || error instanceof BadVerification || error instanceof BadPayload

/** The setting all triggers have. */
export const settings = {
  /** Path below the agent: `/trigger/<triggerEndpoint>`, and the name it is registered by. */
  triggerEndpoint: Schema.String.pipe(
    Schema.pattern(/^[A-Za-z0-9]+(?:[_-]+[A-Za-z0-9]+)*_*$/, {
      message: () => "letters, digits, and single - or _ between them"
    }),
    Schema.maxLength(50)
  )
}

/** The output all triggers have. */
export const outputs = {
  /** What the run is about. */
  Payload: Port.Any
}
