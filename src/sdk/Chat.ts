/** A conversation that remembers what was said. */
import * as Ids from "../kernel/Ids.ts"
import type { Message } from "../subsystems/llm/Prompt.ts"
import type { Agent } from "./Agent.ts"
import type { Command } from "./Command.ts"

export interface ChatOptions {
  /** The same id finds the same conversation again; absent: a new one. */
  readonly id?: string
  /** Conversations are kept wherever Storage keeps things; `persist` is accepted and changes nothing. */
  readonly persist?: boolean
  /** Instead of the agent's model. */
  readonly model?: string
}

export class Chat {
  readonly id: string
  readonly #agent: Agent
  readonly #model: string | undefined
  #history: ReadonlyArray<Message> = []

  constructor(agent: Agent, options: ChatOptions) {
    this.#agent = agent
    this.#model = options.model
    this.id = options.id ?? Ids.unsafeMake("chat")
  }

  /** Everything said so far, with the calls of tools and their results. Of an earlier process: after `ready()`. */
  get history(): ReadonlyArray<Message> {
    return this.#history
  }

  /** Loads what was said in this conversation before. */
  async ready(): Promise<this> {
    this.#history = await this.#agent.run((agents) => agents.history(this.#agent.id, this.id))
    return this
  }

  /** Says something: `await` it for the answer, `.stream()` for its events. */
  prompt(text: string, options: { readonly signal?: AbortSignal } = {}): Command {
    return this.#agent.prompt(text, {
      ...options,
      conversationId: this.id,
      after: () => this.ready().then(() => undefined),
      ...(this.#model === undefined ? {} : { model: this.#model })
    })
  }

  /** The same as {@link prompt}. */
  send(text: string): Command {
    return this.prompt(text)
  }

  /** Forgets everything said. */
  async clear(): Promise<void> {
    await this.#agent.run((agents) => agents.forget(this.#agent.id, this.id))
    this.#history = []
  }
}
