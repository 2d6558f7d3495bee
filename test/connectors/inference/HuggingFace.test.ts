import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { HuggingFace } from "../../../src/connectors/inference/HuggingFace.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Binary, Inference, InferenceConnector, type Request } from "../../../src/subsystems/llm/Inference.ts"
import * as faults from "../../conformance/faults.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import * as ImagesServer from "../../fixtures/ImagesServer.ts"

const apiKey = Redacted.make("hf_secret")

/** Answers as the models of each task do. */
const server = HttpServer.make(({ bytes, body, headers }, response) => {
  if (body.includes("forbidden")) {
    return HttpServer.json(response, 400, { error: { message: `not with ${headers.authorization}` } })
  }
  if (body.includes("a dot")) {
    response.writeHead(200, { "content-type": "image/png" })
    return void response.end(ImagesServer.picture.bytes)
  }
  if (headers["content-type"] === "audio/wav") return HttpServer.json(response, 200, { text: `${bytes.length} bytes` })
  if (body.includes("question")) return HttpServer.json(response, 200, { answer: "yes", score: 0.5, start: 0, end: 3 })
  HttpServer.json(response, 200, [{ translation_text: "hallo" }])
})

const running = (endpointUrl: string) =>
  Effect.map(
    Layer.build(HuggingFace.layer({ endpointUrl })),
    (context) => (request: Omit<Request, "apiKey" | "model">) =>
      Effect.flatMap(Inference, (inference) => inference.run({ model: "own/model", apiKey, ...request })).pipe(
        Effect.provide(context),
        Candidate.as(Candidate.user("u"))
      )
  )

describe("HuggingFace", () => {
  it.scopedLive("runs tasks of text, with the key of the asker", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* server
      const run = yield* running(url)
      const translated = yield* run({ task: "translation", args: { inputs: "hello", parameters: { max_length: 5 } } })
      assert.deepStrictEqual(translated, { translation_text: "hallo" })
      assert.deepStrictEqual(JSON.parse(requests[0]?.body ?? ""), { inputs: "hello", parameters: { max_length: 5 } })
      assert.strictEqual(requests[0]?.headers.authorization, "Bearer hf_secret")
      const args = { inputs: { question: "is it?", context: "it is" } }
      assert.deepInclude((yield* run({ task: "question-answering", args })) as object, { answer: "yes" })
    }))

  it.scopedLive("takes and gives files", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      const run = yield* running(url)
      const data = new Binary({ bytes: new Uint8Array([1, 2, 3]), mediaType: "audio/wav" })
      assert.deepStrictEqual(yield* run({ task: "automatic-speech-recognition", args: { data } }), { text: "3 bytes" })
      const drawn = yield* run({ task: "text-to-image", args: { inputs: "a dot" } })
      assert.instanceOf(drawn, Binary)
      assert.deepStrictEqual(Buffer.from((drawn as Binary).bytes), Buffer.from(ImagesServer.picture.bytes))
      assert.strictEqual((drawn as Binary).mediaType, "image/png")
    }))

  it.scopedLive("says what is wrong, without the key", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      const run = yield* running(url)
      const refused = yield* Effect.flip(run({ task: "translation", args: { inputs: "forbidden" } }))
      assert.deepInclude(refused, { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.include(refused.message, "not with")
      assert.notInclude(JSON.stringify(refused), "hf_secret")
    }))
})

const tasks: ReadonlyArray<Omit<Request, "apiKey" | "model">> = [
  { task: "translation", args: { inputs: "hello" } },
  { task: "text-to-image", args: { inputs: "a dot" } }
]

for (const { args, task } of tasks) {
  faults.suite(`HuggingFace, ${task}`, {
    server: Effect.map(server, ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      HuggingFace.contract({ endpointUrl: `http://127.0.0.1:${port}`, timeout: timeoutMillis }),
    read: Effect.flatMap(InferenceConnector, (connector) => connector.run({ model: "own/model", apiKey, task, args }))
  })
}
