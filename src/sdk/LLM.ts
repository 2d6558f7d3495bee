/** A model by itself: no agent, no tools. */
import { Effect, type Schema, Stream } from "effect"
import * as Conversation from "../subsystems/llm/Conversation.ts"
import * as ConversationMemory from "../subsystems/llm/ConversationMemory.ts"
import * as Model from "../subsystems/llm/LLM.ts"
import * as Prompt from "../subsystems/llm/Prompt.ts"
import type * as Recall from "../subsystems/llm/Recall.ts"
import * as LLMContext from "../subsystems/memory/LLMContext.ts"
import { Chat, type ChatOptions } from "./Chat.ts"
import type { Command } from "./Command.ts"
import { check, type LLMSettings, parametersOf, specOf } from "./Model.ts"
import { type ObjectOptions, Session } from "./Runtime.ts"

export interface LLMPromptOptions {
  /** System message of this prompt. */
  readonly behavior?: string | undefined
  readonly files?: ReadonlyArray<Prompt.FilePart> | undefined
  readonly signal?: AbortSignal | undefined
}

export class LLM {
  readonly provider: string
  readonly #settings: LLMSettings
  readonly #session: Session

  constructor(provider: string, settings: LLMSettings, options: ObjectOptions = {}) {
    check(settings)
    this.provider = provider
    this.#settings = settings
    this.#session = new Session(options)
  }

  /** `await` it for the text, `.stream()` for its events. Rejects with a typed error, never with empty text. */
  prompt(text: string, { behavior, files, signal }: LLMPromptOptions = {}): Command {
    return this.#session.prompt(this.#turn(text, { behavior }, files), signal)
  }

  /** The answer as the schema describes it, decoded. Rejects with `InvalidAnswer` where the model gives none, asked twice. */
  object<A, I>(
    text: string,
    schema: Schema.Schema<A, I>,
    { behavior = this.#settings.behavior ?? "", files, signal }: LLMPromptOptions = {}
  ): Promise<A> {
    const messages = [...(behavior === "" ? [] : [Prompt.system(behavior)]), Prompt.user(text, files)]
    const model = specOf(this.provider, this.#settings)
    return this.#session.run(Model.object({ ...parametersOf(this.#settings), model, messages }, schema), signal)
  }

  /** A conversation with the model. */
  chat(options?: string | ChatOptions): Chat {
    return new Chat(this.#session, {
      say: (text, { files, id, memory, model }) => this.#turn(text, { history: { id }, memory, model }, files),
      history: (id) => Effect.flatMap(LLMContext.LLMContext, (context) => context.load(id)),
      forget: (id, what) =>
        Effect.zipRight(
          Effect.flatMap(LLMContext.LLMContext, (context) => context.clear(id)),
          ConversationMemory.forget(placeOf(id), what)
        )
    }, options)
  }

  #turn(
    text: string,
    { behavior = this.#settings.behavior ?? "", history, memory = {}, model = this.#settings.model }: {
      readonly behavior?: string | undefined
      readonly history?: { readonly id: string }
      readonly memory?: ConversationMemory.Options | undefined
      readonly model?: string | undefined
    },
    files: ReadonlyArray<Prompt.FilePart> | undefined
  ) {
    const conversation = Effect.flatMap(
      ConversationMemory.make(memory, history === undefined ? undefined : placeOf(history.id)),
      (memory) =>
        Conversation.make({
          model: specOf(this.provider, { ...this.#settings, model }),
          system: behavior,
          tools: [],
          history,
          memory,
          parameters: parametersOf(this.#settings)
        })
    )
    return Stream.unwrap(Effect.map(conversation, ({ prompt }) => prompt(text, files)))
  }

  static readonly #of =
    (provider: string) => (model: string | LLMSettings, settings: Omit<LLMSettings, "model"> = {}): LLM =>
      new LLM(provider, typeof model === "string" ? { ...settings, model } : model)

  static readonly Echo = LLM.#of("Echo")
  static readonly OpenAI = LLM.#of("OpenAI")
  static readonly Anthropic = LLM.#of("Anthropic")
  static readonly GoogleAI = LLM.#of("GoogleAI")
  static readonly VertexAI = LLM.#of("VertexAI")
  static readonly Bedrock = LLM.#of("Bedrock")
  static readonly DeepSeek = LLM.#of("DeepSeek")
  static readonly Groq = LLM.#of("Groq")
  static readonly HuggingFace = LLM.#of("HuggingFace")
  static readonly LlamaCpp = LLM.#of("LlamaCpp")
  static readonly Ollama = LLM.#of("Ollama")
  static readonly Perplexity = LLM.#of("Perplexity")
  static readonly TogetherAI = LLM.#of("TogetherAI")
  static readonly xAI = LLM.#of("xAI")
}

/** Conversations with a model are in the home of whoever has them. */
const placeOf = (conversation: string): Recall.Place => ({ owner: "self", conversation })
