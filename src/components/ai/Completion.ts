/** One answer of a model, as all components that ask for one do it: settings, prompt, reading the answer. */
import { Effect, Either, type Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import * as JsonText from "../../kernel/JsonText.ts"
import * as Pull from "../../kernel/Pull.ts"
import type * as TemplateString from "../../kernel/TemplateString.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import * as Models from "../../subsystems/llm/Models.ts"
import type * as Prompt from "../../subsystems/llm/Prompt.ts"
import { ComponentFailed, type PortInfo, type Step } from "../Component.ts"
import * as Settings from "../Settings.ts"

/** What every component that asks a model can be set to. */
export const settings = {
  model: Settings.text({ max: 200 }),
  temperature: Settings.optional(Settings.number({ min: 0, max: 5 })),
  maxTokens: Settings.optional(Settings.integer({ min: 1 })),
  /** Separated by commas or lines. */
  stopSequences: Settings.optional(Settings.text({ max: 400 })),
  topP: Settings.optional(Settings.number({ min: 0, max: 1 })),
  topK: Settings.optional(Settings.number({ min: 0, max: 500 })),
  frequencyPenalty: Settings.optional(Settings.number({ min: 0, max: 2 })),
  presencePenalty: Settings.optional(Settings.number({ min: 0, max: 2 })),
  /** Default: `json` when outputs beyond the built-in ones are declared. */
  responseFormat: Settings.optional(Settings.literal(["json", "text"])),
  verbosity: Settings.optional(Settings.literal(["low", "medium", "high"])),
  useReasoning: Settings.boolean({ default: false }),
  reasoningEffort: Settings.optional(
    Settings.literal(["none", "default", "minimal", "low", "medium", "high", "xhigh"])
  ),
  /** Of models that are given a number to think with: Claude before 4.6, Gemini 2.5. Others go by `reasoningEffort`. */
  maxThinkingTokens: Settings.optional(Settings.integer({ min: 1 })),
  /** Streams the answer to whoever called the agent. */
  passthrough: Settings.boolean({ default: false })
} as const

type Config = Schema.Struct.Type<typeof settings>

/** Of the model a setting names, what matters before it is asked. */
export interface Chosen {
  readonly name: string
  readonly provider: string
  readonly features: ReadonlyArray<string>
  /** Says what it was told: gets the prompt and nothing else. */
  readonly isEcho: boolean
}

export const choose = ({ model }: Pick<Config, "model">) =>
  Effect.gen(function*() {
    const models = yield* Models.Models
    // Documents of older editors write it in lower case.
    const { features, name, provider } = yield* models.get(model === "echo" ? "Echo" : model)
    const chosen: Chosen = { name, provider, features, isEcho: provider.toLowerCase() === "echo" }
    return chosen
  })

/**
 * The prompt with its values. Where the template is JSON, a value within quotes is written as the inside of a JSON text;
 * everywhere else values are written as they are.
 */
export const render = (template: TemplateString.Template, step: Step): string =>
  step.render(template, { encode: isJson(template) ? "json" : "text" })

const isJson = ({ parts, source }: TemplateString.Template): boolean =>
  /^\s*[{[]/.test(source) &&
  Either.isRight(JsonText.parse(parts.map((part) => part._tag === "Text" ? part.text : "0").join("")))

/** The outputs a document declares beyond the built-in ones: what the model is asked for by name. */
export const customOutputs = ({ component }: Step): ReadonlyArray<PortInfo> =>
  component.outputs.filter((port) => !port.default && !builtIn.includes(port.name))
const builtIn = ["_debug", "_error", "Reply", "Response"]

/** The prompt, followed by the form the answer must have. */
export const enhance = (prompt: string, outputs: ReadonlyArray<PortInfo>, placeholder = "<value>"): string =>
  outputs.length === 0 ? prompt : `${prompt}\n\n${
    [
      "Answer with one JSON object that has exactly these properties:",
      JSON.stringify(
        Object.fromEntries(outputs.map(({ description, name }) => [
          name,
          description === undefined || description === "" ? placeholder : `${placeholder} (${description})`
        ])),
        undefined,
        2
      )
    ].join("\n")
  }`

/** An answer as an output: the object or list in it, else its text. */
export const replyOf = (text: string): unknown => Json.extract(text)

/** Settings as the parameters of a call; a provider that cannot honour one decides what becomes of it. */
export const parametersOf = (config: Config, json: boolean): Prompt.Parameters => ({
  maxTokens: config.maxTokens,
  temperature: config.temperature,
  topP: config.topP,
  topK: config.topK,
  frequencyPenalty: config.frequencyPenalty,
  presencePenalty: config.presencePenalty,
  stopSequences: config.stopSequences?.split(/[,\n]/).map((one) => one.trim()).filter((one) => one !== ""),
  responseFormat: config.responseFormat ?? (json ? "json" : undefined),
  reasoningEffort: config.useReasoning && config.reasoningEffort !== "default" ? config.reasoningEffort : undefined,
  maxThinkingTokens: config.useReasoning ? config.maxThinkingTokens : undefined,
  verbosity: config.verbosity
})

/** The text of the answer, streamed on while it arrives where that is asked for. An answer that is not whole is a failure. */
export const ask = Effect.fnUntraced(function*(
  { config, json, messages, model, step, webSearch }: {
    readonly config: Config
    /** Whether the answer is to be JSON unless the settings say otherwise. */
    readonly json: boolean
    readonly messages: ReadonlyArray<Prompt.Message>
    readonly model: Chosen
    readonly step: Step
    readonly webSearch?: LLM.WebSearch | undefined
  }
) {
  const llm = yield* LLM.LLM
  let text = ""
  let reason: Prompt.FinishReason = "unknown"
  const add = (event: Prompt.LLMEvent) => {
    if (event.type === "finish") reason = event.reason
    if (event.type === "usage") step.used(model.name, event.usage)
    if (event.type === "text") text += event.delta
    if (config.passthrough && event.type === "text") step.emit("content", event.delta)
    if (config.passthrough && event.type === "reasoning") step.emit("thinking", event.delta)
  }
  const parameters = model.isEcho ? {} : parametersOf(config, json)
  const events = llm.stream({ ...parameters, model: model.name, messages, webSearch })
  yield* Effect.mapError(Pull.forEach(events, add), (error) => failed(error.message, text, error))
  if (config.passthrough) step.emit("content", "\n")
  const problem = problemOf(reason, text, config)
  return problem === undefined ? text : yield* failed(problem, text)
})

/** Why an answer that ended for this reason is not whole, if it is not. */
export const problemOf = (
  reason: Prompt.FinishReason,
  text: string,
  { maxTokens }: { readonly maxTokens?: number | undefined } = {}
): string | undefined => {
  switch (reason) {
    case "length":
      return `The answer was cut off: it reached the limit of output tokens${
        maxTokens === undefined ? "" : ` (maxTokens is ${maxTokens})`
      }. Raise maxTokens, or ask for a shorter answer`
    case "content-filter":
      return "The answer was withheld by the provider's content filter"
    case "error":
      return "The provider broke off the answer with an error"
    default:
      return text.trim() !== "" ?
        undefined :
        `The model gave an empty answer. The likely cause is the limit of output tokens, ${
          maxTokens === undefined ? "set by maxTokens" : `maxTokens (${maxTokens})`
        }, used up by reasoning: raise it`
  }
}

const failed = (message: string, text: string, cause?: unknown) =>
  new ComponentFailed({
    message,
    ...(text === "" ? {} : { outputs: { Reply: text } }),
    ...(cause === undefined ? {} : { cause })
  })

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null
