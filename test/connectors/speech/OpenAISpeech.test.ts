import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted } from "effect"
import { OpenAISpeech } from "../../../src/connectors/speech/OpenAISpeech.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import {
  type SpeakRequest,
  Speech,
  SpeechConnector,
  type SpeechError,
  type TranscribeRequest
} from "../../../src/subsystems/llm/Speech.ts"
import { type UsageRecord, UsageSink, zero } from "../../../src/subsystems/llm/Usage.ts"
import * as faults from "../../conformance/faults.ts"
import * as FaultProxy from "../../fixtures/FaultProxy.ts"
import * as SpeechServer from "../../fixtures/SpeechServer.ts"

const user = Candidate.user("u")
const sound = { bytes: new TextEncoder().encode("RIFF sound"), mediaType: "audio/wav" }

const make = Effect.gen(function*() {
  const server = yield* SpeechServer.make
  const used: Array<UsageRecord> = []
  const context = yield* Layer.build(Layer.provide(
    OpenAISpeech.layer({ baseURL: `${server.url}/v1`, apiKey: "sk-secret" }),
    Layer.succeed(UsageSink, (record) => Effect.sync(() => void used.push(record)))
  ))
  const speak = (request: SpeakRequest) =>
    Effect.flatMap(Speech, (speech) => speech.speak(request)).pipe(Effect.provide(context), Candidate.as(user))
  const transcribe = (request: TranscribeRequest) =>
    Effect.flatMap(Speech, (speech) => speech.transcribe(request)).pipe(Effect.provide(context), Candidate.as(user))
  return { server, speak, transcribe, used }
})

const text = ({ bytes }: { readonly bytes: Uint8Array }) => new TextDecoder().decode(bytes)

