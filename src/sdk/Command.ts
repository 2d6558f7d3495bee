/** A prompt that has not been sent yet: await it for the text, or stream it. Nothing happens before that. */
import type { Emitter } from "./Emitter.ts"

export class Command implements PromiseLike<string> {
  readonly #run: () => Promise<string>
  readonly #stream: () => Emitter
  #running: Promise<string> | undefined = undefined

  constructor(run: () => Promise<string>, stream: () => Emitter) {
    this.#run = run
    this.#stream = stream
  }

  /** Sends the prompt, once, however often it is awaited. */
  run(): Promise<string> {
    return this.#running ??= this.#run()
  }

  /** Sends the prompt and gives its events: `content`, `thinking`, `toolCall`, `toolResult`, `usage`, `interrupted`, `end`, `error`. */
  stream(): Promise<Emitter> {
    return Promise.resolve(this.#stream())
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
}
