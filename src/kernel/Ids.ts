/** Unguessable identifiers. */
import { Effect } from "effect"
import { randomUUID } from "node:crypto"

/** `prefix-` and 32 hexadecimal digits; from the system's cryptographic generator, so an id cannot be guessed. */
export const make = (prefix: string): Effect.Effect<string> => Effect.sync(() => unsafeMake(prefix))

// Joined, not concatenated: they live long, and as one piece of memory they are a third of the size.
export const unsafeMake = (prefix: string): string => [prefix, randomUUID().replaceAll("-", "")].join("-")
