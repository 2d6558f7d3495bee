/** The composition root: connectors chosen in code, or by a configuration, to one layer with everything in it. */
import { Layer } from "effect"
import * as Agents from "../agents/Agents.ts"
import * as Compile from "../agents/Compile.ts"
import * as EndpointJobs from "../agents/EndpointJobs.ts"
import type * as Component from "../components/Component.ts"
import { builtIn } from "../components/registry.ts"
import type { Services } from "../components/Services.ts"
import * as EmbeddingsProviders from "../connectors/embeddings/providers.ts"
import * as ImagesProviders from "../connectors/images/providers.ts"
import * as LLMProviders from "../connectors/llm/providers.ts"
import { dependents, foundations, type Subsystem, subsystems } from "../connectors/registry.ts"
import * as SpeechProviders from "../connectors/speech/providers.ts"
import type { BootError } from "../kernel/BootError.ts"
import type { ConnectorError } from "../kernel/ConnectorError.ts"
import type * as Access from "../security/Access.ts"
import type * as Account from "../security/Account.ts"
import type * as Audit from "../security/Audit.ts"
import type * as Log from "../subsystems/io/Log.ts"
import * as OAuthTokens from "../subsystems/io/OAuthTokens.ts"
import * as SharedFiles from "../subsystems/io/SharedFiles.ts"
import type * as Telemetry from "../subsystems/io/Telemetry.ts"
import * as ContextWindow from "../subsystems/llm/ContextWindow.ts"
import * as Embeddings from "../subsystems/llm/Embeddings.ts"
import * as Governed from "../subsystems/llm/Governed.ts"
import * as Images from "../subsystems/llm/Images.ts"
import * as LLM from "../subsystems/llm/LLM.ts"
import * as Speech from "../subsystems/llm/Speech.ts"
import * as Usage from "../subsystems/llm/Usage.ts"
import * as LLMContext from "../subsystems/memory/LLMContext.ts"
import * as Resources from "../subsystems/memory/Resources.ts"
import * as RuntimeContext from "../subsystems/memory/RuntimeContext.ts"
import { type Boot, layer as bootLayer, timed } from "./Boot.ts"

/** Everything a booted system offers. */
export type Sre =
  | Services
  | Foundations
  | ServiceOf<keyof Guarded>
  | Agents.Agents
  | RuntimeContext.RuntimeContext
  | Resources.Resources
  | OAuthTokens.OAuthTokens
  | SharedFiles.SharedFiles
  | Speech.Speech
  | Usage.Usage
  | Usage.UsageFeed
  | Boot

type Foundations = Telemetry.Telemetry | Log.Log | Audit.Audit | Account.Account | Access.Teams
type Guarded = typeof subsystems & typeof dependents
type ServiceOf<K extends keyof Guarded> = K extends unknown
  ? Guarded[K] extends { readonly layer: Layer.Layer<infer Out, never, infer _> } ? Out : never
  : never

/** What an app chooses; what it leaves out gets the embedded default, which needs no server, no key and no network. */
export type Choices =
  & {
    readonly [K in keyof Guarded]?: Layer.Layer<ServiceOf<K>, unknown>
  }
  & {
    readonly telemetry?: Layer.Layer<Telemetry.Telemetry, unknown>
    readonly log?: Layer.Layer<Log.Log | Audit.Audit, unknown>
    readonly account?: Layer.Layer<Account.Account | Access.Teams, unknown>
    readonly llm?: Layer.Layer<LLM.LLM, unknown>
    readonly embeddings?: Layer.Layer<Embeddings.Embeddings, unknown>
    readonly images?: Layer.Layer<Images.Images, unknown>
    readonly speech?: Layer.Layer<Speech.Speech, unknown>
  }

export interface Options<R = Services> {
  /**
   * Components of one's own, beside the built-in ones; one of the same name replaces a built-in. What they ask for that is not
   * of this system, the layer asks for.
   */
  readonly components?: ReadonlyArray<Component.Any<R>>
  readonly agents?: Omit<Agents.AgentsOptions, "components">
  /** Budgets, limits and the like of calls of models, for all services that ask their providers as those of this system do. */
  readonly governed?: Governed.Settings
}

