/**
 * A system described by data: `{ "Storage": { "Connector": "S3", "Settings": { "bucket": "b" } } }`. A service may have a
 * list of entries: one answers its tag, the others stand under their `Id`.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Array as Arr, Config, Context, Effect, Layer, Option, ParseResult, Schema } from "effect"
import { pathText } from "../agents/AgentDocument.ts"
import { embeddingsConnectors } from "../connectors/embeddings/providers.ts"
import { imagesConnectors } from "../connectors/images/providers.ts"
import { llmConnectors } from "../connectors/llm/providers.ts"
import { dependents, foundations, subsystems } from "../connectors/registry.ts"
import { speechConnectors } from "../connectors/speech/providers.ts"
import { BootError, refused } from "../kernel/BootError.ts"
import * as Connector from "../kernel/Connector.ts"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import { settingIssuesOf } from "../kernel/Issues.ts"
import { preview } from "../kernel/Json.ts"
import * as JsonText from "../kernel/JsonText.ts"
import { didYouMean } from "../kernel/Nearest.ts"
import * as Embeddings from "../subsystems/llm/Embeddings.ts"
import * as Images from "../subsystems/llm/Images.ts"
import * as LLM from "../subsystems/llm/LLM.ts"
import * as Speech from "../subsystems/llm/Speech.ts"
import * as AgentsConfiguration from "./AgentsConfiguration.ts"
import { type Boot, timed } from "./Boot.ts"
import * as GovernedConfiguration from "./GovernedConfiguration.ts"
import { compose, type Layers, type Names, opened, type Options, type Sre } from "./Sre.ts"

const Entry = Schema.Struct({
  /** Name of a connector, or one of its aliases. */
  Connector: Schema.String,
  /** Name for `Storage.named(id)`; the connector's name when absent. */
  Id: Schema.optional(Schema.String),
  /** Which of several entries answers the tag; the first when none says so. */
  Default: Schema.optional(Schema.Boolean),
  Settings: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
}).annotations({ identifier: `an entry like { "Connector": "…" }` })
interface Entry extends Schema.Schema.Type<typeof Entry> {
  /** Where it stands: `Storage`, or `Storage[1]`. */
  readonly path: string
}

/** As the documents write it; decoded and checked at boot. */
export type SreConfig = Readonly<Record<string, EntryInput | ReadonlyArray<EntryInput>>>
interface EntryInput {
  readonly Connector: string
  readonly Id?: string
  readonly Default?: boolean
  readonly Settings?: Readonly<Record<string, unknown>>
}

/** The whole system from a configuration; whatever is wrong with it fails boot at once. */
export const layerFromConfig = (config: unknown, options: Options = {}): Layer.Layer<Sre, BootError> =>
  Layer.unwrapEffect(
    Effect.gen(function*() {
      const agents = yield* AgentsConfiguration.split(config)
      const { rest, settings } = yield* GovernedConfiguration.split(agents.rest)
      const governed = { ...settings, ...options.governed }
      const { chosen, named, names } = yield* plan(rest)
      const whole = compose(
        chosen,
        { ...options, agents: { ...agents.settings, ...options.agents }, governed },
        named,
        names
      )
      return Layer.catchAll(whole, (error) => Layer.fail(toBootError(error)))
    })
  ) as unknown as Layer.Layer<
    Sre,
    BootError
  >

/** The configuration file: the given one, `SRE_CONFIG`, or `sre.config.json`, `.yaml`, `.yml` in the working folder; `{}` without any. */
export const read = (file?: string): Effect.Effect<unknown, BootError> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const named = file ?? Option.getOrUndefined(yield* orBootError(Config.option(Config.nonEmptyString("SRE_CONFIG"))))
    const candidates = named === undefined ? ["sre.config.json", "sre.config.yaml", "sre.config.yml"] : [named]
    for (const candidate of candidates) {
      const absolute = path.resolve(candidate)
      if (named === undefined && !(yield* Effect.orElseSucceed(files.exists(absolute), () => false))) continue
      const source = yield* Effect.mapError(
        files.readFileString(absolute),
        (cause) =>
          new BootError({ service: "configuration", path: absolute, problem: "the file cannot be read", cause })
      )
      const parsed = yield* absolute.endsWith(".json") ? parseJson(absolute, source) : parseYaml(absolute, source)
      return yield* withEnvironment(parsed)
    }
    return {}
  }).pipe(Effect.provide([NodeFileSystem.layer, NodePath.layer]))

