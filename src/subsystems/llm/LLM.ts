/** LLM: models of any provider behind one contract. Callers use {@link LLM}, providers implement {@link LLMConnector}. */
import { Context, type Effect, type Redacted, Schema, type Stream } from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import type { AccessDenied } from "../../security/Access.ts"
import type { NoCandidate } from "../../security/Candidate.ts"
import type { LLMEvent, Message, Tool, Usage } from "./Prompt.ts"

/** No model of that name in the registry of the candidate: never a silent substitute. */
export class ModelNotFound extends Schema.TaggedError<ModelNotFound>()("ModelNotFound", {
  model: Schema.String,
  near: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const near = this.near.length === 0 ? "" : ` Did you mean ${this.near.map((one) => `"${one}"`).join(" or ")}?`
    return `Unknown model "${this.model}".${near}`
  }
}

/** No key for the provider in the candidate's vault, nor (in internal credential mode) in the environment. */
export class MissingCredentials extends Schema.TaggedError<MissingCredentials>()("MissingCredentials", {
  provider: Schema.String,
  /** Where a key was looked for. */
  lookedIn: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `No API key for ${this.provider}. Looked in: ${this.lookedIn.join(", ")}`
  }
}

export type LLMError = ConnectorError | ModelNotFound | MissingCredentials | AccessDenied | NoCandidate

/** Sampling and shape of an answer; what a provider cannot honour it fails on (`InvalidInput`), or warns if only less precise. */
export interface Parameters {
  readonly maxTokens?: number | undefined
  /** 0 to 2. */
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
  readonly frequencyPenalty?: number | undefined
  readonly presencePenalty?: number | undefined
  readonly stopSequences?: ReadonlyArray<string> | undefined
  /** `json`: one JSON object and nothing else. */
  readonly responseFormat?: "text" | "json" | undefined
  readonly reasoningEffort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | undefined
  readonly verbosity?: "low" | "medium" | "high" | undefined
}

export interface Request extends Parameters {
  /** A name of the registry, or a model of one's own. */
  readonly model: string | ModelSpec
  readonly messages: ReadonlyArray<Message>
  readonly tools?: ReadonlyArray<Tool> | undefined
  readonly toolChoice?: "auto" | "none" | "required" | { readonly name: string } | undefined
}

/** A model given by value, as the SDK does; what is left out comes from the registry entry of `modelId`, if any. */
export interface ModelSpec {
  readonly provider: string
  readonly modelId: string
  readonly baseURL?: string | undefined
  readonly apiKey?: Redacted.Redacted | undefined
  readonly contextTokens?: number | undefined
  readonly outputTokens?: number | undefined
}

/** What a connector gets: the registry's decisions made, the key resolved for this candidate and this call only. */
export interface ProviderRequest extends Omit<Request, "model"> {
  /** The provider's own name of the model. */
  readonly modelId: string
  readonly baseURL: string | undefined
  readonly apiKey: Redacted.Redacted | undefined
}

/** One provider. Holds no key and no client shared between keys of different tenants. */
export interface LLMProvider {
  /** As the models registry names it: `OpenAI`, `Echo`. */
  readonly provider: string
  readonly stream: (request: ProviderRequest) => Stream.Stream<LLMEvent, ConnectorError>
  /** Environment variable holding the operator's own key, and whether a call without any key makes sense. */
  readonly credentials: { readonly environment: string | undefined; readonly required: boolean }
}

/** The contract: one provider of models. Several are installed side by side; the models registry names which one serves. */
export class LLMConnector extends Context.Tag("effect-sre/LLMConnector")<LLMConnector, LLMProvider>() {}

export interface Answer {
  readonly text: string
  readonly reasoning: string
  readonly toolCalls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>
  readonly usage: Usage
  readonly reason: typeof import("./Prompt.ts").FinishReason.Type
}

export class LLM extends Context.Tag("effect-sre/LLM")<LLM, {
  /** Streams one answer, as the candidate who made the stream, whoever consumes it. */
  readonly stream: (request: Request) => Stream.Stream<LLMEvent, LLMError>
  /** The whole answer. */
  readonly generate: (request: Request) => Effect.Effect<Answer, LLMError>
}>() {}
