import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Layer, Stream } from "effect"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as NetworkPolicy from "../../../src/subsystems/io/NetworkPolicy.ts"
import * as Embeddings from "../../../src/subsystems/llm/Embeddings.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import { Models } from "../../../src/subsystems/llm/Models.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as ProviderKey from "../../../src/subsystems/llm/ProviderKey.ts"

/** Asks `mine`, which a user entered, and `house`, which the operator did, of providers that keep what they are asked. */
const asking = (
  mine: Parameters<typeof Models.Service["add"]>[1],
  providers: ReadonlyArray<Omit<LLM.LLMProvider, "credentials" | "stream">>
) => {
  const asked: Array<LLM.ProviderRequest> = []
  const installed = providers.map((one): LLM.LLMProvider => ({
    ...one,
    credentials: { environment: undefined, required: false },
    stream: (request) => {
      asked.push(request)
      return Stream.make<[Prompt.LLMEvent]>({ type: "finish", reason: "stop" })
    }
  }))
  return Effect.gen(function*() {
    const llm = yield* LLM.LLM
    yield* Effect.flatMap(Models, (models) => models.add("mine", mine))
    yield* llm.generate({ model: "house", messages: [Prompt.user("hello")] })
    const answer = yield* Effect.either(llm.generate({ model: "mine", messages: [Prompt.user("hello")] }))
    return { answer, asked }
  }).pipe(
    Candidate.as(Candidate.user("u1")),
    Effect.provide(Layer.provide(Layer.provideMerge(LLM.layer, JSONModels.layer({ models: house })), [
      LLM.providers(installed.map((provider) => Layer.succeed(LLM.LLMConnector, provider))),
      ProviderKey.withoutVault
    ]))
  )
}

const nearby = "http://localhost:11434/v1"

describe("the server of a model", () => {
  it.effect("is judged by the system's policy where the asker chose it, and by none where the operator did", () =>
    Effect.gen(function*() {
      const mine = { provider: "OpenAI", baseURL: "https://models.example/v1" }
      const { asked: [first, second] } = yield* asking(mine, [{ provider: "OpenAI" }])
      assert.isUndefined(first?.policy)
      assert.isString(second?.policy?.refusesAddress("models.example", 443, "10.0.0.7"))
    }))

  it.effect("nearby that nobody chose is no asker's, unless the operator opens it or names it", () =>
    Effect.gen(function*() {
      const mine = { provider: "Ollama", modelId: "llama3" }
      const local = [{ provider: "OpenAI" }, { provider: "Ollama", nearby }]
      const { answer, asked } = yield* asking(mine, local)
      assert.lengthOf(asked, 1)
      const error = Either.getOrThrow(Either.flip(answer))
      assert.deepInclude({ ...error }, { _tag: "ConnectorError", connector: "Ollama", reason: "InvalidInput" })
      assert.include(error.message, "it is this machine")

      const allow = [{ _tag: "Name", name: "localhost", subdomains: false, port: 11434 }] as const
      const opened = yield* Effect.provideService(
        asking(mine, local),
        NetworkPolicy.Policy,
        NetworkPolicy.make({ allow, deny: [] })
      )
      assert.isDefined(opened.asked[1]?.policy)

      const named = yield* asking(mine, [{ provider: "OpenAI" }, { provider: "Ollama" }])
      assert.lengthOf(named.asked, 2)
      assert.isUndefined(named.asked[1]?.policy)
    }))

  it.effect("stays the operator's for whoever refines one of his models", () =>
    Effect.gen(function*() {
      const { asked: [, second] } = yield* asking({ alias: "house", label: "Mine" }, [{ provider: "OpenAI" }])
      assert.deepInclude(second, { baseURL: house.house.baseURL, policy: undefined })
    }))

  it.effect("is judged for what makes vectors, too", () =>
    Effect.gen(function*() {
      const asked: Array<Embeddings.ProviderRequest> = []
      const provider: Embeddings.EmbeddingsProvider = {
        provider: "OpenAI",
        model: "m",
        credentials: { environment: undefined, required: false },
        limits: { texts: 10, characters: 1000, concurrency: 1 },
        embed: (request) => {
          asked.push(request)
          return Effect.succeed({ vectors: request.texts.map(() => [1]), inputTokens: 1 })
        }
      }
      yield* Effect.gen(function*() {
        const embeddings = yield* Embeddings.Embeddings
        const models = yield* Models
        yield* models.add("mine", { provider: "OpenAI", baseURL: "https://models.example/v1" })
        for (const model of ["house", "mine"]) yield* embeddings.embed({ texts: ["a"], model })
      }).pipe(
        Candidate.as(Candidate.user("u1")),
        Effect.provide(Layer.provide(Layer.provideMerge(Embeddings.layer, JSONModels.layer({ models: house })), [
          Embeddings.providers([Layer.succeed(Embeddings.EmbeddingsConnector, provider)]),
          ProviderKey.withoutVault
        ]))
      )
      assert.deepStrictEqual(asked.map(({ policy }) => policy !== undefined), [false, true])
    }))
})

const house = { house: { provider: "OpenAI", baseURL: "http://10.0.0.7/v1", credentials: "none" as const } }
