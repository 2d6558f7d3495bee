/** Models in files of the operator's own, run in this process by llama.cpp: https://node-llama-cpp.withcat.ai/guide */
import { Config, Effect, Schema, type Scope } from "effect"
import type { Llama, LlamaModel } from "node-llama-cpp"
import { basename } from "node:path"
import { setImmediate as nextTurn } from "node:timers/promises"
import type { BootError } from "../kernel/BootError.ts"
import * as Connector from "../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../kernel/ConnectorError.ts"
import { didYouMean } from "../kernel/Nearest.ts"

export const name = "LlamaCpp"

/** What every connector of such models is told. */
export const settings = {
  /** Files in GGUF by the names that requests call them: `modelId` of the models registry. Loaded on first use, and kept. */
  models: Schema.optionalWith(Schema.Record({ key: Schema.NonEmptyString, value: Schema.NonEmptyString }), {
    default: () => ({})
  }),
  /** What computes: the best this machine has, one way of using its graphics card, or (`false`) the processor alone. */
  gpu: Schema.optionalWith(Schema.Literal("auto", "cuda", "metal", "vulkan", false), {
    default: () => "auto" as const
  }),
  /** Threads of the processor. Default: its cores that are made for computing. */
  threads: Schema.optional(Schema.Int.pipe(Schema.between(1, 1024))),
  /** What is read and written in one call. Default: as many as the model was made for and memory holds, at most 8192. */
  contextTokens: Schema.optional(Schema.Int.pipe(Schema.between(256, 1_048_576)))
} as const

type Settings = Schema.Struct.Type<typeof settings>

/** The files that `LLAMACPP_MODELS` lists, each called as it is, without `.gguf`. */
export const fromEnvironment = {
  models: Config.map(
    Config.array(Config.nonEmptyString(), "LLAMACPP_MODELS"),
    (files): Settings["models"] => Object.fromEntries(files.map((file) => [basename(file, ".gguf"), file]))
  ),
  gpu: Config.succeed<Settings["gpu"]>("auto"),
  threads: Config.withDefault(Config.integer("LLAMACPP_THREADS"), undefined),
  contextTokens: Config.withDefault(Config.integer("LLAMACPP_CONTEXT_TOKENS"), undefined)
}

/** A model in memory. */
export interface Loaded {
  readonly sdk: typeof import("node-llama-cpp")
  readonly llama: Llama
  readonly model: LlamaModel
  readonly contextSize: number | { readonly max: number }
  readonly threads: number
}

/** What `open` makes of the model of that name, once, for the time of the connector. */
export const make = <A>(
  { contextTokens, gpu, models, threads }: Settings,
  method: string,
  open: (loaded: Loaded) => Effect.Effect<A, ConnectorError, Scope.Scope>
): Effect.Effect<(modelId: string) => Effect.Effect<A, ConnectorError>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const engine = yield* Connector.onFirstUse(name, start(method, gpu))
    const opened = new Map<string, Effect.Effect<A, ConnectorError>>()
    for (const [modelId, path] of Object.entries(models)) {
      const one = Effect.flatMap(engine, ({ llama, problem, sdk }) =>
        Effect.flatMap(load(method, modelId, path, llama, problem), (model) =>
          open({
            sdk,
            llama,
            model,
            contextSize: contextTokens ?? { max: Math.min(8192, model.trainContextSize) },
            threads: threads ?? llama.cpuMathCores
          })))
      // Who does not wait any longer leaves the loading to those who come.
      opened.set(modelId, Effect.disconnect(yield* Connector.onFirstUse(name, one)))
    }
    return (modelId) =>
      opened.get(modelId) ?? failure(
        method,
        "NotFound",
        `no file is configured for the model "${modelId}".${didYouMean(modelId, opened.keys())} Configured: ${
          Array.from(opened.keys()).join(", ") || "none"
        }`
      )
  })

