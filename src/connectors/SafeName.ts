/** File names for keys of any kind: no path can be left, no two keys meet, also where case does not count. */
import { createHash } from "node:crypto"

/** Longest name; file systems allow 255 bytes, and temporary names need room. */
const maxLength = 200

/**
 * Lower-case letters, digits, `-`, `_` and inner dots stand for themselves, everything else is percent-encoded UTF-8. Too
 * long for a name, the key becomes its beginning, a `~`, which no short name has, and its SHA-256.
 */
export const encode = (key: string): string => {
  const name = Buffer.from(key).toString("latin1").replaceAll(
    /[^a-z0-9_.-]|^\./g,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`
  )
  return name.length <= maxLength
    ? name
    : `${name.slice(0, 100)}~${createHash("sha256").update(key).digest("hex")}`
}

/** The key of a name, `hashed` when only the file itself knows it, nothing for a name that `encode` does not give. */
export const decode = (name: string): { readonly key: string } | "hashed" | undefined => {
  if (/^[^~]{100}~[0-9a-f]{64}$/.test(name)) return "hashed"
  try {
    const key = decodeURIComponent(name)
    return encode(key) === name ? { key } : undefined
  } catch {
    return undefined
  }
}
