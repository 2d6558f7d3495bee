/** What a conversation with an agent is made of: its exposed endpoints as tools, and its default model. */
import type { ModelSpec } from "../subsystems/llm/LLM.ts"
import type { Tool } from "../subsystems/llm/Prompt.ts"
import { type AgentDocument, isRecord } from "./AgentDocument.ts"
import type { Endpoint } from "./Endpoint.ts"

/** An endpoint as models see it: named like the endpoint, its inputs as a JSON Schema. */
export const toolOf = ({ description, inputs, name }: Endpoint): Tool => ({
  name,
  description,
  parameters: {
    type: "object",
    properties: Object.fromEntries(inputs.map((input) => [input.name, {
      ...schemaOf(input.type),
      ...(input.description === "" ? {} : { description: input.description }),
      ...(input.fallback === undefined ? {} : { default: input.fallback })
    }])),
    required: inputs.filter(({ required }) => required).map((input) => input.name)
  }
})

/** JSON Schema of a port type; files and dates are written as text, anything goes where anything is welcome. */
export const schemaOf = (type: string): Readonly<Record<string, unknown>> => {
  switch (type.toLowerCase()) {
    case "any":
      return {}
    case "number":
    case "integer":
    case "boolean":
      return { type: type.toLowerCase() }
    case "array":
      return { type: "array", items: {} }
    case "object":
      return { type: "object", additionalProperties: true }
    default:
      return { type: "string" }
  }
}

/** The model the document names: a registry name, or a provider's own model. Keys and addresses in documents are not used. */
export const defaultModelOf = ({ defaultModel }: AgentDocument): string | ModelSpec | undefined => {
  if (typeof defaultModel === "string") return defaultModel === "" ? undefined : defaultModel
  if (!isRecord(defaultModel)) return undefined
  const { model, modelId, provider } = defaultModel
  const name = typeof modelId === "string" ? modelId : typeof model === "string" ? model : undefined
  return name === undefined || typeof provider !== "string" ? name : { provider, modelId: name }
}
