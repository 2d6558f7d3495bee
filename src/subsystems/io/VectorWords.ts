/** Words of texts, as full-text search knows them in every language, and one order for what two searches found. */

/** In lower case, letters and digits alone, in the order of the text. */
export const of = (text: string): ReadonlyArray<string> =>
  Array.from(text.normalize("NFKC").toLowerCase().matchAll(/[\p{L}\p{N}\p{M}]{1,100}/gu), ([run]) => run).flatMap(
    (run) => unspaced.test(run) ? segmentsOf(run) : [run]
  )

/** What to look for: each word once. */
export const wanted = (text: string): ReadonlyArray<string> =>
  Array.from(new Set(of(text.slice(0, 10_000)))).slice(0, maxWords)
const maxWords = 64

/** Scripts that write words without spaces between them. */
const unspaced = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u

/** Made for the first text that needs it: it takes 8 ms and 3 MB. */
let segmenter: Intl.Segmenter | undefined
const segmentsOf = (run: string) => {
  segmenter ??= new Intl.Segmenter("en", { granularity: "word" })
  return Array.from(segmenter.segment(run), ({ segment }) => segment)
}

/**
 * Reciprocal rank fusion: the ids of several lists in one order, the best first.
 * https://plg.uwaterloo.ca/~gvcormac/cormacksigir09-rrf.pdf
 */
export const fuse = (lists: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const scores = new Map<string, number>()
  for (const list of lists) {
    list.forEach((id, rank) => scores.set(id, (scores.get(id) ?? 0) + 1 / (60 + rank + 1)))
  }
  return Array.from(scores).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([id]) => id)
}
