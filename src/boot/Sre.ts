/** The composition root: connectors chosen in code, or by a configuration, to one layer with everything in it. */
import { Layer } from "effect"
import * as Agents from "../agents/Agents.ts"
import * as Compile from "../agents/Compile.ts"
import type * as Component from "../components/Component.ts"
import { builtIn } from "../components/registry.ts"
import type { Services } from "../components/Services.ts"
import * as Providers from "../connectors/llm/providers.ts"
import { foundations, subsystems } from "../connectors/registry.ts"
import type { BootError } from "../kernel/BootError.ts"
import type { ConnectorError } from "../kernel/ConnectorError.ts"
import type * as Access from "../security/Access.ts"
import type * as Account from "../security/Account.ts"
import type * as Audit from "../security/Audit.ts"
import type * as Log from "../subsystems/io/Log.ts"
import * as LLM from "../subsystems/llm/LLM.ts"
import * as LLMContext from "../subsystems/memory/LLMContext.ts"
import * as Resources from "../subsystems/memory/Resources.ts"
import * as RuntimeContext from "../subsystems/memory/RuntimeContext.ts"
import { Boot, layer as bootLayer, timed } from "./Boot.ts"

/** Everything a booted system offers. */
export type Sre =
  | Services
  | Foundations
  | ServiceOf<keyof typeof subsystems>
  | Agents.Agents
  | RuntimeContext.RuntimeContext
  | Resources.Resources
  | Boot

type Foundations = Log.Log | Audit.Audit | Account.Account | Access.Teams
type ServiceOf<K extends keyof typeof subsystems> = (typeof subsystems)[K] extends
  { readonly layer: Layer.Layer<infer Out, never, infer _> } ? Out : never

/** What an app chooses; what it leaves out gets the embedded default, which needs no server, no key and no network. */
export type Choices =
  & {
    readonly [K in keyof typeof subsystems]?: Layer.Layer<ServiceOf<K>, unknown>
  }
  & {
    readonly log?: Layer.Layer<Log.Log | Audit.Audit, unknown>
    readonly account?: Layer.Layer<Account.Account | Access.Teams, unknown>
    readonly llm?: Layer.Layer<LLM.LLM, unknown>
  }

export interface Options {
  /** Components of one's own, beside the built-in ones; one of the same name replaces a built-in. */
  readonly components?: ReadonlyArray<Component.Any>
  readonly agents?: Omit<Agents.AgentsOptions, "components">
}

type Errors<C> = { [K in keyof C]: C[K] extends Layer.Layer<infer _, infer E> ? E : never }[keyof C]

/** One layer with every service: `Sre.layer({ storage: S3StorageLive, cache: RedisCacheLive })`. */
export const layer = <C extends Choices>(
  choices?: C,
  options: Options = {}
): Layer.Layer<Sre, Errors<C> | BootError | ConnectorError> =>
  compose((choices ?? {}) as Layers, options) as Layer.Layer<Sre, Errors<C> | BootError | ConnectorError>

/** The layers of a configuration or of an app, by the key of the service; whatever is not there gets its default. */
export type Layers = { readonly [K in keyof Choices]: Layer.Layer<never, unknown> }

export const compose = (
  chosen: Layers,
  { agents, components }: Options,
  named: Layer.Layer<never, unknown> = Layer.empty
): Layer.Layer<Sre, unknown> => {
  const of = (key: keyof Choices, subsystem: AnySubsystem): Layer.Layer<never, unknown, Boot> => {
    const [fallback] = subsystem.connectors
    return key in chosen && chosen[key] !== undefined
      ? timed(subsystem.name, undefined, chosen[key])
      : timed(subsystem.name, fallback.name, fallback.layer({}) as Layer.Layer<never, unknown>)
  }
  const log = of("log", foundations.log)
  const base = Layer.provideMerge(of("account", foundations.account), log)
  const guarded = Layer.mergeAll(
    named,
    ...Object.entries(subsystems).map(([key, one]) => of(key as keyof typeof subsystems, one))
  )
  const llm = timed("LLM", undefined, chosen.llm ?? Layer.provide(LLM.layer, Providers.layer) as AnyLayer)
  const derived = Layer.mergeAll(LLMContext.layer, RuntimeContext.layer, Resources.layer()) as AnyLayer
  const processes = timed(
    "Agents",
    undefined,
    Agents.layer({ ...agents, components: Compile.registry([...builtIn, ...(components ?? [])]) }) as AnyLayer
  )
  return processes.pipe(
    Layer.provideMerge(derived),
    Layer.provideMerge(llm),
    Layer.provideMerge(guarded),
    Layer.provideMerge(base),
    Layer.provideMerge(bootLayer)
  ) as unknown as Layer.Layer<Sre, unknown>
}

/** Layers of services known only by name: what they give and need is checked by the types of {@link layer}. */
type AnyLayer = Layer.Layer<never, unknown, never>
type AnySubsystem = {
  readonly name: string
  readonly connectors: (typeof foundations)["log"]["connectors"]
}
