/**
 * Places that many share: so many in all, and so many at most of each key, so that nobody has them all. Who finds none stands in
 * line, where the keys take turns: whoever has a thousand waiting is served no more often than who has one.
 */
import { Deferred, Effect, FiberId, type Scope } from "effect"

export interface Limits<E = never> {
  readonly total: number
  /** Of one key, by its position. */
  readonly each: ReadonlyArray<number>
  /** Default: any number may wait. */
  readonly line?: Line<E> | undefined
}

/** Beyond `max`, the latest is sent away of the key that has most in line. */
export interface Line<E> {
  readonly max: number
  readonly crowded: () => E
}

/** Whose a place is: each counts for itself, and the first takes turns. */
export type Keys = readonly [string, ...ReadonlyArray<string>]

/** One who was not sent away: it has its place when `place` is done. */
export interface Ticket<E> {
  readonly keys: Keys
  readonly place: Deferred.Deferred<void, E>
  state: "waiting" | "placed" | "gone"
}

export class Places<E = never> {
  readonly #limits: Limits<E>
  readonly #counts: ReadonlyArray<Map<string, number>>
  /** Those in line by the first of their keys; the key whose turn is next comes first. */
  readonly #lines = new Map<string, Set<Ticket<E>>>()
  #taken = 0
  #waiting = 0

  constructor(limits: Limits<E>) {
    this.#limits = limits
    this.#counts = limits.each.map(() => new Map())
  }

  get taken(): number {
    return this.#taken
  }
  get waiting(): number {
    return this.#waiting
  }

  /** What keeps these from a place: all of them are taken, or all that the key at this position may have. */
  full(keys: Keys): "total" | number | undefined {
    const { each, total } = this.#limits
    if (this.#taken >= total) return "total"
    for (let at = 0; at < each.length; at++) {
      if ((this.#counts[at]!.get(keys[at]!) ?? 0) >= each[at]!) return at
    }
    return undefined
  }

  /** Takes a place when there is one. Whoever has one must {@link leave} it. */
  take(keys: Keys): boolean {
    const isFree = this.full(keys) === undefined
    if (isFree) this.#add(keys, 1)
    return isFree
  }

  leave(keys: Keys): void {
    this.#add(keys, -1)
    this.#serve()
  }

  /** A place, or one in line. Whoever got a ticket must {@link quit}, or leave the place. */
  join(keys: Keys): Ticket<E> {
    const ticket: Ticket<E> = { keys, place: Deferred.unsafeMake(FiberId.none), state: "waiting" }
    if (this.take(keys)) {
      ticket.state = "placed"
      Deferred.unsafeDone(ticket.place, Effect.void)
      return ticket
    }
    const line = this.#lines.get(keys[0]) ?? new Set()
    this.#lines.set(keys[0], line.add(ticket))
    this.#waiting++
    const { line: bound } = this.#limits
    if (bound !== undefined && this.#waiting > bound.max) this.#send(this.#last(line), bound.crowded())
    return ticket
  }

  /** Leaves the place, or the line; whoever is gone already does nothing. */
  quit(ticket: Ticket<E>): void {
    if (ticket.state === "placed") this.leave(ticket.keys)
    else if (ticket.state === "waiting") this.#forget(ticket)
    ticket.state = "gone"
  }

  /** Waits for a place, and has it until the scope closes. */
  place(keys: Keys): Effect.Effect<void, E, Scope.Scope> {
    return Effect.flatMap(
      Effect.acquireRelease(Effect.sync(() => this.join(keys)), (ticket) => Effect.sync(() => this.quit(ticket))),
      ({ place }) => Deferred.await(place)
    )
  }

  /** All who wait. */
  sendAway(error: E): void {
    for (const line of this.#lines.values()) for (const ticket of line) this.#send(ticket, error)
  }

  /** In turn, whoever has become free to have a place. */
  #serve(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [turn] = next.keys
      this.#forget(next)
      const line = this.#lines.get(turn)
      if (line !== undefined) {
        this.#lines.delete(turn)
        this.#lines.set(turn, line)
      }
      this.#add(next.keys, 1)
      next.state = "placed"
      Deferred.unsafeDone(next.place, Effect.void)
    }
  }

  #next(): Ticket<E> | undefined {
    if (this.#taken >= this.#limits.total) return undefined
    for (const line of this.#lines.values()) {
      for (const ticket of line) {
        const full = this.full(ticket.keys)
        if (full === undefined) return ticket
        // Nobody of this line has a place then.
        if (full === 0) break
      }
    }
    return undefined
  }

  /** The latest of the longest line; where there is none longer, of this one. */
  #last(own: Set<Ticket<E>>): Ticket<E> {
    let longest = own
    for (const line of this.#lines.values()) if (line.size > longest.size) longest = line
    return Array.from(longest).at(-1)!
  }

  #send(ticket: Ticket<E>, error: E): void {
    this.#forget(ticket)
    ticket.state = "gone"
    Deferred.unsafeDone(ticket.place, Effect.fail(error))
  }

  #forget(ticket: Ticket<E>): void {
    const [turn] = ticket.keys
    const line = this.#lines.get(turn)
    if (line?.delete(ticket) === true) this.#waiting--
    if (line?.size === 0) this.#lines.delete(turn)
  }

  #add(keys: Keys, by: 1 | -1): void {
    this.#taken += by
    for (let at = 0; at < this.#counts.length; at++) add(this.#counts[at]!, keys[at]!, by)
  }
}

/** A count that is nothing takes no place. */
export const add = (counts: Map<string, number>, key: string, by: number): void => {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}

/** Half of them, when nobody says otherwise: the other half is left for everybody else. */
export const half = (total: number): number => Math.max(1, Math.floor(total / 2))