/** `$env(NAME)` in any text of a configuration is the variable's value; one that is not set fails boot. */
const withEnvironment = (
  value: unknown,
  path: ReadonlyArray<number | string> = []
): Effect.Effect<unknown, BootError> => {
  if (typeof value === "string") {
    const name = /^\$env\(([^)]+)\)$/.exec(value)?.[1]
    return name === undefined ? Effect.succeed(value) : Effect.mapError(
      Config.nonEmptyString(name),
      (cause) =>
        new BootError({
          service: String(path[0] ?? "configuration"),
          path: pathText(path),
          problem: `the environment variable ${name} is not set, or empty`,
          cause
        })
    )
  }
  if (Array.isArray(value)) return Effect.forEach(value, (one, position) => withEnvironment(one, [...path, position]))
  return typeof value === "object" && value !== null
    ? Effect.map(
      Effect.forEach(
        Object.entries(value),
        ([key, one]) => Effect.map(withEnvironment(one, [...path, key]), (done) => [key, done] as const)
      ),
      Object.fromEntries
    )
    : Effect.succeed(value)
}

const known = { ...foundations, ...subsystems, ...dependents }
type Key = keyof typeof known

/** By the name of the service in a configuration. */
const connectorsOf: ReadonlyMap<string, ReadonlyArray<Connector.Any>> = new Map<string, ReadonlyArray<Connector.Any>>([
  ...Object.values(known).map(({ connectors, name }) => [name, connectors] as const),
  ["LLM", llmConnectors],
  ["Embeddings", embeddingsConnectors],
  ["Images", imagesConnectors],
  ["Speech", speechConnectors]
])

const decodeEntry = ParseResult.decodeUnknown(Entry, { errors: "all", onExcessProperty: "error" })

const entriesOf = (service: string, given: unknown): Effect.Effect<ReadonlyArray<Entry>, BootError> =>
  Effect.forEach(Arr.ensure(given), (one, position) => {
    const path = Array.isArray(given) ? `${service}[${position}]` : service
    return Effect.mapBoth(decodeEntry(one), {
      onSuccess: (entry) => ({ ...entry, path }),
      onFailure: (issue) => {
        const [first, ...others] = settingIssuesOf(issue)
        const accepted = connectorsOf.get(service)!.map(({ name }) => name)
        return refused({ service, path }, first.path[0] === "Connector" ? [{ ...first, accepted }] : [first, ...others])
      }
    })
  })

const plan = (config: unknown) =>
  Effect.gen(function*() {
    if (!isRecord(config)) return yield* malformed(config)
    const unknown = Object.keys(config).find((service) => !connectorsOf.has(service))
    if (unknown !== undefined) return yield* unknownService(unknown)
    const chosen: { -readonly [K in keyof Layers]: Layers[K] } = {}
    const named: Array<Layer.Layer<never, unknown, Boot>> = []
    const names: { -readonly [K in keyof Names]: string } = {}
    for (const [service, given] of Object.entries(config)) {
      const list = yield* entriesOf(service, given)
      if (service === "LLM") {
        chosen.llm = opened(Layer.provide(LLM.layer, yield* providers(list)))
        continue
      }
      if (service === "Images") {
        chosen.images = opened(Layer.provide(Images.layer, yield* imageProviders(list)))
        continue
      }
      if (service === "Speech") {
        chosen.speech = opened(Layer.provide(Speech.layer, yield* speakers(list)))
        continue
      }
      if (service === "Embeddings") {
        yield* oneDefault(service, list)
        chosen.embeddings = opened(Layer.provide(Embeddings.layer, yield* embedders(list)))
        continue
      }
      const key = Object.keys(known).find((one) => known[one as Key].name === service) as Key
      yield* oneDefault(service, list)
      for (const [position, entry] of list.entries()) {
        const connector = yield* find(service, entry, known[key].connectors)
        const layer = Layer.provide(
          Layer.fresh(opened(known[key].layer)),
          connector.fromUnknown(entry.Settings, `${entry.path}.Settings`)
        ).pipe(Layer.mapError((error) => toBootError(error, entry.path)))
        const answers = entry.Default ?? (position === 0 && list.every((one) => one.Default === undefined))
        if (answers) {
          chosen[key] = layer
          names[key] = connector.name
        }
        const id = entry.Id ?? (answers ? undefined : connector.name)
        if (id !== undefined) {
          named.push(timed(`${service}#${id}`, connector.name, instance(known[key].tag.key, id, layer)))
        }
      }
    }
    return { chosen, named: Layer.mergeAll(Layer.empty, ...named), names }
  })

/** The service under the tag of a named instance. */
const instance = (key: string, id: string, layer: Layer.Layer<never, unknown>) =>
  opened(Layer.map(layer, (context) => {
    const tag = Context.GenericTag<unknown, unknown>(key)
    return Context.make(Connector.instanceTag(tag, id), Context.unsafeGet(context, tag))
  }))

