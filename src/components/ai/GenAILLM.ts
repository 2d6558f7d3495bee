/** Asks a model, with files, the agent's system prompt and the conversation where wanted. */
import { Effect, Schema } from "effect"
import * as ContextWindow from "../../subsystems/llm/ContextWindow.ts"
import * as Prompt from "../../subsystems/llm/Prompt.ts"
import * as LLMContext from "../../subsystems/memory/LLMContext.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Attachments from "./Attachments.ts"
import * as Completion from "./Completion.ts"
import * as SearchSettings from "./SearchSettings.ts"

export const GenAILLM = Component.make("GenAILLM", {
  description: "Asks a language model and gives its answer; outputs that are declared are asked for by name.",
  category: "ai",
  config: Schema.Struct({
    ...Completion.settings,
    ...SearchSettings.settings,
    prompt: Settings.template({ max: 8_000_000 }),
    useSystemPrompt: Settings.boolean({ default: false }),
    useContextWindow: Settings.boolean({ default: false }),
    /** Tokens of the conversation that the model is shown. */
    maxContextWindowLength: Settings.integer({ min: 0, default: 1024 })
  }),
  inputs: Schema.Struct({ Input: Schema.optional(Port.Any), Attachment: Schema.optional(Port.Binary) }),
  outputs: Schema.Struct({ Reply: Port.Any }),
  openInputs: true,
  openOutputs: true,
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const model = yield* Completion.choose(config)
    const webSearch = yield* SearchSettings.searchOf(config, model, step)
    const outputs = model.isEcho ? [] : Completion.customOutputs(step)
    const prompt = Completion.enhance(Completion.render(config.prompt, step), outputs)
    const files = yield* Attachments.load(inputs, step, model)
    const history = config.useContextWindow ? yield* conversation(step, config.maxContextWindowLength) : []
    const system = config.useSystemPrompt && step.agent.behavior !== "" ? [Prompt.system(step.agent.behavior)] : []
    const text = yield* Completion.ask({
      config,
      json: outputs.length > 0,
      messages: [...system, ...history, Prompt.user(prompt, files)],
      model,
      step,
      webSearch
    })
    return { Reply: Completion.replyOf(text) }
  })
})

/** The latest turns of the conversation this run belongs to; the prompt takes the place of a question still open in it. */
const conversation = (step: Component.Step, contextTokens: number) =>
  Effect.gen(function*() {
    const { conversationId } = step.run
    if (conversationId === undefined) return []
    const context = yield* LLMContext.LLMContext
    const messages = yield* context.load(conversationId)
    const answered = messages.at(-1)?.role === "user" ? messages.slice(0, -1) : messages
    return yield* ContextWindow.fit(answered.filter(({ role }) => role !== "system"), { contextTokens, reserve: 0 })
  }).pipe(Effect.catchAll((error) =>
    Effect.sync(() => {
      step.log("warning", `asked without the conversation: ${error.message}`)
      return []
    })
  ))