describe("OpenAISpeech", () => {
  it.scopedLive("speaks a text as it is asked to, and counts the characters", () =>
    Effect.gen(function*() {
      const { server, speak, used } = yield* make
      const spoken = yield* speak({ model: "tts-1", text: "Hello, 世界", voice: "nova", format: "opus", speed: 1.5 })
      assert.deepStrictEqual([text(spoken), spoken.mediaType], ["Hello, 世界", "audio/ogg"])
      const [request] = server.requests
      assert.deepInclude(request, { method: "POST", url: "/v1/audio/speech" })
      assert.strictEqual(request?.headers.authorization, "Bearer sk-secret")
      assert.deepStrictEqual(JSON.parse(request?.body ?? ""), {
        model: "tts-1",
        input: "Hello, 世界",
        voice: "nova",
        response_format: "opus",
        speed: 1.5
      })
      assert.deepInclude(used[0], { candidate: user, model: "tts-1", provider: "OpenAI", kind: "speech", usage: zero })
      assert.deepStrictEqual(used[0]?.units, { characters: 9 })
    }))

  it.scopedLive("has the GPT models tell what their sound took, and gives them instructions", () =>
    Effect.gen(function*() {
      const { server, speak, used } = yield* make
      const spoken = yield* speak({ model: "gpt-4o-mini-tts", text: "Hush!", instructions: "Whisper." })
      assert.deepStrictEqual([text(spoken), spoken.mediaType], ["Hush!", "audio/mpeg"])
      assert.deepInclude(JSON.parse(server.requests[0]?.body ?? ""), {
        instructions: "Whisper.",
        voice: "alloy",
        stream_format: "sse"
      })
      assert.deepInclude(used[0]?.usage, { inputTokens: 5, outputTokens: 40 })
    }))

  it.scopedLive("writes sound down, which goes as a file of a form; what it took is told in tokens or seconds", () =>
    Effect.gen(function*() {
      const { server, transcribe, used } = yield* make
      const request = { sound, language: "en", prompt: "robots" }
      assert.strictEqual(yield* transcribe({ ...request, model: "gpt-4o-transcribe" }), "go forward ten meters")
      yield* transcribe({ model: "whisper-1", sound: { ...sound, mediaType: "audio/mpeg" } })
      const [first, second] = server.requests
      assert.strictEqual(first?.url, "/v1/audio/transcriptions")
      assert.match(first?.headers["content-type"] ?? "", /^multipart\/form-data; boundary=/)
      assert.include(first?.body, "filename=\"sound.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF sound")
      assert.match(first?.body ?? "", /name="language"\r\n\r\nen\r\n/)
      assert.include(second?.body, "filename=\"sound.mp3\"")
      assert.deepInclude(used[0], { kind: "transcription", usage: { ...zero, inputTokens: 14, outputTokens: 9 } })
      assert.deepInclude(used[1], { usage: zero, units: { seconds: 90 } })
    }))

  it.scopedLive("asks again only when refused for now, and says what else is wrong without the key", () =>
    Effect.gen(function*() {
      const { server, speak, transcribe } = yield* make
      assert.strictEqual(text(yield* speak({ model: "tts-1", text: "busy" })), "busy")
      assert.lengthOf(server.requests, 2)
      const refused = yield* Effect.flip(speak({ model: "tts-1", text: "forbidden" }))
      assert.deepInclude(refused, { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.include(refused.message, "not with")
      assert.notInclude(JSON.stringify(refused), "sk-secret")
      assert.lengthOf(server.requests, 3)
      const broken: ReadonlyArray<Effect.Effect<unknown, SpeechError>> = [
        speak({ model: "tts-1", text: "page" }),
        speak({ model: "gpt-4o-mini-tts", text: "page" }),
        transcribe({ model: "whisper-1", sound, prompt: "page" })
      ]
      for (const one of broken) {
        assert.deepInclude(yield* Effect.flip(one), { reason: "Protocol" })
      }
      const half = yield* Effect.flip(speak({ model: "gpt-4o-mini-tts", text: "half" }))
      assert.deepInclude(half, { reason: "Unavailable" })
    }))

  it.scopedLive("refuses what the model does not know before it is asked", () =>
    Effect.gen(function*() {
      const { server, speak, transcribe } = yield* make
      const refused: ReadonlyArray<Effect.Effect<unknown, SpeechError>> = [
        speak({ model: "tts-1", text: "x", format: "midi" }),
        speak({ model: "tts-1-hd", text: "x", instructions: "Sing." }),
        speak({ model: "tts-1", text: " \n" }),
        transcribe({ model: "whisper-1", sound: { ...sound, bytes: new Uint8Array() } })
      ]
      for (const one of refused) {
        assert.deepInclude(yield* Effect.flip(one), {
          reason: "InvalidInput"
        })
      }
      assert.deepInclude(yield* Effect.flip(speak({ model: "smythos/flux.1-dev", text: "x" })), {
        reason: "Unsupported"
      })
      assert.lengthOf(server.requests, 0)
    }))

  it.scopedLive("a sound whose answer was lost is not paid for twice", () =>
    Effect.gen(function*() {
      const server = yield* SpeechServer.make
      const proxy = yield* FaultProxy.make(server.port)
      const settings = { baseURL: `http://127.0.0.1:${proxy.port}/v1`, apiKey: "sk", timeout: 500 }
      const context = yield* Layer.build(OpenAISpeech.layer(settings))
      const calls = Effect.map(Speech, (speech): ReadonlyArray<Effect.Effect<unknown, SpeechError>> => [
        speech.speak({ model: "tts-1", text: "x" }),
        speech.transcribe({ model: "whisper-1", sound })
      ])
      for (const call of yield* Effect.provide(calls, context)) {
        for (const fault of [{ cutAfterBytes: 0 }, { cutAfterBytes: 40 }, { stall: Infinity }]) {
          const before = server.requests.length
          yield* proxy.set(fault)
          assert.isTrue(Exit.isFailure(yield* Effect.exit(Candidate.as(call, user))))
          assert.lengthOf(server.requests, before + 1)
        }
        yield* proxy.set("pass")
        yield* Candidate.as(call, user)
      }
    }))
})

for (const modelId of ["tts-1", "gpt-4o-mini-tts"]) {
  faults.suite(`OpenAISpeech of ${modelId}`, {
    server: Effect.map(SpeechServer.make, ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      OpenAISpeech.contract({ baseURL: `http://127.0.0.1:${port}/v1`, timeout: timeoutMillis }),
    read: Effect.flatMap(
      SpeechConnector,
      (connector) => connector.speak({ modelId, text: "Hush!", baseURL: undefined, apiKey: Redacted.make("sk-secret") })
    )
  })
}