type Errors<C> = { [K in keyof C]-?: NonNullable<C[K]> extends Layer.Layer<infer _, infer E> ? E : never }[keyof C]

/** One layer with every service: `Sre.layer({ storage: S3StorageLive, cache: RedisCacheLive })`. */
export const layer = <C extends Choices = Record<never, never>, R = Services>(
  choices?: C,
  options: Options<R> = {}
): Layer.Layer<Sre, Errors<C> | BootError | ConnectorError, Exclude<R, Services>> =>
  compose((choices ?? {}) as Layers, options as Options) as unknown as Layer.Layer<
    Sre,
    Errors<C> | BootError | ConnectorError,
    Exclude<R, Services>
  >

/** The layers of a configuration or of an app, by the key of the service; whatever is not there gets its default. */
export type Layers = { readonly [K in keyof Choices]: Layer.Layer<never, unknown> }

/** Of the connectors of a configuration, by the key of the service. */
export type Names = { readonly [K in keyof Choices]: string }

export const compose = (
  chosen: Layers,
  { agents, components, governed }: Options,
  named: Layer.Layer<never, unknown, Boot> = Layer.empty,
  names: Names = {}
): Layer.Layer<never, unknown> => {
  const of = (
    key: keyof Choices,
    { connectors: [fallback], name, settings }: Part
  ) =>
    chosen[key] === undefined
      ? timed(name, fallback.name, opened(fallback.layer(settings)))
      : timed(name, names[key], chosen[key])
  const each = (table: Readonly<Record<string, Part>>) =>
    Object.entries(table).map(([key, one]) => of(key as keyof Guarded, one))
  const llm = chosen.llm === undefined
    ? Layer.provide(LLM.layer, LLMProviders.layer)
    : chosen.llm as unknown as Layer.Layer<LLM.LLM, unknown>
  const registry = Compile.registry([...builtIn, ...(components ?? [])])
  const stages: ReadonlyArray<ReadonlyArray<Layer.Layer<never, unknown, Boot>>> = [
    [of("telemetry", foundations.telemetry)],
    [of("log", foundations.log)],
    [of("account", foundations.account)],
    [...each(subsystems), opened(Usage.layer), opened(ContextWindow.layer(governed?.ContextWindow ?? {}))],
    [opened(Governed.governor(governed)), opened(OAuthTokens.layer())],
    [
      timed("LLM", undefined, opened(Governed.layer(llm, governed))),
      timed(
        "Embeddings",
        undefined,
        chosen.embeddings ?? opened(Layer.provide(Embeddings.layer, EmbeddingsProviders.layer))
      ),
      timed("Images", undefined, chosen.images ?? opened(Layer.provide(Images.layer, ImagesProviders.layer))),
      timed("Speech", undefined, chosen.speech ?? opened(Layer.provide(Speech.layer, SpeechProviders.layer)))
    ],
    [...each(dependents), named],
    [opened(LLMContext.layer), opened(RuntimeContext.layer), opened(SharedFiles.layer), opened(Resources.layer())],
    [timed("Agents", undefined, opened(Agents.layer({ ...agents, components: registry })))],
    [opened(EndpointJobs.layer)]
  ]
  return opened(stages.reduce(
    (below, stage) => Layer.provideMerge(together(stage), below),
    opened(bootLayer)
  ))
}

type Part = Pick<Subsystem, "connectors" | "name" | "settings">

/** One stage: built in parallel, on top of the stages before it. */
const together = (stage: ReadonlyArray<Layer.Layer<never, unknown, Boot>>): Layer.Layer<never, unknown> =>
  opened(Layer.mergeAll(Layer.empty, ...stage))

/**
 * A layer whose types are looked away from: services are put together here by their keys. What goes in and comes out is
 * checked by the types of {@link layer}, and by the test that asks a booted system for every service.
 */
export const opened = (layer: Layer.Layer.Any): Layer.Layer<never, unknown> =>
  layer as unknown as Layer.Layer<never, unknown>
