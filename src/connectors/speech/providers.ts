/** Every provider of speech this build ships with; a model's name says which one serves it. */
import type { Layer } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as Speech from "../../subsystems/llm/Speech.ts"
import { OpenAISpeech } from "./OpenAISpeech.ts"

export const speechConnectors = [OpenAISpeech] as const

/** All of them with their usual addresses, and no key but what the vault or the environment has for the asker. */
export const layer: Layer.Layer<Speech.Providers, BootError> = Speech.providers(
  speechConnectors.map((connector) => connector.contract({}))
)
