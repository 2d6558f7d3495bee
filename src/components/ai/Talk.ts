/** One turn of a conversation with a model that may use tools or remember, as components have it. */
import { Effect, type Stream } from "effect"
import * as Pull from "../../kernel/Pull.ts"
import * as Conversation from "../../subsystems/llm/Conversation.ts"
import type * as Prompt from "../../subsystems/llm/Prompt.ts"
import { ComponentFailed, type Step } from "../Component.ts"
import * as Settings from "../Settings.ts"
import * as Completion from "./Completion.ts"

export const settings = {
  model: Settings.optional(Settings.text({ max: 200 })),
  /** The name of `model` in older documents. */
  openAiModel: Settings.optional(Settings.text({ max: 200 })),
  /** What the model is told about its task before anything else. */
  descForModel: Settings.template({ max: 5000, default: "" }),
  /** Streams the answer to whoever called the agent. */
  passthrough: Settings.boolean({ default: false })
} as const

export interface Question<R> {
  readonly config: {
    readonly model?: string | undefined
    readonly openAiModel?: string | undefined
    readonly passthrough: boolean
  }
  readonly system: string
  readonly prompt: string
  readonly files?: ReadonlyArray<Prompt.FilePart>
  readonly tools: ReadonlyArray<Conversation.ConversationTool<R>>
  readonly parameters?: Prompt.Parameters
  /** Under which the agent keeps what was said; without it nothing is. */
  readonly history?: string | undefined
  readonly step: Step
}

/** The text of the answer. One that is not whole is a failure; a budget of calls that is used up is told in the log. */
export const ask = Effect.fnUntraced(function*<R = never>(
  { config, files, history, parameters, prompt, step, system, tools }: Question<R>
) {
  const name = config.model ?? config.openAiModel
  if (name === undefined) {
    return yield* new ComponentFailed({ message: "model: it is not set, and nobody else can choose" })
  }
  const model = yield* Completion.choose({ model: name })
  const conversation = yield* Conversation.make<R>({
    model: model.name,
    system,
    tools,
    parameters: model.isEcho ? {} : parameters,
    history: history === undefined ? undefined : { id: history }
  })
  return yield* follow(conversation.prompt(prompt, files), {
    model: model.name,
    maxTokens: parameters?.maxTokens,
    passthrough: config.passthrough,
    step
  })
})

/** The text a turn ends with, told on while it arrives where that is asked for. */
export const follow = Effect.fnUntraced(function*<E, R>(
  events: Stream.Stream<Conversation.ConversationEvent, E, R>,
  { maxTokens, model, passthrough, step }: {
    readonly model: string
    readonly maxTokens?: number | undefined
    readonly passthrough: boolean
    readonly step: Step
  }
) {
  let reason: Prompt.FinishReason = "unknown"
  let text = ""
  const see = (event: Conversation.ConversationEvent) => {
    switch (event.type) {
      case "content":
      case "thinking":
        return passthrough ? step.emit(event.type, event.text) : undefined
      case "toolCall":
        return step.log("debug", `the model calls ${event.name}`)
      case "toolResult":
        return event.isFailure ? step.log("info", `${event.name} failed`) : undefined
      case "usage":
        return step.used(model, event.usage)
      case "interrupted":
        return event.reason === "max_tool_calls"
          ? step.log("warning", "the model used up its calls of tools; its answer may be less than was asked for")
          : undefined
      case "end":
        reason = event.reason
        text = event.text
    }
  }
  yield* Pull.forEach(events, see)
  if (passthrough) step.emit("content", "\n")
  const problem = Completion.problemOf(reason, text, { maxTokens })
  return problem === undefined ? text : yield* new ComponentFailed({ message: problem })
})

/** Names as every provider takes them, each once: others know dots, slashes and no bound. */
export const named = <A>(items: ReadonlyArray<A>, nameOf: (item: A) => string): ReadonlyArray<readonly [string, A]> => {
  const taken = new Set<string>()
  return items.map((item) => {
    const base = nameOf(item).replace(/[^\w-]+/g, "_").slice(0, 60) || "tool"
    let name = base
    for (let again = 2; taken.has(name); again++) name = `${base}_${again}`
    taken.add(name)
    return [name, item]
  })
}
