/** "Did you mean …": the accepted names closest to one that is not accepted. */
import { distance } from "fastest-levenshtein"

/** At most three names that differ from `name` by less than half of it, nearest first. Case is ignored. */
export const nearest = (name: string, accepted: Iterable<string>): ReadonlyArray<string> => {
  const wanted = name.toLowerCase()
  return Array.from(accepted, (candidate) => ({ candidate, far: distance(wanted, candidate.toLowerCase()) }))
    .filter(({ candidate, far }) => far <= Math.max(1, Math.floor(Math.max(candidate.length, wanted.length) / 2.5)))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ candidate }) => candidate)
}

/** ` Did you mean "x" or "y"?`, or nothing when no name is near. */
export const didYouMean = (name: string, accepted: Iterable<string>): string => {
  const near = nearest(name, accepted)
  return near.length === 0 ? "" : ` Did you mean ${near.map((one) => `"${one}"`).join(" or ")}?`
}
