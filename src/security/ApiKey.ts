/** API keys: 256 random bits, shown once. Accounts keep only their SHA-256: nothing slower is needed, there is nothing to guess. */
import { Effect, Redacted } from "effect"
import { createHash, randomBytes } from "node:crypto"

/** A new key and the hash to enter in the account. */
export const make: Effect.Effect<{ readonly key: Redacted.Redacted; readonly hash: string }> = Effect.sync(() => {
  const key = Redacted.make(`sre_${randomBytes(32).toString("base64url")}`)
  return { key, hash: hash(key) }
})

/** 64 hexadecimal digits. */
export const hash = (key: Redacted.Redacted): string => createHash("sha256").update(Redacted.value(key)).digest("hex")
