/** "Did you mean …": the accepted names closest to one that is not accepted. */
import { distance } from "fastest-levenshtein"

/** Longer names are not compared, nor are names beyond the first of so many: that would take time and help nobody. */
const maxLength = 100
const maxNames = 1000

/** At most three names that differ from `name` by less than half of it, nearest first. Case is ignored. */
export const nearest = (name: string, accepted: Iterable<string>): ReadonlyArray<string> => {
  if (name.length > maxLength) return []
  const wanted = name.toLowerCase()
  const near: Array<{ readonly candidate: string; readonly far: number }> = []
  let seen = 0
  for (const candidate of accepted) {
    if (++seen > maxNames) break
    if (candidate.length > maxLength) continue
    const known = candidate.toLowerCase()
    const far = isSwapped(wanted, known) ? 1 : distance(wanted, known)
    if (far <= Math.max(1, Math.floor(Math.max(candidate.length, wanted.length) / 2.5))) near.push({ candidate, far })
  }
  return near.sort((a, b) => a.far - b.far).slice(0, 3).map(({ candidate }) => candidate)
}

/** Two neighbours changed places, as happens most when one types fast. */
const isSwapped = (one: string, other: string): boolean => {
  if (one.length !== other.length) return false
  const at = one.split("").findIndex((letter, position) => letter !== other[position])
  return at >= 0 && one.slice(0, at) + one.charAt(at + 1) + one.charAt(at) + one.slice(at + 2) === other
}

/** ` Did you mean "x" or "y"?`, or nothing when no name is near. */
export const didYouMean = (name: string, accepted: Iterable<string>): string => {
  const near = nearest(name, accepted)
  return near.length === 0 ? "" : ` Did you mean ${near.map((one) => `"${one}"`).join(" or ")}?`
}
