/** The points of one collection in memory: all vectors one behind the other in one array that grows. */
import type { Match, Point, Query, StoredPoint, WordQuery } from "../../subsystems/io/VectorDB.ts"

export interface VectorTable {
  readonly dimensions: number
  /** Room for more rows than there are points. */
  vectors: Float32Array
  /** By row. */
  readonly points: Array<Omit<Point, "vector">>
  readonly rows: Map<string, number>
}

export const make = (dimensions: number): VectorTable => ({
  dimensions,
  vectors: new Float32Array(dimensions * 16),
  points: [],
  rows: new Map()
})

/** Bytes a point takes, about. */
export const sizeOf = ({ id, payload, terms, words }: Omit<Point, "vector">, dimensions: number): number =>
  dimensions * 4 + 2 * (id.length + payload.length + words.length) + terms.reduce((sum, term) =>
    sum + 2 * term.length, 0) +
  200

/** Adds the point or replaces the one of its id; gives the bytes that the table grew by. */
export const set = (table: VectorTable, { vector, ...point }: Point): number => {
  const { dimensions, points, rows } = table
  const known = rows.get(point.id)
  const row = known ?? points.length
  if ((row + 1) * dimensions > table.vectors.length) {
    const larger = new Float32Array(table.vectors.length * 2)
    larger.set(table.vectors)
    table.vectors = larger
  }
  const before = known === undefined ? 0 : sizeOf(points[known]!, dimensions)
  table.vectors.set(vector, row * dimensions)
  points[row] = point
  rows.set(point.id, row)
  return sizeOf(point, dimensions) - before
}

export const get = (table: VectorTable, id: string): StoredPoint | undefined => {
  const row = table.rows.get(id)
  return row === undefined ? undefined : at(table, row)
}

/** The last row takes the place of the removed one; gives the bytes freed. */
export const remove = ({ dimensions, points, rows, vectors }: VectorTable, id: string): number => {
  const row = rows.get(id)
  if (row === undefined) return 0
  const freed = sizeOf(points[row]!, dimensions)
  const last = points.pop()!
  rows.delete(id)
  if (row < points.length) {
    points[row] = last
    rows.set(last.id, row)
    vectors.copyWithin(row * dimensions, points.length * dimensions, (points.length + 1) * dimensions)
  }
  return freed
}

export const bytesOf = ({ dimensions, points }: VectorTable): number =>
  points.reduce((sum, point) => sum + sizeOf(point, dimensions), 0)

/** A copy of the vectors, in the order of the points. */
export const numbers = ({ dimensions, points, vectors }: VectorTable): Float32Array =>
  vectors.slice(0, points.length * dimensions)

/** Keeps the best seen so far in order; a row that is no better than the last of them costs one comparison. */
export const search = (table: VectorTable, { groups, topK, vector }: Query): ReadonlyArray<Match> => {
  const best: Array<{ readonly row: number; readonly score: number }> = []
  for (let row = 0; row < table.points.length; row++) {
    const score = dot(table, row, vector)
    if (best.length === topK && score <= best[topK - 1]!.score) continue
    if (!isIn(groups, table.points[row]!)) continue
    let place = best.length
    while (place > 0 && best[place - 1]!.score < score) place--
    best.splice(place, 0, { row, score })
    if (best.length > topK) best.pop()
  }
  return best.map(({ row, score }) => ({ ...at(table, row), score }))
}

/**
 * By Okapi BM25 over the texts of this table, all of which are read. One that has none of the words is not found.
 * https://www.staff.city.ac.uk/~sbrp622/papers/foundations_bm25_review.pdf
 */
export const searchWords = (table: VectorTable, { groups, topK, words }: WordQuery): ReadonlyArray<StoredPoint> => {
  const places = new Map(words.map((word, place) => [word, place]))
  const found = table.points.map(({ words: text }, row) => {
    const counts = words.map(() => 0)
    const all = text === "" ? [] : text.split(" ")
    for (const word of all) {
      const place = places.get(word)
      if (place !== undefined) counts[place]!++
    }
    return { row, counts, length: all.length }
  })
  const average = found.reduce((sum, { length }) => sum + length, 0) / Math.max(1, found.length)
  const rarity = words.map((_, place) => {
    const having = found.filter(({ counts }) => counts[place]! > 0).length
    return Math.log(1 + (found.length - having + 0.5) / (having + 0.5))
  })
  return found
    .filter(({ counts, row }) => counts.some((count) => count > 0) && isIn(groups, table.points[row]!))
    .map(({ counts, length, row }) => {
      const norm = 1.2 * (0.25 + 0.75 * length / average)
      return { row, score: counts.reduce((sum, count, n) => sum + rarity[n]! * count * 2.2 / (count + norm), 0) }
    })
    .sort((a, b) => b.score - a.score || a.row - b.row)
    .slice(0, topK)
    .map(({ row }) => at(table, row))
}

const isIn = (groups: Query["groups"], { terms }: Pick<Point, "terms">) =>
  groups.every((group) => group.some((term) => terms.includes(term)))

const at = ({ dimensions, points, vectors }: VectorTable, row: number): StoredPoint => {
  const { id, payload } = points[row]!
  return { id, payload, vector: vectors.slice(row * dimensions, (row + 1) * dimensions) }
}

/** Of vectors of length 1 this is their cosine. */
const dot = ({ dimensions, vectors }: VectorTable, row: number, query: Float32Array): number => {
  const start = row * dimensions
  let sum = 0
  for (let n = 0; n < dimensions; n++) sum += vectors[start + n]! * query[n]!
  return sum
}
