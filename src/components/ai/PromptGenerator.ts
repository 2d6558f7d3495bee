/** Asks a model a prompt; in older documents its name is `LLMPrompt`. */
import { Effect, Schema } from "effect"
import * as Prompt from "../../subsystems/llm/Prompt.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Completion from "./Completion.ts"

export const PromptGenerator = Component.make("PromptGenerator", {
  description: "Asks a language model a prompt and gives its answer; outputs that are declared are asked for by name.",
  category: "ai",
  aliases: ["LLMPrompt"],
  config: Schema.Struct({ ...Completion.settings, prompt: Settings.template({ max: 8_000_000 }) }),
  outputs: Schema.Struct({ Reply: Port.Any }),
  openInputs: true,
  openOutputs: true,
  run: Effect.fnUntraced(function*({ config, step }) {
    const model = yield* Completion.choose(config)
    const outputs = model.isEcho ? [] : Completion.customOutputs(step)
    const prompt = Completion.enhance(Completion.render(config.prompt, step), outputs)
    const text = yield* Completion.ask({
      config,
      json: outputs.length > 0,
      messages: [Prompt.user(prompt)],
      model,
      step
    })
    return { Reply: Completion.replyOf(text) }
  })
})
