/** A model by itself: no agent, no tools. */
import { Effect, Stream } from "effect"
import * as Models from "../subsystems/llm/LLM.ts"
import * as Prompt from "../subsystems/llm/Prompt.ts"
import { Command } from "./Command.ts"
import type { Emitter } from "./Emitter.ts"
import { type ModelSettings, parametersOf, specOf } from "./Model.ts"
import { type As, localUser, SRE } from "./Runtime.ts"

export interface PromptOptions {
  /** System message of this prompt. */
  readonly behavior?: string
  readonly files?: ReadonlyArray<Prompt.FilePart>
  readonly signal?: AbortSignal
}

export class LLM {
  readonly provider: string
  readonly #settings: ModelSettings
  readonly #sre: SRE
  readonly #as: As

  constructor(provider: string, settings: ModelSettings, options: { readonly as?: As } = {}) {
    this.provider = provider
    this.#settings = settings
    this.#sre = SRE.current
    this.#as = options.as ?? localUser
  }

  /** `await` it for the text; `.stream()` for its events. Rejects with a typed error, never with empty text. */
  prompt(text: string, options: PromptOptions = {}): Command {
    const request = this.#request(text, options)
    return new Command(
      () =>
        this.#sre.run(
          Effect.map(Effect.flatMap(Models.LLM, (llm) => llm.generate(request)), (answer) => answer.text),
          this.#as,
          { signal: options.signal }
        ),
      () =>
        this.#sre.events(
          Stream.unwrap(Effect.map(Models.LLM, (llm) => llm.stream(request))),
          deliver,
          this.#as
        )
    )
  }

  #request(text: string, options: PromptOptions): Models.Request {
    const behavior = options.behavior ?? this.#settings.behavior
    return {
      ...parametersOf(this.#settings),
      model: specOf(this.provider, this.#settings),
      messages: [...(behavior === undefined ? [] : [Prompt.system(behavior)]), Prompt.user(text, options.files)]
    }
  }

  static readonly #of = (provider: string) =>
    (model: string | ModelSettings, settings: Omit<ModelSettings, "model"> = {}): LLM =>
      new LLM(provider, typeof model === "string" ? { ...settings, model } : model)

  static readonly Echo = LLM.#of("Echo")
  static readonly OpenAI = LLM.#of("OpenAI")
  static readonly DeepSeek = LLM.#of("DeepSeek")
  static readonly Groq = LLM.#of("Groq")
  static readonly TogetherAI = LLM.#of("TogetherAI")
  static readonly xAI = LLM.#of("xAI")
}

const deliver = (emitter: Emitter, event: Prompt.LLMEvent): void => {
  switch (event.type) {
    case "text":
      return void emitter.emit("content", event.delta)
    case "reasoning":
      return void emitter.emit("thinking", event.delta)
    case "toolCall":
      return void emitter.emit("toolInfo", [event])
    case "usage":
      return void emitter.emit("usage", event.usage)
    case "finish":
      if (event.reason !== "stop" && event.reason !== "tool-calls") emitter.emit("interrupted", event.reason)
      return void emitter.emit("end", event.reason)
  }
}
