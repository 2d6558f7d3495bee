/** Markup of strangers: readers make an object of each tag, and a file of some kilobytes may hold millions of them. */

export class TooLarge extends Error {
  override readonly name = "TooLarge"
}

/** Throws on parts that together hold more tags than that. */
export const bounded = (parts: Iterable<string | Uint8Array>, maxTags: number): void => {
  let left = maxTags
  for (const part of parts) {
    for (let at = indexOfTag(part, 0); at >= 0; at = indexOfTag(part, at + 1)) {
      if (left-- === 0) throw new TooLarge(`it holds more than ${maxTags} tags`)
    }
  }
}

const indexOfTag = (part: string | Uint8Array, from: number): number =>
  typeof part === "string" ? part.indexOf("<", from) : part.indexOf(0x3c, from)
