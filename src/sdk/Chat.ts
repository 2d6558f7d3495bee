/** A conversation that remembers what was said. */
import { Effect, Stream } from "effect"
import type { Sre as Services } from "../boot/Sre.ts"
import * as Ids from "../kernel/Ids.ts"
import type { ConversationEvent } from "../subsystems/llm/Conversation.ts"
import type * as ConversationMemory from "../subsystems/llm/ConversationMemory.ts"
import type { FilePart, Message } from "../subsystems/llm/Prompt.ts"
import type { Command } from "./Command.ts"
import { refuseMisspelt } from "./Errors.ts"
import type { Session } from "./Runtime.ts"

export interface ChatOptions {
  /** The same id finds the same conversation again; absent: a new one. */
  readonly id?: string | undefined
  /** Accepted and without effect: every conversation is kept in Storage until `clear()`. */
  readonly persist?: boolean | undefined
  /** Instead of the usual model. */
  readonly model?: string | undefined
  /**
   * What is remembered of the caller beyond this conversation: a note the model keeps (`working`), and what was said in other
   * conversations and is like a message (`recall`). Default: nothing.
   */
  readonly memory?: ConversationMemory.Options | undefined
}

const settingNames = Object.keys(
  { id: true, persist: true, model: true, memory: true } satisfies Record<keyof ChatOptions, true>
)

export interface ChatPromptOptions {
  readonly files?: ReadonlyArray<FilePart> | undefined
  readonly signal?: AbortSignal | undefined
}

/** Who answers in a chat. */
export interface Partner {
  readonly say: (text: string, options: {
    readonly id: string
    readonly model: string | undefined
    readonly memory: ConversationMemory.Options | undefined
    readonly files: ReadonlyArray<FilePart> | undefined
  }) => Stream.Stream<ConversationEvent, unknown, Services>
  readonly history: (id: string) => Effect.Effect<ReadonlyArray<Message>, unknown, Services>
  readonly forget: (id: string, what: ConversationMemory.Forgetting) => Effect.Effect<void, unknown, Services>
}

export class Chat {
  readonly id: string
  readonly #session: Session
  readonly #partner: Partner
  readonly #model: string | undefined
  readonly #memory: ConversationMemory.Options | undefined
  #history: ReadonlyArray<Message> = []

  constructor(session: Session, partner: Partner, options: string | ChatOptions = {}) {
    const { id, memory, model }: ChatOptions = typeof options === "string" ? { id: options } : options
    if (typeof options === "object") refuseMisspelt("chat", options, settingNames)
    this.id = id ?? Ids.unsafeMake("chat")
    this.#session = session
    this.#partner = partner
    this.#model = model
    this.#memory = memory
  }

  /** All that was said, with calls of tools and their results. What was said earlier is there after `ready()`. */
  get history(): ReadonlyArray<Message> {
    return this.#history
  }

  /** Loads what was said in this conversation before. */
  async ready(): Promise<this> {
    await this.#session.run(this.#refresh)
    return this
  }

  /** Says something: `await` it for the answer, `.stream()` for its events. */
  prompt(text: string, { files, signal }: ChatPromptOptions = {}): Command {
    const turn = this.#partner.say(text, { id: this.id, model: this.#model, memory: this.#memory, files })
    return this.#session.prompt(
      Stream.tap(turn, ({ type }) => type === "end" ? this.#refresh : Effect.void),
      signal
    )
  }

  /** The same as {@link prompt}. */
  send(text: string, options?: ChatPromptOptions): Command {
    return this.prompt(text, options)
  }

  /** Forgets everything said; with `caller`, also the note about the caller and what is recalled of other conversations. */
  async clear(what: ConversationMemory.Forgetting = {}): Promise<void> {
    await this.#session.run(this.#partner.forget(this.id, what))
    this.#history = []
  }

  get #refresh() {
    return Effect.map(Effect.suspend(() => this.#partner.history(this.id)), (history) => {
      this.#history = history
    })
  }
}
