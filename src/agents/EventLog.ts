/** The numbered events of one run, for any number of watchers. The run never waits for one: who is too slow sees a gap. */
import { Chunk, Deferred, Effect, FiberId, Option, Stream } from "effect"
import type { AgentEvent, AgentEventBody } from "./AgentEvents.ts"

/** Events kept for watchers that come late or read slowly. */
const capacity = 1024

export class EventLog {
  readonly runId: string
  readonly #now: () => number
  readonly #kept: Array<AgentEvent> = []
  #next = 0
  #ended = false
  #wake: Deferred.Deferred<void> | undefined = undefined

  constructor(runId: string, now: () => number) {
    this.runId = runId
    this.#now = now
  }

  readonly push = (event: AgentEventBody): void => {
    this.#kept[this.#next % capacity] = { seq: this.#next, time: this.#now(), runId: this.runId, event }
    this.#next++
    this.#signal()
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
    const oldest = Math.max(0, this.#next - capacity)
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