/** What the package does, with its failures in our terms. */
export const attempt = <A>(method: string, evaluate: () => A | Promise<A>): Effect.Effect<A, ConnectorError> =>
  Effect.tryPromise({ try: async () => evaluate(), catch: (cause) => toError(method, cause) })

export const failure = (method: string, reason: Reason, detail: string) =>
  Effect.fail(new ConnectorError({ connector: name, method, reason, detail }))

/** The package tells its failures apart by their messages alone. */
export const toError = (method: string, cause: unknown): ConnectorError => {
  const detail = (cause instanceof Error ? cause.message : String(cause)).slice(0, 300)
  const reason = reasons.find(([pattern]) => pattern.test(detail))?.[1] ?? "Protocol"
  return new ConnectorError({ connector: name, method, reason, detail })
}

/** The second is also said where a conversation can be shortened no further. */
const reasons: ReadonlyArray<readonly [RegExp, Reason]> = [
  [/memory|available V?RAM/i, "Full"],
  [/context size|context shift|chat history/i, "InvalidInput"]
]

/** Frees memory as resources are freed: whatever comes of it. */
export const disposed = (dispose: () => Promise<void>): Effect.Effect<void> => Effect.ignore(Effect.tryPromise(dispose))

/* ------------------------------------------------------------------------------------------------------------------
 * Loading
 * ---------------------------------------------------------------------------------------------------------------- */

interface Engine {
  readonly sdk: typeof import("node-llama-cpp")
  readonly llama: Llama
  /** What was last wrong with a file, in its own words. */
  readonly problem: () => string
}

/** One for the process: who closes one instance of the package takes the engine and its log from all others. */
const engines = new Map<Settings["gpu"], Promise<Engine>>()

const start = (method: string, gpu: Settings["gpu"]): Effect.Effect<Engine, BootError | ConnectorError> =>
  Effect.flatMap(
    Connector.vendor(name, "node-llama-cpp", () => import("node-llama-cpp")),
    (sdk) =>
      Effect.tryPromise({
        try: () => {
          const engine = engines.get(gpu) ?? ignite(sdk, gpu)
          engines.set(gpu, engine)
          return engine
        },
        catch: (cause) => {
          engines.delete(gpu)
          const said = cause instanceof Error ? cause.message : String(cause)
          const detail = `llama.cpp does not run here (${process.platform}-${process.arch}, gpu: ${gpu}): ${said}`
          return new ConnectorError({ connector: name, method, reason: "Unsupported", detail: detail.slice(0, 500) })
        }
      })
  )

/** Nothing is downloaded and nothing compiled: the package brings what it needs. */
const ignite = async (sdk: Engine["sdk"], gpu: Settings["gpu"]): Promise<Engine> => {
  let said = ""
  const llama = await sdk.getLlama({
    gpu,
    build: "never",
    skipDownload: true,
    progressLogs: false,
    logLevel: sdk.LlamaLogLevel.error,
    logger: (_, message) => {
      said = /error loading model: (.*)/.exec(message)?.[1] ?? said
    }
  })
  return { sdk, llama, problem: () => said }
}

const load = (method: string, modelId: string, modelPath: string, llama: Llama, problem: () => string) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () =>
        llama.loadModel({ modelPath }).catch(async (cause: unknown) => {
          // What was wrong is logged after it failed.
          await nextTurn()
          throw cause
        }),
      catch: (cause) => {
        const found = toError(method, cause)
        const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined
        const [reason, detail]: readonly [Reason, string] = code !== undefined
          ? [code === "ENOENT" ? "NotFound" : "Unavailable", `its file cannot be read: ${code}`]
          : /GGUF magic/.test(found.detail ?? "")
          ? ["Corrupted", "its file is not in the format GGUF"]
          : found.reason === "Protocol"
          ? ["Corrupted", `its file cannot be loaded: ${problem() || found.detail}`]
          : [found.reason, found.detail ?? ""]
        return new ConnectorError({ connector: name, method, reason, detail: `model "${modelId}": ${detail}` })
      }
    }),
    (model) => disposed(() => model.dispose())
  )
