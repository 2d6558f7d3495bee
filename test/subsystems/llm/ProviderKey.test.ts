import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import { Models } from "../../../src/subsystems/llm/Models.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as ProviderKey from "../../../src/subsystems/llm/ProviderKey.ts"

describe("the server of a model", () => {
  it.effect("is judged by the system's policy where the asker chose it, and by none where the operator did", () =>
    Effect.gen(function*() {
      const asked: Array<LLM.ProviderRequest> = []
      const provider: LLM.LLMProvider = {
        provider: "OpenAI",
        credentials: { environment: undefined, required: false },
        stream: (request) => {
          asked.push(request)
          return Stream.make<[Prompt.LLMEvent]>({ type: "finish", reason: "stop" })
        }
      }
      yield* Effect.gen(function*() {
        const llm = yield* LLM.LLM
        const models = yield* Models
        yield* models.add("mine", { provider: "OpenAI", baseURL: "https://models.example/v1" })
        yield* llm.generate({ model: "mine", messages: [Prompt.user("hello")] })
        yield* llm.generate({ model: "house", messages: [Prompt.user("hello")] })
      }).pipe(
        Candidate.as(Candidate.user("u1")),
        Effect.provide(Layer.provide(Layer.provideMerge(LLM.layer, JSONModels.layer({ models: house })), [
          LLM.providers([Layer.succeed(LLM.LLMConnector, provider)]),
          ProviderKey.withoutVault
        ]))
      )
      assert.isString(asked[0]?.policy?.refusesAddress("models.example", 443, "10.0.0.7"))
      assert.lengthOf(asked, 2)
      assert.isUndefined(asked[1]?.policy)
    }))
})

const house = { house: { provider: "OpenAI", baseURL: "http://10.0.0.7/v1", credentials: "none" as const } }
