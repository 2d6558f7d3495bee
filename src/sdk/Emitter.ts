/** Events of one prompt, for listeners or as an async iterable. An error nobody listens for never ends the process. */
import { Effect, Stream } from "effect"
import { EventEmitter } from "node:events"

export class Emitter extends EventEmitter {
  /** Resolves when the last event was delivered; rejects with what went wrong. */
  readonly finished: Promise<void>
  readonly #stop: () => void
  #resolve: () => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(stop: () => void) {
    super()
    this.#stop = stop
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever does not look at `finished` hears of the failure by the `error` event.
    this.finished.catch(() => {})
  }

  /** Stops the model, the tools and everything else this prompt started. */
  stop(): void {
    this.#stop()
  }

  finish(): void {
    this.#resolve()
  }

  fail(error: unknown): void {
    if (this.listenerCount("error") > 0) this.emit("error", error)
    this.#reject(error)
  }

  drain<A, E, R>(
    stream: Stream.Stream<A, E, R>,
    deliver: (emitter: Emitter, element: A) => void
  ): Effect.Effect<void, E, R> {
    return Stream.runForEach(stream, (element) => Effect.sync(() => deliver(this, element)))
  }
}
