/** Bytes of the values that flow between components, and the names documents give to digests and encodings. */
import { getHashes } from "node:crypto"
import { didYouMean } from "../../kernel/Nearest.ts"

/** Bytes, text in UTF-8, or a list of byte values; anything else has no bytes of its own. */
export const of = (value: unknown): Uint8Array | undefined =>
  value instanceof Uint8Array
    ? value
    : typeof value === "string"
    ? Buffer.from(value, "utf8")
    : Array.isArray(value) && value.every((one) => Number.isInteger(one) && one >= 0 && one <= 255)
    ? Uint8Array.from(value)
    : undefined

export const encodings = [
  "utf8",
  "hex",
  "base64",
  "base64url",
  "latin1",
  "binary",
  "ascii",
  "utf16le",
  "utf-8",
  "utf-16le",
  "ucs2",
  "ucs-2"
] as const
export type Encoding = (typeof encodings)[number]

export const encode = (bytes: Uint8Array, encoding: Encoding): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding)

/** None when the text cannot be of this encoding: a decoder that skips what it cannot read would lose data unseen. */
export const decode = (text: string, encoding: Encoding): Uint8Array | undefined => {
  const readable = encoding === "hex"
    ? /^(?:[\da-f]{2})*$/i
    : encoding === "base64" || encoding === "base64url"
    ? /^[\w+/\-\s]*(?:=\s*){0,2}$/
    : undefined
  return readable === undefined || readable.test(text) ? Buffer.from(text, encoding) : undefined
}

const digests = new Map(getHashes().map((name) => [name.toLowerCase(), name]))

/** Why a digest cannot be used: OpenSSL on this machine does not know it. Case does not matter. */
export const digestProblem = (name: string): string | undefined =>
  digests.has(name.toLowerCase()) ? undefined : `unknown digest "${name}".${didYouMean(name, digests.keys())}`
