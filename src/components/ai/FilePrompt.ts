/** A prompt about files, as the components for images and for files of any kind ask it. */
import { Effect, type Schema } from "effect"
import type * as TemplateString from "../../kernel/TemplateString.ts"
import * as Prompt from "../../subsystems/llm/Prompt.ts"
import type { Step } from "../Component.ts"
import * as Settings from "../Settings.ts"
import * as Attachments from "./Attachments.ts"
import * as Completion from "./Completion.ts"

export const settings = { ...Completion.settings, prompt: Settings.template({ max: 8_000_000 }) } as const

type Config = Schema.Struct.Type<typeof settings> & { readonly prompt: TemplateString.Template }

/** `files`: what stands for a file, or lists of that. */
export const run = Effect.fnUntraced(function*(config: Config, files: unknown, step: Step) {
  const model = yield* Completion.choose(config)
  const outputs = model.isEcho ? [] : Completion.customOutputs(step)
  const prompt = Completion.enhance(Completion.render(config.prompt, step), outputs)
  const text = yield* Completion.ask({
    config,
    json: outputs.length > 0,
    messages: [Prompt.user(prompt, yield* Attachments.loadAll([files], step, model))],
    model,
    step
  })
  return { Reply: Completion.replyOf(text) }
})
