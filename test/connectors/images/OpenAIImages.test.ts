import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted } from "effect"
import { OpenAIImages } from "../../../src/connectors/images/OpenAIImages.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Images, ImagesConnector, type Request } from "../../../src/subsystems/llm/Images.ts"
import { type UsageRecord, UsageSink } from "../../../src/subsystems/llm/Usage.ts"
import * as faults from "../../conformance/faults.ts"
import * as FaultProxy from "../../fixtures/FaultProxy.ts"
import * as ImagesServer from "../../fixtures/ImagesServer.ts"

const user = Candidate.user("u")

const make = Effect.gen(function*() {
  const server = yield* ImagesServer.make
  const used: Array<UsageRecord> = []
  const layer = Layer.provide(
    OpenAIImages.layer({ baseURL: `${server.url}/v1`, apiKey: "sk-secret" }),
    Layer.succeed(UsageSink, (record) => Effect.sync(() => void used.push(record)))
  )
  const context = yield* Layer.build(layer)
  const generate = (request: Request) =>
    Effect.flatMap(Images, (images) => images.generate(request)).pipe(Effect.provide(context), Candidate.as(user))
  return { generate, server, used }
})

describe("OpenAIImages", () => {
  it.scopedLive("makes as many pictures as are asked for, and counts the tokens", () =>
    Effect.gen(function*() {
      const { generate, server, used } = yield* make
      const made = yield* generate({
        model: "gpt-image-1",
        prompt: "a dot",
        count: 2,
        size: "auto",
        outputFormat: "PNG"
      })
      assert.deepStrictEqual(made, [ImagesServer.picture, ImagesServer.picture])
      const [request] = server.requests
      assert.deepInclude(request, { method: "POST", url: "/v1/images/generations" })
      assert.strictEqual(request?.headers.authorization, "Bearer sk-secret")
      assert.deepStrictEqual(JSON.parse(request?.body ?? ""), {
        model: "gpt-image-1",
        prompt: "a dot",
        n: 2,
        stream: false,
        size: "auto",
        output_format: "png"
      })
      assert.deepInclude(used[0], { candidate: user, model: "gpt-image-1", provider: "OpenAI" })
      assert.deepInclude(used[0]?.usage, { inputTokens: 7, outputTokens: 11 })
    }))

  it.scopedLive("changes pictures, which go as files of a form", () =>
    Effect.gen(function*() {
      const { generate, server } = yield* make
      const images = [ImagesServer.picture, ImagesServer.picture]
      assert.lengthOf(yield* generate({ model: "gpt-image-1", prompt: "redder", images }), 1)
      const [request] = server.requests
      assert.strictEqual(request?.url, "/v1/images/edits")
      assert.match(request?.headers["content-type"] ?? "", /^multipart\/form-data; boundary=/)
      assert.include(request?.body, "name=\"image[]\"; filename=\"image-2.png\"\r\nContent-Type: image/png")
      assert.isTrue(request?.bytes.includes(Buffer.from(ImagesServer.picture.bytes)))
    }))

  it.scopedLive("speaks to DALL·E in its way", () =>
    Effect.gen(function*() {
      const { generate, server } = yield* make
      yield* generate({ model: "dall-e-3", prompt: "a dot", size: "1024x1024", style: "natural", quality: "hd" })
      assert.deepInclude(JSON.parse(server.requests[0]?.body ?? ""), {
        style: "natural",
        quality: "hd",
        response_format: "b64_json"
      })
      const changed = yield* Effect.flip(generate({ model: "dall-e-3", prompt: "x", images: [ImagesServer.picture] }))
      assert.deepInclude(changed, { _tag: "ConnectorError", reason: "InvalidInput" })
    }))

  it.scopedLive("asks again only when refused for now, and says what else is wrong without the key", () =>
    Effect.gen(function*() {
      const { generate, server } = yield* make
      yield* generate({ model: "gpt-image-1", prompt: "busy" })
      assert.lengthOf(server.requests, 2)
      const refused = yield* Effect.flip(generate({ model: "gpt-image-1", prompt: "forbidden" }))
      assert.deepInclude(refused, { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.include(refused.message, "not with")
      assert.notInclude(JSON.stringify(refused), "sk-secret")
      assert.lengthOf(server.requests, 3)
      const nothing = yield* Effect.flip(generate({ model: "gpt-image-1", prompt: "nothing" }))
      assert.deepInclude(nothing, { _tag: "ConnectorError", reason: "Protocol" })
      const unknown = yield* Effect.flip(generate({ model: "gpt-image-1", prompt: "x", aspectRatio: "1:1" }))
      assert.include(unknown.message, "aspectRatio: it knows nothing of it")
      const other = yield* Effect.flip(generate({ model: "smythos/flux.1-dev", prompt: "x" }))
      assert.deepInclude(other, { reason: "Unsupported" })
    }))

  it.scopedLive("a picture whose answer was lost is not paid for twice", () =>
    Effect.gen(function*() {
      const server = yield* ImagesServer.make
      const proxy = yield* FaultProxy.make(server.port)
      const settings = { baseURL: `http://127.0.0.1:${proxy.port}/v1`, apiKey: "sk", timeout: 500 }
      const context = yield* Layer.build(OpenAIImages.layer(settings))
      const generate = Effect.flatMap(Images, (images) => images.generate({ model: "gpt-image-1", prompt: "a dot" }))
        .pipe(Effect.provide(context), Candidate.as(user))
      for (const [n, fault] of [{ cutAfterBytes: 0 }, { cutAfterBytes: 40 }, { stall: Infinity }].entries()) {
        yield* proxy.set(fault)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(generate)))
        assert.lengthOf(server.requests, n + 1)
      }
      yield* proxy.set("pass")
      assert.lengthOf(yield* generate, 1)
    }))
})

faults.suite("OpenAIImages", {
  server: Effect.map(ImagesServer.make, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    OpenAIImages.contract({ baseURL: `http://127.0.0.1:${port}/v1`, timeout: timeoutMillis }),
  read: Effect.flatMap(ImagesConnector, (connector) =>
    connector.generate({
      modelId: "gpt-image-1",
      prompt: "a dot",
      images: [],
      count: 1,
      baseURL: undefined,
      apiKey: Redacted.make("sk-secret")
    }))
})
