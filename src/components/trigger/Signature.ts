/** Signatures of webhooks: HMAC with SHA-256, compared in a time that tells nothing about where they differ. */
import { Redacted } from "effect"
import { createHmac, timingSafeEqual } from "node:crypto"

export const encodings = ["hex", "base64"] as const
export type Encoding = (typeof encodings)[number]

/** When one of the signatures given is that of the parts, one after the other: the signature, in one spelling. */
export const verify = (
  secret: Redacted.Redacted,
  parts: Iterable<string | Uint8Array>,
  given: Iterable<string>,
  encoding: Encoding
): string | undefined => {
  const hmac = createHmac("sha256", Redacted.value(secret))
  for (const part of parts) hmac.update(part)
  const expected = hmac.digest()
  let found = false
  for (const one of given) if (isSame(expected, Buffer.from(one, encoding))) found = true
  return found ? expected.toString("base64url") : undefined
}

/** For tokens, whose length is no secret either way: both are hashed to one length first. */
export const isSameText = (secret: Redacted.Redacted, given: string): boolean => {
  const [expected, found] = [Redacted.value(secret), given].map((text) =>
    createHmac("sha256", "").update(text).digest()
  )
  return isSame(expected!, found!)
}

const isSame = (expected: Buffer, given: Buffer) => expected.length === given.length && timingSafeEqual(expected, given)
