/** Texts in pieces that can be embedded: cut at blank lines, else at line ends, spaces, or anywhere. */

export interface Sizes {
  /** Most characters of a piece. */
  readonly chunkSize: number
  /** Most characters that a piece repeats of the one before it; less than `chunkSize`. */
  readonly chunkOverlap: number
}

/** The pieces in order, without space at their ends; none of a text without a visible character. */
export const split = (text: string, sizes: Sizes): ReadonlyArray<string> => splitAt(text, separators, sizes)

const separators: ReadonlyArray<string> = ["\n\n", "\n", " ", ""]

const splitAt = (text: string, candidates: ReadonlyArray<string>, sizes: Sizes): ReadonlyArray<string> => {
  const found = candidates.findIndex((one) => text.includes(one))
  const finer = candidates.slice(found + 1)
  const chunks: Array<string> = []
  let fitting: Array<string> = []
  for (const piece of pieces(text, candidates[found] ?? "")) {
    if (piece.length < sizes.chunkSize || finer.length === 0) {
      fitting.push(piece)
    } else {
      // One by one: as arguments of a call there may be too many.
      for (const chunk of merge(fitting, sizes)) chunks.push(chunk)
      for (const chunk of splitAt(piece, finer, sizes)) chunks.push(chunk)
      fitting = []
    }
  }
  return [...chunks, ...merge(fitting, sizes)]
}

/** A separator stays at the start of the piece it leads to; code points stay whole. */
const pieces = (text: string, separator: string): ReadonlyArray<string> =>
  separator === ""
    ? Array.from(text)
    : text.split(separator).map((piece, at) => at === 0 ? piece : separator + piece).filter((piece) => piece !== "")

/** As many pieces to a chunk as fit; the next chunk starts with as many of the last ones as the overlap allows. */
const merge = (fitting: ReadonlyArray<string>, { chunkOverlap, chunkSize }: Sizes): ReadonlyArray<string> => {
  const chunks: Array<string> = []
  let start = 0
  let length = 0
  const close = (end: number) => {
    const chunk = fitting.slice(start, end).join("").trim()
    if (chunk !== "") chunks.push(chunk)
  }
  fitting.forEach((piece, at) => {
    if (length + piece.length > chunkSize && start < at) {
      close(at)
      while (start < at && (length > chunkOverlap || length + piece.length > chunkSize)) {
        length -= fitting[start]!.length
        start += 1
      }
    }
    length += piece.length
  })
  close(fitting.length)
  return chunks
}
