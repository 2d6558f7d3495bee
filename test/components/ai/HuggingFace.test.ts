import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { HuggingFace } from "../../../src/components/ai/HuggingFace.ts"
import { HuggingFace as Connector } from "../../../src/connectors/inference/HuggingFace.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import * as Inference from "../../../src/subsystems/llm/Inference.ts"
import { memoryVault } from "../../../src/testing/MemoryVault.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import * as ImagesServer from "../../fixtures/ImagesServer.ts"
import { runComponent, type RunOptions } from "../harness.ts"

const png = `data:image/png;base64,${ImagesServer.png}`

const make = Effect.gen(function*() {
  const server = yield* HttpServer.make(({ body }, response) => {
    if (body.includes("messages")) {
      const message = { role: "assistant", content: "I am fine." }
      return HttpServer.json(response, 200, {
        id: "c1",
        created: 1,
        model: "own/model",
        choices: body.includes("nothing") ? [] : [{ index: 0, finish_reason: "stop", message }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
      })
    }
    if (body.includes("question")) return HttpServer.json(response, 200, [{ answer: "a dot", score: 1 }])
    if (!body.includes("draw")) return HttpServer.json(response, 200, [[{ label: "POSITIVE", score: 1 }]])
    response.writeHead(200, { "content-type": "image/png" })
    response.end(ImagesServer.picture.bytes)
  })
  return yield* at(server)
})

const at = Effect.fnUntraced(function*(server: HttpServer.HttpServer) {
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

  it.scopedLive("goes on with a conversation, and gives what the next call takes", () =>
    Effect.gen(function*() {
      const { run, server } = yield* make
      const settings = { modelTask: "conversational", parameters: { max_tokens: "9" } }
      const first = yield* run({ settings, inputs: { Text: "How are you?" } })
      assert.deepStrictEqual(first["Output"], {
        generated_text: "I am fine.",
        conversation: { past_user_inputs: ["How are you?"], generated_responses: ["I am fine."] }
      })
      const inputs = { Text: "And now?", Past_user_inputs: ["How are you?"], Generated_responses: `["I am fine."]` }
      const second = yield* run({ settings, inputs })
      assert.deepNestedInclude(second["Output"] as object, {
        "conversation.past_user_inputs": ["How are you?", "And now?"]
      })
      assert.deepStrictEqual(JSON.parse(server.requests[1]?.body ?? ""), {
        model: "own/model",
        max_tokens: 9,
        messages: [
          { role: "user", content: "How are you?" },
          { role: "assistant", content: "I am fine." },
          { role: "user", content: "And now?" }
        ]
      })
      const failed = yield* Effect.flip(run({ settings, inputs: { Text: "say nothing" } }))
      assert.include(failed.message, "no text")
    }))

  it.scopedLive("knows every task of the vendor: what it takes, and what it gives", () =>
    Effect.gen(function*() {
      let answer: unknown = {}
      const server = yield* HttpServer.make((_, response) => {
        if (answer !== "a picture") return HttpServer.json(response, 200, answer)
        response.writeHead(200, { "content-type": "image/png" })
        response.end(ImagesServer.picture.bytes)
      })
      const { run } = yield* at(server)
      const Image = png
      const image = { data: ImagesServer.picture.bytes }
      const asked = { Image, Question: "why?" }
      const label = [{ label: "dot", score: 1 }]
      const said = [{ answer: "so", score: 1, start: 0, end: 2 }]
      const box = { xmin: 0, ymin: 0, xmax: 1, ymax: 1 }
      const cells = { aggregator: "NONE", answer: "so", cells: ["so"], coordinates: [[0, 0]] }
      const token = { end: 1, entity_group: "PER", score: 1, start: 0, word: "A" }
      const written = { image: ImagesServer.png, question: "why?" }
      const rows: ReadonlyArray<readonly [Inference.Task, Record<string, unknown>, unknown, unknown, unknown?]> = [
        ["audio-classification", { Audio: png }, image, label],
        ["audio-to-audio", { Audio: png }, image, [{
          label: "a",
          "content-type": "image/png",
          blob: ImagesServer.png
        }]],
        ["automatic-speech-recognition", { Audio: png }, image, { text: "so" }],
        ["document-question-answering", asked, { inputs: written }, said, said[0]],
        ["feature-extraction", { Text: "x" }, { inputs: "x" }, [0.5, 1]],
        ["fill-mask", { Text: "x" }, { inputs: "x" }, [{ score: 1, sequence: "so", token: 1, token_str: "so" }]],
        ["image-classification", { Image }, image, label],
        ["image-segmentation", { Image }, undefined, [{ label: "dot", mask: "AAAA", score: 1 }]],
        ["image-to-image", { Image }, undefined, "a picture"],
        ["image-to-text", { Image }, image, { generated_text: "a dot" }],
        ["object-detection", { Image }, image, [{ ...label[0], box }]],
        [
          "question-answering",
          { Question: "why?", Context: "so" },
          { inputs: { question: "why?", context: "so" } },
          said[0]
        ],
        ["sentence-similarity", { Source_sentence: "a", Sentences: `["b"]` }, {
          inputs: { source_sentence: "a", sentences: ["b"] }
        }, [0.5]],
        ["summarization", { Text: "x" }, { inputs: "x" }, [{ summary_text: "so" }], { summary_text: "so" }],
        ["table-question-answering", { Query: "why?", Table: `{"a":["so"]}` }, {
          inputs: { query: "why?", table: { a: ["so"] } }
        }, cells],
        ["text-classification", { Text: "x" }, { inputs: "x" }, [label], label],
        ["text-generation", { Text: "x" }, { prompt: "x" }, { choices: [{ text: "so" }] }, { generated_text: "so" }],
        ["text-to-image", { Text: "x" }, { inputs: "x" }, "a picture"],
        ["text-to-speech", { Text: "x" }, { inputs: "x" }, "a picture"],
        ["token-classification", { Text: "x" }, { inputs: "x" }, [token]],
        ["translation", { Text: "x" }, { inputs: "x" }, [{ translation_text: "so" }], { translation_text: "so" }],
        ["visual-question-answering", asked, { inputs: written }, said, said[0]],
        ["zero-shot-classification", { Text: "x" }, undefined, label],
        ["zero-shot-image-classification", { Image }, undefined, label]
      ]
      assert.sameMembers([...rows.map(([task]) => task), "conversational"], [...Inference.Task.literals])
      for (const [task, inputs, sent, wire, given = wire] of rows) {
        answer = wire
        const settings = { modelTask: task, parameters: `{"candidate_labels": ["dot"]}` }
        const { Output } = yield* Effect.orDieWith(run({ settings, inputs }), ({ message }) => `${task}: ${message}`)
        const [{ body, bytes }] = server.requests.slice(-1) as [HttpServer.Received]
        if (sent === image) assert.deepStrictEqual(Buffer.from(bytes), Buffer.from(image.data), task)
        else if (sent !== undefined) assert.deepInclude(JSON.parse(body) as object, sent as object, task)
        else assert.include(body, task.includes("zero") ? "dot" : ImagesServer.png, task)
        if (wire === "a picture") assert.deepInclude(Output as object, { mimetype: "image/png" }, task)
        else if (task !== "audio-to-audio") assert.deepStrictEqual(Output, given, task)
        else assert.deepNestedInclude({ Output }, { "Output[0].blob.mimetype": "image/png" })
      }
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

  it.scopedLive("ends its request when it is interrupted", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(() => undefined)
      const { run } = yield* at(server)
      const fiber = yield* Effect.fork(run({ settings: { modelTask: "translation" }, inputs: { Text: "x" } }))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.length > 0 })
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => server.aborted)
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
