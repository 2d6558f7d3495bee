/**
 * Models from JSON: an object of name to entry, a file, or a folder of files, over the built-in ones or in their place.
 * A file holds such an object, or one entry with its `modelId` on top, which is then its name.
 */
import { Effect, Either, ParseResult, Schema } from "effect"
import { readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import * as JsonText from "../../kernel/JsonText.ts"
import { didYouMean } from "../../kernel/Nearest.ts"
import { builtInModels } from "../../subsystems/llm/BuiltInModels.ts"
import * as Models from "../../subsystems/llm/Models.ts"
import { Prices } from "../../subsystems/llm/Prices.ts"

const Entries = Schema.Record({ key: Schema.String, value: Schema.Unknown })

export const settings = {
  /** The models themselves, or the path of a file or folder. */
  models: Schema.optional(Schema.Union(Schema.String, Entries)),
  /** `merge`: over the built-in models; `replace`: instead of them. */
  mode: Schema.optionalWith(Schema.Literal("merge", "replace"), { default: () => "merge" }),
  /** What models cost, by the provider's own name of them, in place of what their entries say: `{ "gpt-5": { "input": 1, "output": 8 } }`. */
  prices: Schema.optional(Schema.Record({ key: Schema.String, value: Prices }))
}
const Settings = Schema.Struct(settings)
type Settings = typeof Settings.Type

export const JSONModels = Connector.make({
  name: "JSONModels",
  aliases: ["JSONModelsProvider"],
  contract: Models.ModelsConnector,
  service: Models.layer,
  settings: Settings,
  make: (settings) => Effect.flatMap(operatorModels(settings), (shared) => Models.inMemory("JSONModels", shared))
})

/** `JSONModels` with the built-in models alone. */
export const JSONModelsLive = JSONModels.layer({})

/** The operator's models as these settings have them. */
export const operatorModels = Effect.fnUntraced(function*({ mode, models, prices = {} }: Settings) {
  const sources = models === undefined
    ? []
    : typeof models === "string"
    ? yield* read(models)
    : [{ place: "Settings.models", value: models }]
  const entries = sources.flatMap(decode)
  const problems = entries.flatMap((entry) => "problem" in entry ? [entry.problem] : [])
  if (problems.length > 0) return yield* failure(problems.join("; "))
  const all = new Map([
    ...(mode === "merge" ? builtInModels : []),
    ...entries.flatMap((entry) => "problem" in entry ? [] : [[entry.name, entry.entry] as const])
  ])
  const known = new Set(Array.from(all, ([name, { modelId = name }]) => modelId))
  const unknown = Object.keys(prices).find((modelId) => !known.has(modelId))
  if (unknown !== undefined) {
    const problem = `no model is called "${unknown}" by its provider.${didYouMean(unknown, known)}`
    return yield* failure(problem, { setting: "prices" })
  }
  return new Map(Array.from(all, ([name, entry]) => {
    const own = prices[entry.modelId ?? name]
    return [name, own === undefined ? entry : { ...entry, prices: own }]
  }))
})

interface Source {
  /** File, for messages. */
  readonly place: string
  readonly value: unknown
}

type Decoded = { readonly name: string; readonly entry: Models.ModelEntry } | { readonly problem: string }

const decodeEntry = ParseResult.decodeUnknownEither(Models.ModelEntry, { errors: "all" })

const decode = ({ place, value }: Source): ReadonlyArray<Decoded> => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [{ problem: `${place}: expected an object of model names` }]
  }
  const single = "modelId" in value && typeof value.modelId === "string" ? value.modelId : undefined
  const entries = single === undefined ? Object.entries(value) : [[single, value] as const]
  return entries.map(([name, entry]) => decodeOne(single === undefined ? `${place}: ${name}` : place, name, entry))
}

/** Older files write `llm` for `provider`. */
const decodeOne = (place: string, name: string, given: unknown): Decoded => {
  const entry = typeof given === "object" && given !== null && "llm" in given && !("provider" in given)
    ? { ...given, provider: given.llm }
    : given
  return Either.match(decodeEntry(entry), {
    onLeft: (issue) => ({
      problem: ParseResult.ArrayFormatter.formatIssueSync(issue)
        .map(({ message, path }) => `${[place, ...path].join(".")}: ${message}`)
        .join("; ")
    }),
    onRight: (entry) =>
      entry.provider === undefined && entry.alias === undefined && entry.models === undefined
        ? { problem: `${place}.provider: a model needs a provider, or the alias of a model that has one, or models` }
        : { name, entry }
  })
}

const read = Effect.fnUntraced(function*(path: string) {
  const files = yield* attempt(path, async () =>
    (await stat(path)).isDirectory()
      ? (await readdir(path, { recursive: true }))
        .filter((file) => file.endsWith(".json") && !/(^|[\\/])\./.test(file))
        .sort()
        .map((file) => join(path, file))
      : [path])
  return yield* Effect.forEach(
    files,
    (file) =>
      Effect.flatMap(
        attempt(file, (signal) => readFile(file, { encoding: "utf8", signal })),
        (text) =>
          Either.match(JsonText.parse(text), {
            onLeft: (problem) => Effect.fail(failure(`${file}: ${problem}`)),
            onRight: (value) => Effect.succeed<Source>({ place: file, value })
          })
      ),
    { concurrency: 8 }
  )
})

const attempt = <A>(path: string, evaluate: (signal: AbortSignal) => Promise<A>) =>
  Effect.tryPromise({
    try: evaluate,
    catch: (cause) => failure(`${path} cannot be read`, { cause })
  })

const failure = (problem: string, { cause, setting = "models" }: { setting?: string; cause?: unknown } = {}) =>
  new BootError({ service: "Models", connector: "JSONModels", path: `Models.Settings.${setting}`, problem, cause })
