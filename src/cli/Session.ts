/** A booted system for one command: what the configuration says, and for the rest what suits one person at a shell. */
import { Config, Effect, Layer, LogLevel, Option } from "effect"
import { currentMinimumLogLevel, get } from "effect/FiberRef"
import type { AgentDefinition } from "../agents/AgentDefinition.ts"
import { defaultModelOf } from "../agents/AgentTools.ts"
import { layerFromConfig, read } from "../boot/Configuration.ts"
import type { Sre } from "../boot/Sre.ts"
import type { BootError } from "../kernel/BootError.ts"
import * as Candidate from "../security/Candidate.ts"
import * as LLM from "../subsystems/llm/LLM.ts"

/** Services the configuration leaves out get the embedded defaults, with {@link atTheShell} for those it is about. */
export const layer = (file: Option.Option<string>): Layer.Layer<Sre, BootError> =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const config = yield* read(Option.getOrUndefined(file))
    return layerFromConfig(isRecord(config) ? { ...(yield* atTheShell), ...config } : config)
  }))

/**
 * - `--log-level` is also that of the log.
 * - `OPENAI_BASE_URL` is where OpenAI's models are asked for.
 */
const atTheShell = Effect.gen(function*() {
  const level = yield* get(currentMinimumLogLevel)
  const baseURL = yield* Effect.orElseSucceed(
    Config.option(Config.nonEmptyString("OPENAI_BASE_URL")),
    Option.none<string>
  )
  return {
    Log: { Connector: "ConsoleLog", Settings: { level: nameOf(level) } },
    ...Option.match(baseURL, {
      onNone: () => ({}),
      onSome: (baseURL) => ({ LLM: { Connector: "OpenAI", Settings: { baseURL } } })
    })
  }
})

const nameOf = (level: LogLevel.LogLevel) =>
  LogLevel.lessThanEqual(level, LogLevel.Debug)
    ? "debug"
    : level._tag === "Info"
    ? "info"
    : level._tag === "Warning"
    ? "warning"
    : "error"

/** The built-in model that needs no key: it says what it was told. */
export const echo = "Echo"

/**
 * Why conversations of the agent cannot use the model its document names: nobody has a key for its provider. Any other
 * problem is left for the conversation to report.
 */
export const missingKey = ({ document, id }: AgentDefinition): Effect.Effect<Option.Option<string>, never, LLM.LLM> => {
  const model = defaultModelOf(document)
  return model === undefined ? Effect.succeedNone : Effect.flatMap(LLM.LLM, (llm) => llm.check(model)).pipe(
    Candidate.as(Candidate.agent(id)),
    Effect.as(Option.none<string>()),
    Effect.catchAll((error) =>
      Effect.succeed(
        error._tag === "MissingCredentials"
          ? Option.some(
            `${id}: no ${error.variable ?? `key for ${error.provider}`}, conversations use the built-in Echo model`
          )
          : Option.none()
      )
    )
  )
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
