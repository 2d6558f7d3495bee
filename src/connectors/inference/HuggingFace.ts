/** Inference at Hugging Face: https://huggingface.co/docs/inference-providers */
import type { InferenceClient } from "@huggingface/inference"
import { Duration, Effect, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Inference from "../../subsystems/llm/Inference.ts"
import * as VendorFetch from "../VendorFetch.ts"

const HuggingFaceSettings = Schema.Struct({
  /** An endpoint of one's own, in place of the public ones. */
  endpointUrl: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** Of one call, in milliseconds. Default: 2 minutes. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(2) })
})

export const HuggingFace = Connector.make({
  name: "HuggingFace",
  contract: Inference.InferenceConnector,
  service: Inference.layer,
  settings: HuggingFaceSettings,
  make: Effect.fnUntraced(function*({ endpointUrl, timeout }) {
    const loaded = yield* Connector.onFirstUse("HuggingFace", VendorFetch.make("HuggingFace", timeout))

    return Inference.InferenceConnector.of({
      run: Effect.fnUntraced(function*({ apiKey, args, model, task }) {
        const { InferenceClient } = yield* sdk
        const vendor = yield* loaded
        const options = { retry_on_error: false, fetch: vendor.fetch as typeof globalThis.fetch }
        const client = new InferenceClient(
          Redacted.value(apiKey),
          endpointUrl === undefined ? options : { ...options, endpointUrl }
        )
        // Chats are led to whoever serves the model.
        const place = endpointUrl === undefined && task !== "conversational" ? { provider: "hf-inference" } : {}
        const given = { model, ...place, ...withBlobs(args) as object }
        return yield* withBinaries(yield* vendor.attempt("run", () => methodOf(client, task)(given)))
      })
    })
  })
})

/** `Inference` at the public endpoints. */
export const HuggingFaceLive = HuggingFace.layer({})

/** Loaded when the first agent asks: nobody else needs the package. */
const sdk = Effect.mapError(
  Connector.vendor("HuggingFace", "@huggingface/inference", () => import("@huggingface/inference")),
  ({ cause, problem }) =>
    new ConnectorError({ connector: "HuggingFace", method: "run", reason: "Unsupported", detail: problem, cause })
)

/** The client has a method for each task, named like it in camel case, but for one. */
const methodOf = (client: InferenceClient, task: Inference.Task) => {
  const name = task === "conversational"
    ? "chatCompletion"
    : task.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  return (client as unknown as Readonly<Record<string, (args: object) => Promise<unknown>>>)[name]!
}

const withBlobs = (value: unknown): unknown =>
  value instanceof Inference.Binary
    ? new Blob([new Uint8Array(value.bytes)], { type: value.mediaType })
    : Array.isArray(value)
    ? value.map(withBlobs)
    : isRecord(value)
    ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withBlobs(one)]))
    : value

const withBinaries = (value: unknown): Effect.Effect<unknown> => {
  if (value instanceof Blob) {
    return Effect.map(
      Effect.promise(() => value.arrayBuffer()),
      (buffer) => new Inference.Binary({ bytes: new Uint8Array(buffer), mediaType: value.type })
    )
  }
  if (isSound(value)) {
    const bytes = new Uint8Array(Buffer.from(value.blob, "base64"))
    return Effect.succeed({ ...value, blob: new Inference.Binary({ bytes, mediaType: value["content-type"] }) })
  }
  if (Array.isArray(value)) return Effect.forEach(value, withBinaries)
  return isRecord(value)
    ? Effect.map(
      Effect.forEach(
        Object.entries(value),
        ([name, one]) => Effect.map(withBinaries(one), (one) => [name, one] as const)
      ),
      Object.fromEntries
    )
    : Effect.succeed(value)
}

/** One of several, which come in base64. */
const isSound = Schema.is(Schema.Struct({ blob: Schema.String, "content-type": Schema.String }))

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !(value instanceof Blob)
