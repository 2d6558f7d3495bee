/** The numbered events of one run, for any number of watchers. The run never waits for one: who is too slow sees a gap. */
import { Chunk, Deferred, Effect, FiberId, Option, Stream } from "effect"
import type { AgentEvent, AgentEventBody } from "./AgentEvents.ts"

/** Events kept for watchers that come late or read slowly. */
const capacity = 1024

export class EventLog {
  readonly runId: string
  readonly #now: () => number
  #kept: Array<AgentEvent> = []
  readonly #first: number
  #next: number
  #ended = false
  #wake: Deferred.Deferred<void> | undefined = undefined

  /** `first` is the number of its first event, when those before it are gone. */
  constructor(runId: string, now: () => number, first = 0) {
    this.runId = runId
    this.#now = now
    this.#first = first
    this.#next = first
  }

  /** The number of the next event. */
  get next(): number {
    return this.#next
  }

  /** Those that are not gone yet, in no order. */
  get kept(): ReadonlyArray<AgentEvent> {
    return this.#kept
  }

  /** `runId` is another than the log's own in a log over several. */
  add(event: AgentEventBody, runId = this.runId): void {
    this.#kept[this.#next % capacity] = { seq: this.#next, time: this.#now(), runId, event }
    this.#next++
    this.#signal()
  }

  /** No event follows for some time: gives back the room that was made for more of them. */
  trim(): void {
    this.#kept = this.#kept.slice()
  }

  /** No event follows. */
  end(): void {
    this.#ended = true
    this.#signal()
  }

  /** Events from `seq` on, until the run ends. Events no longer kept are told as one `Gap`. */
  from(seq: number): Stream.Stream<AgentEvent> {
    return Stream.unfoldChunkEffect(
      seq,
      (next) =>
        Effect.map(
          this.#available(next),
          (available) => available ? Option.some([this.#read(next), this.#next] as const) : Option.none()
        )
    )
  }

  #read(seq: number): Chunk.Chunk<AgentEvent> {
    const oldest = Math.max(this.#first, this.#next - capacity)
    const events: Array<AgentEvent> = []
    if (seq < oldest) {
      const gap = { _tag: "Gap" as const, missed: oldest - seq }
      events.push({ seq, time: this.#now(), runId: this.runId, event: gap })
    }
    for (let at = Math.max(seq, oldest); at < this.#next; at++) events.push(this.#kept[at % capacity]!)
    return Chunk.unsafeFromArray(events)
  }

  #available(seq: number): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      if (seq < this.#next) return Effect.succeed(true)
      if (this.#ended) return Effect.succeed(false)
      this.#wake ??= Deferred.unsafeMake(FiberId.none)
      return Effect.flatMap(Deferred.await(this.#wake), () => this.#available(seq))
    })
  }

  #signal(): void {
    if (this.#wake === undefined) return
    Deferred.unsafeDone(this.#wake, Effect.void)
    this.#wake = undefined
  }
}
