/** Asks a model about images. `GenAILLM` does it, too; this one is in older documents. */
import { Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as FilePrompt from "./FilePrompt.ts"

export const VisionLLM = Component.make("VisionLLM", {
  description: "Asks a language model a prompt about images; outputs that are declared are asked for by name.",
  category: "ai",
  config: Schema.Struct(FilePrompt.settings),
  inputs: Schema.Struct({ Images: Port.Any }),
  outputs: Schema.Struct({ Reply: Port.Any }),
  openInputs: true,
  openOutputs: true,
  run: ({ config, inputs, step }) => FilePrompt.run(config, inputs.Images, step)
})
