/** What components that ask models need: `Echo`; `test`, `thinker`, `searcher` and `grok` on a loopback server that speaks OpenAI's protocol. */
import { Context, Effect, Layer, type Schema } from "effect"
import type * as Component from "../../../src/components/Component.ts"
import { PerplexityLLM, XAILLM } from "../../../src/connectors/llm/CompatibleLLMs.ts"
import { EchoLLM } from "../../../src/connectors/llm/EchoLLM.ts"
import { OpenAILLM } from "../../../src/connectors/llm/OpenAILLM.ts"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as LLMContext from "../../../src/subsystems/memory/LLMContext.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"
import { runComponent, type RunOptions } from "../harness.ts"

type Fields = Schema.Struct.Fields
type Services = Layer.Layer.Success<ReturnType<typeof services>>

const services = ({ baseURL }: OpenAIServer.OpenAIServer) => {
  const models = JSONModels.layer({
    models: {
      test: { provider: "OpenAI", modelId: "test-1", baseURL, credentials: "none", features: ["text", "image"] },
      searcher: {
        provider: "Perplexity",
        modelId: "sonar",
        baseURL,
        credentials: "none",
        features: ["text", "search"]
      },
      grok: { provider: "xAI", modelId: "grok-4", baseURL, credentials: "none", features: ["text", "search"] },
      thinker: { provider: "OpenAI", modelId: "o4-mini", baseURL, credentials: "none" }
    }
  })
  const llm = LLM.layer.pipe(Layer.provide([
    LLM.providers([EchoLLM.contract({}), OpenAILLM.contract({}), PerplexityLLM.contract({}), XAILLM.contract({})]),
    NullVault.layer({})
  ]))
  return Layer.provideMerge(
    Layer.merge(llm, LLMContext.layer),
    Layer.mergeAll(models, MemoryStorage.layer({}), UndiciOutbound.layer({}))
  )
}

/** Bodies of requests to Chat Completions. */
export interface Asked {
  readonly model: string
  readonly messages: ReadonlyArray<{ readonly role: string; readonly content: unknown }>
  readonly [parameter: string]: unknown
}

export interface Model {
  readonly run: <C extends Fields, I extends Fields, O extends Fields>(
    component: Component.Component<string, C, I, O, Services>,
    options: RunOptions
  ) => Effect.Effect<Component.Outputs, Component.ComponentFailed>
  readonly asked: () => ReadonlyArray<Asked>
  readonly context: typeof LLMContext.LLMContext.Service
}

/** A model that answers with the given turns; components run as the agent `a1`. */
export const make = (...turns: ReadonlyArray<OpenAIServer.Turn>) =>
  Effect.gen(function*() {
    const server = yield* OpenAIServer.make(...turns)
    const context = yield* Layer.build(services(server))
    const run: Model["run"] = (component, options) =>
      runComponent(component, options).pipe(Effect.provide(context), Candidate.as(agent))
    const model: Model = {
      run,
      asked: () => server.requests.map(({ body }) => JSON.parse(body) as Asked),
      context: Context.get(context, LLMContext.LLMContext)
    }
    return model
  })

export const agent = Candidate.agent("a1")

/** The text of a message as the wire has it. */
export const textOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : (content as ReadonlyArray<{ readonly text?: string }>).map(({ text = "" }) => text).join("")
