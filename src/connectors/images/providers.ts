/** Every provider of pictures this build ships with; a model's name says which one serves it. */
import type { Layer } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as Images from "../../subsystems/llm/Images.ts"
import { BedrockImages } from "./BedrockImages.ts"
import { GoogleImages } from "./GoogleImages.ts"
import { OpenAIImages } from "./OpenAIImages.ts"
import { RunwareImages } from "./RunwareImages.ts"

export const imagesConnectors = [OpenAIImages, GoogleImages, RunwareImages, BedrockImages] as const

/** All of them with their usual addresses, and no key but what the vault or the environment has for the asker. */
export const layer: Layer.Layer<Images.Providers, BootError> = Images.providers(
  imagesConnectors.map((connector) => connector.contract({}))
)
