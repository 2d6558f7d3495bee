import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HuggingFace } from "../../../src/components/ai/HuggingFace.ts"
import { HuggingFace as Connector } from "../../../src/connectors/inference/HuggingFace.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import { memoryVault } from "../../../src/testing/MemoryVault.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import * as ImagesServer from "../../fixtures/ImagesServer.ts"
import { runComponent, type RunOptions } from "../harness.ts"

const png = `data:image/png;base64,${ImagesServer.png}`

const make = Effect.gen(function*() {
  const server = yield* HttpServer.make(({ body }, response) => {
    if (body.includes("question")) return HttpServer.json(response, 200, [{ answer: "a dot", score: 1 }])
    if (!body.includes("draw")) return HttpServer.json(response, 200, [[{ label: "POSITIVE", score: 1 }]])
    response.writeHead(200, { "content-type": "image/png" })
    response.end(ImagesServer.picture.bytes)
  })
  const vault = Layer.provide(Vault.layer, memoryVault({ "agent:a1": { hf: "hf_secret" } }))
  const context = yield* Layer.build(
    Layer.mergeAll(
      Connector.layer({ endpointUrl: server.url }),
      vault,
      MemoryStorage.layer({}),
      UndiciOutbound.layer({})
    )
  )
  const run = (options: RunOptions) =>
    runComponent(HuggingFace, {
      ...options,
      settings: { accessToken: "{{KEY(hf)}}", modelName: "own/model", ...options.settings }
    }).pipe(Effect.provide(context), Candidate.as(Candidate.agent("a1")))
  return { run, server }
})

describe("HuggingFace", () => {
  it.scopedLive("runs a task with its inputs and parameters, and the token of the vault", () =>
    Effect.gen(function*() {
      const { run, server } = yield* make
      const parameters = "{\"top_k\": \"3\", \"mode\": \"{{mode}}\", \"skipped\": \"none\", \"all\": \"true\"}"
      const settings = { modelTask: "text-classification", parameters }
      const { Output } = yield* run({ settings, inputs: { Text: "good" }, variables: { mode: "fast" } })
      assert.deepStrictEqual(Output, [{ label: "POSITIVE", score: 1 }])
      const [request] = server.requests
      assert.strictEqual(request?.headers.authorization, "Bearer hf_secret")
      assert.deepStrictEqual(JSON.parse(request?.body ?? ""), {
        inputs: "good",
        parameters: { top_k: 3, mode: "fast", all: true }
      })
    }))

  it.scopedLive("loads files among the inputs, and stores those of the answer", () =>
    Effect.gen(function*() {
      const { run, server } = yield* make
      const inputs = { Image: png, Question: "what is it?" }
      const asked = yield* run({ settings: { modelTask: "visual-question-answering" }, inputs })
      assert.deepInclude([asked["Output"]].flat()[0] as object, { answer: "a dot" })
      const sent = JSON.parse(server.requests[0]?.body ?? "") as { readonly inputs: object }
      assert.deepStrictEqual(sent.inputs, { question: "what is it?", image: ImagesServer.png })
      const drawn = yield* run({ settings: { modelTask: "text-to-image" }, inputs: { Text: "draw" } })
      assert.deepInclude(drawn["Output"] as object, { mimetype: "image/png" })
    }))

  it.scopedLive("says what is wrong", () =>
    Effect.gen(function*() {
      const { run } = yield* make
      const message = (settings: Readonly<Record<string, unknown>>, inputs: Readonly<Record<string, unknown>> = {}) =>
        Effect.map(Effect.flip(run({ settings, inputs })), (error) => error.message)
      assert.include(yield* message({ modelTask: "question-answering" }, { Question: "?" }), "not there: Context")
      assert.include(yield* message({ modelTask: "translations" }), "Did you mean \"translation\"?")
      assert.include(
        yield* message({ modelTask: "translation", parameters: "[1]" }, { Text: "x" }),
        "parameters: expected"
      )
      const unknown = { modelTask: "translation", accessToken: "{{KEY(nope)}}" }
      assert.include(yield* message(unknown, { Text: "x" }), "No secret named \"nope\"")
    }))
})
