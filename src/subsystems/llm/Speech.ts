/**
 * Speech: texts spoken by a model, and sound written down by one. Callers use {@link Speech}, providers implement
 * {@link SpeechConnector}; a model's name says which provider serves it, as with the models that write.
 */
import { Context, Effect, Layer, type Redacted } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Vault from "../../security/Vault.ts"
import * as ModelCalls from "./ModelCalls.ts"
import * as Models from "./Models.ts"
import type { Usage } from "./Prompt.ts"
import type * as ProviderKey from "./ProviderKey.ts"
import * as Tokenizer from "./Tokenizer.ts"
import { zero } from "./Usage.ts"

export type SpeechError = Models.ModelNotFound | ModelCalls.CallError

export interface Sound {
  readonly bytes: Uint8Array
  /** `audio/mpeg` */
  readonly mediaType: string
}

/** Each provider honours what it knows of these; what would change the sound and it does not know is `InvalidInput`. */
export interface Manner {
  /** As the provider names it: `alloy`. By default one of its own. */
  readonly voice?: string | undefined
  /** `mp3`, `opus`, `aac`, `flac`, `wav` or `pcm`. Default: `mp3`. */
  readonly format?: string | undefined
  /** 1 is the usual one. */
  readonly speed?: number | undefined
  /** How it is to be spoken: `Whisper, as if it were a secret.` */
  readonly instructions?: string | undefined
}

export interface SpeakRequest extends Manner {
  readonly model: string
  readonly text: string
}

export interface TranscribeRequest extends Hints {
  readonly model: string
  readonly sound: Sound
}

/** What helps to understand a sound. */
export interface Hints {
  /** In two letters, as ISO 639-1 has it. */
  readonly language?: string | undefined
  /** Words that may come up, or what was said before. */
  readonly prompt?: string | undefined
}

/** The registry's decisions, and the key resolved for this candidate and this call only. */
interface Endpoint {
  readonly modelId: string
  readonly baseURL: string | undefined
  readonly apiKey: Redacted.Redacted | undefined
  readonly policy?: ModelCalls.Endpoint["policy"]
}

/** One provider. Holds no key and no client shared between keys of different tenants. */
export interface SpeechProvider extends ProviderKey.Keyed {
  readonly speak: (request: Omit<SpeakRequest, "model"> & Endpoint) => Effect.Effect<
    { readonly sound: Sound; readonly usage?: Usage | undefined },
    ConnectorError
  >
  readonly transcribe: (request: Omit<TranscribeRequest, "model"> & Endpoint) => Effect.Effect<
    {
      readonly text: string
      readonly usage?: Usage | undefined
      /** How long the sound was, where that is what the provider bills. */
      readonly seconds?: number | undefined
    },
    ConnectorError
  >
}

/** The contract: one provider of speech. */
export class SpeechConnector extends Context.Tag("effect-sre/SpeechConnector")<SpeechConnector, SpeechProvider>() {}

/** The installed providers by name in lower case. */
export class Providers
  extends Context.Tag("effect-sre/SpeechProviders")<Providers, ReadonlyMap<string, SpeechProvider>>()
{}

export class Speech extends Context.Tag("effect-sre/Speech")<Speech, {
  readonly speak: (request: SpeakRequest) => Effect.Effect<Sound, SpeechError>
  /** What is said in the sound. Nothing is said in silence. */
  readonly transcribe: (request: TranscribeRequest) => Effect.Effect<string, SpeechError>
}>() {}

const make = (options: { readonly standalone: boolean }) =>
  Effect.gen(function*() {
    const models = yield* Models.Models
    const guard = yield* Access.guard("Speech")
    const ask = yield* ModelCalls.make("Speech", yield* Providers, options)

    return Speech.of({
      speak: Effect.fnUntraced(function*({ model: name, ...request }) {
        const candidate = yield* guard.candidate("speak")
        if (request.text.trim() === "") return yield* invalid("speak", "the text is empty")
        const model = yield* models.get(name)
        const words = `${request.text}${request.instructions ?? ""}`
        const characters = request.text.length
        const isByCharacter = model.prices?.characters !== undefined
        const [{ sound }] = yield* ask({
          method: "speak",
          kind: "speech",
          candidate,
          model,
          most: (atMost, { outputTokens = characters * perCharacter }) => ({
            inputTokens: atMost(words),
            outputTokens: isByCharacter ? 0 : outputTokens,
            units: { characters }
          }),
          again: ModelCalls.whenRefused,
          run: ({ attempt, endpoint, provider }) =>
            attempt(Tokenizer.estimateTokens(words), provider.speak({ ...request, ...endpoint })),
          took: ({ usage }) => ({ usage: usage ?? (isByCharacter ? zero : undefined), units: { characters } })
        })
        return sound
      }, traced("Speech.speak")),
      transcribe: Effect.fnUntraced(function*({ model: name, ...request }) {
        const candidate = yield* guard.candidate("transcribe")
        const bytes = request.sound.bytes.length
        if (bytes === 0) return yield* invalid("transcribe", "the sound is empty")
        const model = yield* models.get(name)
        const isByMinute = model.prices?.minute !== undefined
        const longest = Math.ceil(bytes / slowest)
        const [{ text }] = yield* ask({
          method: "transcribe",
          kind: "transcription",
          candidate,
          model,
          most: (atMost, { contextTokens = Infinity, outputTokens = ModelCalls.unbounded }) => ({
            inputTokens: isByMinute ? 0 : Math.min(contextTokens, longest * perSecond + atMost(request.prompt ?? "")),
            outputTokens: isByMinute ? 0 : outputTokens,
            units: { seconds: longest }
          }),
          again: ModelCalls.whenRefused,
          run: ({ attempt, endpoint, provider }) =>
            attempt(Tokenizer.estimateTokens(request.prompt ?? ""), provider.transcribe({ ...request, ...endpoint })),
          took: ({ seconds, usage }) => ({
            usage: usage ?? (seconds === undefined ? undefined : zero),
            units: { seconds }
          })
        })
        return text
      }, traced("Speech.transcribe"))
    })
  })

/** Over all installed providers, the registry and the vault. */
export const layer: Layer.Layer<Speech, never, Providers | Models.Models | Vault.Vault> = Layer.effect(
  Speech,
  make({ standalone: false })
)

/** The installed providers; the later of two of one name wins. */
export const providers = <E>(connectors: ReadonlyArray<Layer.Layer<SpeechConnector, E>>): Layer.Layer<Providers, E> =>
  Layer.scoped(
    Providers,
    Effect.map(
      Effect.forEach(connectors, (connector) => Effect.map(Layer.build(connector), Context.get(SpeechConnector))),
      ModelCalls.byName
    )
  )

/** One provider, the built-in models, no vault: the key is that of the settings or of the environment. */
export const standalone: Layer.Layer<Speech, never, SpeechConnector> = Layer.provide(
  Layer.effect(Speech, make({ standalone: true })),
  ModelCalls.alone(SpeechConnector, Providers)
)

/** Tokens of sound that a character makes at most: there are some 20 of them a second, in which five are spoken slowly. */
const perCharacter = 4
/** Tokens of sound in a second, at most. */
const perSecond = 50
/** Bytes of a second of sound, at least: codecs for speech need 6 kilobits. */
const slowest = 750

const invalid = (method: string, detail: string) =>
  Effect.fail(new ConnectorError({ connector: "Speech", method, reason: "InvalidInput", detail }))
