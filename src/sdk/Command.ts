/** A prompt that is not sent before it is awaited, run or streamed; and once, however often that is done. */
import type { Emitter } from "./Emitter.ts"

export class Command implements Promise<string> {
  readonly [Symbol.toStringTag] = "Command"
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

  readonly then: Promise<string>["then"] = (onFulfilled, onRejected) => this.run().then(onFulfilled, onRejected)
  readonly catch: Promise<string>["catch"] = (onRejected) => this.run().catch(onRejected)
  readonly finally: Promise<string>["finally"] = (onSettled) => this.run().finally(onSettled)

  #emitter(): Emitter {
    return this.#sent ??= this.#send()
  }
}