/** Configured providers stand beside the usual ones, and in place of the usual one of the same name. */
const providers = (list: ReadonlyArray<Entry>) =>
  Effect.map(
    contracts("LLM", list, llmConnectors),
    (configured) => LLM.providers([...llmConnectors.map((connector) => connector.contract({})), ...configured])
  )

const imageProviders = (list: ReadonlyArray<Entry>) =>
  Effect.map(
    contracts("Images", list, imagesConnectors),
    (configured) => Images.providers([...imagesConnectors.map((connector) => connector.contract({})), ...configured])
  )

const speakers = (list: ReadonlyArray<Entry>) =>
  Effect.map(
    contracts("Speech", list, speechConnectors),
    (configured) => Speech.providers([...speechConnectors.map((connector) => connector.contract({})), ...configured])
  )

/** The same, where the default is the first of them. */
const embedders = (list: ReadonlyArray<Entry>) =>
  Effect.map(contracts("Embeddings", list, embeddingsConnectors), (configured) => {
    const [others, defaults] = Arr.partition(configured, (_, position) => list[position]?.Default === true)
    const usual = embeddingsConnectors.map((connector) => connector.contract({}))
    return Embeddings.providers([...defaults, ...others, ...usual])
  })

const contracts = <const C extends ReadonlyArray<Connector.Any>>(
  service: string,
  list: ReadonlyArray<Entry>,
  connectors: C
) =>
  Effect.forEach(list, (entry) =>
    Effect.map(
      find(service, entry, connectors),
      (connector) => connector.fromUnknown(entry.Settings, `${entry.path}.Settings`)
    ))

const find = (service: string, { Connector: name, path }: Entry, connectors: ReadonlyArray<Connector.Any>) => {
  const wanted = name.toLowerCase()
  const found = connectors.find((one) => [one.name, ...one.aliases].some((known) => known.toLowerCase() === wanted))
  const names = connectors.map((one) => one.name)
  return found !== undefined ? Effect.succeed(found) : Effect.fail(
    new BootError({
      service,
      path: `${path}.Connector`,
      problem: `unknown connector "${name}".${didYouMean(name, names)}`,
      accepted: names
    })
  )
}

const malformed = (config: unknown) =>
  new BootError({
    service: "configuration",
    problem: `expected an object of services, like { "Storage": { "Connector": "Local" } }; got ${preview(config)}`
  })

const unknownService = (service: string) => {
  const names = [...connectorsOf.keys(), AgentsConfiguration.key, ...GovernedConfiguration.keys]
  return new BootError({
    service,
    path: service,
    problem: `unknown service "${service}".${didYouMean(service, names)}`,
    accepted: names
  })
}

const oneDefault = (service: string, list: ReadonlyArray<Entry>) => {
  const ids = list.map(({ Id }) => Id).filter((id) => id !== undefined)
  const twice = ids.find((id, position) => ids.indexOf(id) !== position)
  const problem = list.length === 0
    ? "the list is empty"
    : list.filter(({ Default }) => Default === true).length > 1
    ? "more than one entry says Default"
    : list.every(({ Default }) => Default === false)
    ? "no entry answers: all say Default false"
    : twice !== undefined
    ? `the Id "${twice}" stands twice`
    : undefined
  return problem === undefined ? Effect.void : Effect.fail(new BootError({ service, path: service, problem }))
}

/** What a connector says of itself is told with the service it was to stand behind, where that is known. */
const toBootError = (error: unknown, service?: string): BootError => {
  if (error instanceof ConnectorError) {
    const { connector, message } = error
    return new BootError({ service: service ?? "connectors", connector, problem: message, cause: error })
  }
  if (!(error instanceof BootError)) {
    return new BootError({ service: "configuration", problem: String(error), cause: error })
  }
  return service === undefined || error.service !== "connectors" ? error : new BootError({ ...error, service })
}

const orBootError = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, BootError> =>
  Effect.mapError(self, (error) => toBootError(error))

const parseJson = (path: string, source: string) =>
  Effect.mapError(JsonText.parse(source), (problem) => new BootError({ service: "configuration", path, problem }))

/** YAML is loaded only for those who write it. */
const parseYaml = (path: string, source: string) =>
  Effect.tryPromise({
    try: async (): Promise<unknown> => (await import("yaml")).parse(source),
    catch: (cause) =>
      new BootError({
        service: "configuration",
        path,
        // What follows is an excerpt, in which there may be secrets.
        problem: cause instanceof Error ? cause.message.replace(/:\n.*/s, "") : "not YAML",
        cause
      })
  })

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
