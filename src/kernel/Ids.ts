/** Unguessable identifiers. */
import { Effect } from "effect"
import { randomUUID } from "node:crypto"

/** `prefix-` and 32 hexadecimal digits; from the system's cryptographic generator, so an id cannot be guessed. */
export const make = (prefix: string): Effect.Effect<string> => Effect.sync(() => unsafeMake(prefix))

export const unsafeMake = (prefix: string): string => `${prefix}-${randomUUID().replaceAll("-", "")}`
