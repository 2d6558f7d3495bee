/** Models on loopback servers that ask for actions on a real browser, a site for them to act on, and what came of it. */
import { Effect, Layer } from "effect"
import { ComputerUse } from "../../../src/components/ai/ComputerUse.ts"
import { BrowserComputer } from "../../../src/connectors/computer/BrowserComputer.ts"
import { AnthropicLLM } from "../../../src/connectors/llm/AnthropicLLM.ts"
import { BedrockLLM } from "../../../src/connectors/llm/BedrockLLM.ts"
import { GroqLLM } from "../../../src/connectors/llm/CompatibleLLMs.ts"
import { OpenAILLM } from "../../../src/connectors/llm/OpenAILLM.ts"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Confirmations, type Question } from "../../../src/subsystems/compute/Confirmations.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import { form, settings } from "../../connectors/computer/screens.ts"
import * as AnthropicServer from "../../fixtures/AnthropicServer.ts"
import * as BedrockServer from "../../fixtures/BedrockServer.ts"
import type { Received } from "../../fixtures/HttpServer.ts"
import type { Turn } from "../../fixtures/OpenAIServer.ts"
import * as ResponsesServer from "../../fixtures/ResponsesServer.ts"
import { runComponent, type RunOptions } from "../harness.ts"

const as = Candidate.as(Candidate.agent("a1"))

export interface Given {
  readonly openai?: ReadonlyArray<Turn>
  readonly anthropic?: ReadonlyArray<Turn>
  readonly bedrock?: ReadonlyArray<Turn>
  /** Rules of the operator's policy. */
  readonly allow?: ReadonlyArray<string>
  readonly confirms?: (question: Question) => boolean | Effect.Effect<boolean>
}

/** Models on loopback servers that speak their providers' formats, and a real browser. */
export const make = ({ allow = [], anthropic = [], bedrock = [], confirms, openai = [] }: Given) =>
  Effect.gen(function*() {
    const converse = yield* BedrockServer.make(...bedrock)
    const responses = yield* ResponsesServer.make(...openai)
    const messages = yield* AnthropicServer.make(...anthropic)
    const at = (provider: string, modelId: string, baseURL: string) =>
      ({ provider, modelId, baseURL, credentials: "none" }) as const
    const models = JSONModels.layer({
      models: {
        gpt: at("OpenAI", "gpt-5.4", responses.baseURL),
        preview: at("OpenAI", "computer-use-preview", responses.baseURL),
        claude: at("Anthropic", "claude-opus-4-6", messages.baseURL),
        sonnet: at("Anthropic", "claude-sonnet-4-5", messages.baseURL),
        old: at("Anthropic", "claude-3-opus-20240229", messages.baseURL),
        bedrock: at("Bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", converse.baseURL),
        groq: at("Groq", "llama", responses.baseURL)
      }
    })
    const llm = Layer.provide(LLM.layer, [
      LLM.providers([
        OpenAILLM.contract({}),
        AnthropicLLM.contract({}),
        BedrockLLM.contract({}),
        GroqLLM.contract({})
      ]),
      NullVault.layer({})
    ])
    const context = yield* Layer.build(Layer.provideMerge(
      llm,
      Layer.mergeAll(
        models,
        MemoryStorage.layer({}),
        UndiciOutbound.layer({ allow: [...allow] }),
        BrowserComputer.layer({ ...settings, sessions: 1 })
      )
    ))
    const questions: Array<Question> = []
    const log: Array<readonly [string, string]> = []
    const run = (options: RunOptions) => {
      const step = { log: (level: string, message: string) => void log.push([level, message]) }
      const whole = runComponent(ComputerUse, { ...options, step })
      const asking = confirms === undefined
        ? whole
        : Effect.provideService(whole, Confirmations, {
          ask: (question) =>
            Effect.suspend(() => {
              questions.push(question)
              const answer = confirms(question)
              return typeof answer === "boolean" ? Effect.succeed(answer) : answer
            })
        })
      return as(Effect.provide(asking, context))
    }
    const stored = (uri: string) => as(Effect.provide(Effect.flatMap(Storage, (storage) => storage.read(uri)), context))
    return {
      run,
      stored,
      questions,
      log,
      responses: () => responses.requests.map(bodyOf),
      messages: messages.requests,
      said: () => messages.requests.map(bodyOf),
      converse: () => converse.requests.map(bodyOf)
    }
  })

interface Body {
  readonly input: ReadonlyArray<Record<string, unknown>>
  readonly messages: ReadonlyArray<{ readonly role: string; readonly content: ReadonlyArray<Record<string, unknown>> }>
  readonly tools: ReadonlyArray<unknown>
  readonly [parameter: string]: unknown
}
const bodyOf = ({ body }: Received) => JSON.parse(body) as Body

/** A call of OpenAI's computer as it stands on the wire. */
export const computer = (id: string, actions: ReadonlyArray<object>, checks: ReadonlyArray<object> = []) => ({
  packets: [
    ResponsesServer.item({ type: "reasoning", id: `rs_${id}`, summary: [], encrypted_content: "sealed" }),
    ResponsesServer.item({
      type: "computer_call",
      id: `cu_${id}`,
      call_id: id,
      status: "completed",
      pending_safety_checks: checks,
      actions
    }),
    ResponsesServer.ended("completed", { usage: { input_tokens: 10, output_tokens: 2 } })
  ]
})

export const claude = (input: object, id?: string) => ({
  toolCalls: [{ name: "computer", arguments: input, ...(id === undefined ? {} : { id }) }]
})

export const shop = {
  "/": form("/send"),
  "/send": { status: 303, headers: { location: "/thanks" } },
  "/thanks": "Thank you"
}
export const sentTo = ({ requests }: { readonly requests: ReadonlyArray<Received> }) =>
  requests.filter(({ method }) => method === "POST")
    .map(({ body, url }) => [url, Object.fromEntries(new URLSearchParams(body))])
export const filled = [["/send", { name: "Ada", city: "Bonn" }]]
