/**
 * Speech of OpenAI, and of servers that speak its API: https://platform.openai.com/docs/api-reference/audio. The GPT models
 * are asked for their sound as events, which tell what it took.
 */
import { Config, Duration, Effect, ParseResult, Schema } from "effect"
import type { OpenAI } from "openai"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Speech from "../../subsystems/llm/Speech.ts"
import * as Usage from "../../subsystems/llm/Usage.ts"
import * as ModelSettings from "../ModelSettings.ts"
import * as OpenAIClient from "../OpenAIClient.ts"

const OpenAISpeechSettings = Schema.Struct({ ...ModelSettings.settings })

export const OpenAISpeech = Connector.make({
  name: "OpenAI",
  contract: Speech.SpeechConnector,
  service: Speech.standalone,
  settings: OpenAISpeechSettings,
  make: Effect.fnUntraced(function*(settings) {
    const loaded = yield* OpenAIClient.make("OpenAI", settings)

    return Speech.SpeechConnector.of({
      provider: "OpenAI",
      credentials: { environment: "OPENAI_API_KEY", apiKey: settings.apiKey, required: settings.baseURL === undefined },
      speak: Effect.fnUntraced(function*(request) {
        const { format = "mp3", instructions, modelId, speed, text, voice = "alloy" } = request
        if (!isFormat(format)) {
          return yield* failure("speak", "InvalidInput", `format: one of ${Object.keys(mediaTypes).join(", ")}`)
        }
        const isGpt = modelId.startsWith("gpt-")
        if (instructions !== undefined && modelId.startsWith("tts-")) {
          return yield* failure("speak", "InvalidInput", `instructions: "${modelId}" follows none; a GPT model does`)
        }
        const { client, vendor } = yield* loaded
        const [type, bytes] = yield* vendor.attempt("speak", async () => {
          const response = await client(request).audio.speech.create({
            model: modelId,
            input: text,
            voice,
            response_format: format,
            ...(speed === undefined ? {} : { speed }),
            ...(instructions === undefined ? {} : { instructions }),
            ...(isGpt ? { stream_format: "sse" as const } : {})
          })
          return [response.headers.get("content-type") ?? "", new Uint8Array(await response.arrayBuffer())] as const
        })
        // A page or an error with status 200 is no sound, and a server may know of no events.
        const answer = /^text\/event-stream/.test(type)
          ? yield* soundIn(new TextDecoder().decode(bytes))
          : /^(text|application\/json)/.test(type)
          ? yield* unreadable("speak")
          : { bytes, usage: undefined }
        return answer.bytes.length === 0
          ? yield* unreadable("speak")
          : { sound: { bytes: answer.bytes, mediaType: mediaTypes[format] }, usage: answer.usage }
      }),
      transcribe: Effect.fnUntraced(function*(request) {
        const { language, modelId, prompt, sound } = request
        const { client, sdk, vendor } = yield* loaded
        const answer = yield* vendor.attempt(
          "transcribe",
          async (): Promise<unknown> =>
            client(request).audio.transcriptions.create({
              model: modelId,
              file: await sdk.toFile(sound.bytes, `sound.${extensionOf(sound.mediaType)}`, { type: sound.mediaType }),
              response_format: "json",
              ...(language === undefined ? {} : { language }),
              ...(prompt === undefined ? {} : { prompt })
            })
        )
        const { text, usage } = yield* Effect.orElse(decodeTranscription(answer), () => unreadable("transcribe"))
        return usage === undefined
          ? { text }
          : usage.type === "duration"
          ? { text, seconds: usage.seconds }
          : { text, usage: usageOf(usage) }
      })
    })
  })
})

/** `Speech` with the key `OPENAI_API_KEY` at `OPENAI_BASE_URL`, each where it is set. */
export const OpenAISpeechLive = OpenAISpeech.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("OPENAI_API_KEY")), undefined),
  baseURL: Config.withDefault(Config.nonEmptyString("OPENAI_BASE_URL"), undefined),
  timeout: Config.succeed(Duration.minutes(3))
})

type Format = NonNullable<OpenAI.Audio.SpeechCreateParams["response_format"]>

const mediaTypes: Readonly<Record<Format, string>> = {
  mp3: "audio/mpeg",
  opus: "audio/ogg",
  aac: "audio/aac",
  flac: "audio/flac",
  wav: "audio/wav",
  pcm: "audio/pcm"
}

const isFormat = (format: string): format is Format => Object.hasOwn(mediaTypes, format)

/** The provider goes by the name of the file. */
const extensionOf = (mediaType: string): string => {
  const type = mediaType.split(";")[0]?.trim().toLowerCase() ?? ""
  return extensions[type] ?? type.split("/")[1]?.replace(/^x-/, "") ?? ""
}

const extensions: Readonly<Record<string, string>> = {
  "audio/mpeg": "mp3",
  "audio/mp4": "m4a",
  "audio/wave": "wav",
  "audio/vnd.wave": "wav",
  "audio/opus": "ogg",
  "video/mpeg": "mpeg"
}

const Counted = { input_tokens: Schema.Int, output_tokens: Schema.Int }

const Transcription = Schema.Struct({
  text: Schema.String,
  usage: Schema.optional(
    Schema.Union(
      Schema.Struct({ type: Schema.Literal("duration"), seconds: Schema.Number }),
      Schema.Struct({ type: Schema.Literal("tokens"), ...Counted })
    )
  )
})
const decodeTranscription = ParseResult.decodeUnknown(Transcription)

/** `done` ends what is told; without it the sound is not whole. */
const SpeechEvent = Schema.parseJson(Schema.Union(
  Schema.Struct({ type: Schema.Literal("speech.audio.delta"), audio: Schema.Uint8ArrayFromBase64 }),
  Schema.Struct({ type: Schema.Literal("speech.audio.done"), usage: Schema.optional(Schema.Struct(Counted)) })
))
const decodeEvent = ParseResult.decodeUnknown(SpeechEvent)

const soundIn = Effect.fnUntraced(function*(text: string) {
  const lines = text.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim())
  const events = yield* Effect.forEach(lines.filter((line) => line !== "[DONE]"), (line) => decodeEvent(line)).pipe(
    Effect.orElse(() => unreadable("speak"))
  )
  const done = events.find((event) => event.type === "speech.audio.done")
  if (done === undefined) return yield* failure("speak", "Unavailable", "the answer broke off")
  const pieces = events.flatMap((event) => event.type === "speech.audio.delta" ? [event.audio] : [])
  return {
    bytes: new Uint8Array(Buffer.concat(pieces)),
    usage: done.usage === undefined ? undefined : usageOf(done.usage)
  }
})

const usageOf = (counted: { readonly input_tokens: number; readonly output_tokens: number }): Usage.Tokens => ({
  ...Usage.zero,
  inputTokens: counted.input_tokens,
  outputTokens: counted.output_tokens
})

const unreadable = (method: string) =>
  failure(method, "Protocol", "the answer has another form; does the base URL name the API itself?")

const failure = (method: string, reason: ConnectorError["reason"], detail: string) =>
  Effect.fail(new ConnectorError({ connector: "OpenAI", method, reason, detail }))
