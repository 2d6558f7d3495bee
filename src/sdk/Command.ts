/** A prompt that is not sent before it is awaited, run or streamed; and once, however often that is done. */
import type { Emitter } from "./Emitter.ts"

export class Command implements PromiseLike<string> {
  readonly #send: () => Emitter
  #sent: Emitter | undefined = undefined
  #answer: Promise<string> | undefined = undefined

  constructor(send: () => Emitter) {
    this.#send = send
  }

  /** The text of the answer; rejects with a typed error. */
  run(): Promise<string> {
    return this.#answer ??= this.#emitter().finished.then((text) => text)
  }

  /** The answer while it is given. Listeners that are added at once miss nothing. */
  stream(): Promise<Emitter> {
    return Promise.resolve(this.#emitter())
  }

  then<A = string, B = never>(
    onFulfilled?: ((text: string) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null
  ): Promise<A | B> {
    return this.run().then(onFulfilled, onRejected)
  }

  catch<B>(onRejected: (error: unknown) => B | PromiseLike<B>): Promise<string | B> {
    return this.run().catch(onRejected)
  }

  finally(onSettled: () => void): Promise<string> {
    return this.run().finally(onSettled)
  }

  #emitter(): Emitter {
    return this.#sent ??= this.#send()
  }
}
