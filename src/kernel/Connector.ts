/** What a connector is: a name, the contract it implements, the service that guards it, its settings, and how to build it. */
import {
  Config,
  type ConfigError,
  Context,
  Effect,
  ExecutionStrategy,
  Exit,
  Layer,
  Option,
  ParseResult,
  Schema,
  Scope
} from "effect"
import { createRequire } from "node:module"
import { BootError, refused } from "./BootError.ts"
import { ConnectorError } from "./ConnectorError.ts"
import { settingIssuesOf } from "./Issues.ts"
import { didYouMean } from "./Nearest.ts"

export interface Connector<Name extends string, ContractId, ServiceId, Settings, Encoded, E> {
  readonly name: Name
  /** Other names accepted in a configuration. */
  readonly aliases: ReadonlyArray<string>
  readonly settings: Schema.Schema<Settings, Encoded>
  /** The bare contract, without access checks: for conformance suites and boot only. */
  readonly contract: (settings: Encoded) => Layer.Layer<ContractId, E | BootError>
  /** The guarded service on this connector. */
  readonly layer: (settings: Encoded) => Layer.Layer<ServiceId, E | BootError>
  /** The guarded service with settings read from the environment. */
  readonly layerConfig: (
    settings: Config.Config.Wrap<Settings>
  ) => Layer.Layer<ServiceId, E | BootError | ConfigError.ConfigError>
  /** The bare contract from settings of unknown shape, as a configuration file gives them. */
  readonly fromUnknown: (settings: unknown, path: string) => Layer.Layer<ContractId, E | BootError>
}

export type Any = Connector<string, any, any, any, any, any> // eslint-disable-line @typescript-eslint/no-explicit-any

export const make = <const Name extends string, ContractId, Contract, ServiceId, Settings, Encoded, E>(options: {
  readonly name: Name
  readonly aliases?: ReadonlyArray<string>
  readonly contract: Context.Tag<ContractId, Contract>
  readonly service: Layer.Layer<ServiceId, never, ContractId>
  readonly settings: Schema.Schema<Settings, Encoded>
  readonly make: (settings: Settings) => Effect.Effect<Contract, E, Scope.Scope>
}): Connector<Name, ContractId, ServiceId, Settings, Encoded, E> => {
  const service = options.contract.key.replace(/^.*\//, "").replace(/Connector$/, "")
  const decode = ParseResult.decodeUnknown(options.settings, { errors: "all", onExcessProperty: "error" })
  const built = (settings: unknown, path: string) =>
    Layer.scoped(
      options.contract,
      decode(settings ?? {}).pipe(
        Effect.mapError((issue) => refused({ service, connector: options.name, path }, settingIssuesOf(issue))),
        Effect.flatMap(options.make)
      )
    )
  // Fresh: two instances of one service share the service's layer, and must not share what it builds.
  const guarded = Layer.fresh(options.service)
  const contract = (settings: Encoded) => built(settings, `${service}.Settings`)
  return {
    name: options.name,
    aliases: options.aliases ?? [],
    settings: options.settings,
    contract,
    fromUnknown: built,
    layer: (settings) => Layer.provide(guarded, contract(settings)),
    layerConfig: (settings) =>
      Layer.provide(
        guarded,
        Layer.scoped(options.contract, Effect.flatMap(Config.unwrap(settings), options.make))
      )
  }
}

/** A vendor package loaded on first use; when it is not installed, boot fails with the command that installs it. */
export const vendor = <A>(
  connector: string,
  packageName: string,
  load: () => Promise<A>
): Effect.Effect<A, BootError> =>
  Effect.tryPromise({
    try: load,
    catch: (cause) =>
      new BootError({
        service: "connectors",
        connector,
        problem: `the package "${packageName}" cannot be loaded. Install it: npm install ${packageName}`,
        cause
      })
  })

/**
 * What a connector makes of its vendor package, on first use and for the time of the connector: the embedded default starts
 * without loading what nobody uses yet. That the package is installed is checked at once.
 */
export const lazily = <A, E>(
  connector: string,
  packageName: string,
  make: Effect.Effect<A, E | BootError, Scope.Scope>
): Effect.Effect<Effect.Effect<A, Exclude<E, BootError> | ConnectorError>, BootError, Scope.Scope> =>
  isInstalled(packageName)
    ? onFirstUse(connector, make)
    : vendor(connector, packageName, () => Promise.reject(new Error("not installed")))

/** The same for an embedded default whose package a machine may be without: the system starts, and what needs it fails. */
export const optionally = <A, E>(
  connector: string,
  packageName: string,
  make: Effect.Effect<A, E | BootError, Scope.Scope>
): Effect.Effect<Effect.Effect<A, Exclude<E, BootError> | ConnectorError>, never, Scope.Scope> =>
  Effect.zipRight(
    isInstalled(packageName) ? Effect.void : Effect.logWarning(
      `${connector} will refuse all it is asked: the package "${packageName}" is not installed. ` +
        `Install it (npm install ${packageName}), or choose another connector`
    ),
    onFirstUse(connector, make)
  )

/** The same for one of many that stand ready side by side: that its package is not installed is told to whoever asks for it. */
export const onFirstUse = <A, E>(
  connector: string,
  make: Effect.Effect<A, E | BootError, Scope.Scope>
): Effect.Effect<Effect.Effect<A, Exclude<E, BootError> | ConnectorError>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const made = Effect.flatMap(Scope.fork(scope, ExecutionStrategy.sequential), (own) =>
      make.pipe(
        Scope.extend(own),
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause))),
        Effect.mapError((error) =>
          error instanceof BootError
            ? new ConnectorError({
              connector,
              method: "load",
              reason: "Unsupported",
              detail: error.problem,
              cause: error
            })
            : error as Exclude<E, BootError>
        )
      ))
    const lock = yield* Effect.makeSemaphore(1)
    let kept = Option.none<A>()
    // What failed is tried again. The first caller may be interrupted; those after it must not find its interruption.
    const first = lock.withPermits(1)(
      Effect.suspend(() =>
        Option.isSome(kept) ?
          Effect.succeed(kept.value) :
          Effect.uninterruptible(Effect.tap(made, (value) =>
            Effect.sync(() => {
              kept = Option.some(value)
            })))
      )
    )
    return Effect.suspend(() => Option.isSome(kept) ? Effect.succeed(kept.value) : first)
  })

/** A package that only other ways of loading can reach is there, too. */
const isInstalled = (packageName: string): boolean => {
  try {
    createRequire(import.meta.url).resolve(packageName)
    return true
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND")
  }
}

/** Several connectors of one service live side by side; `id` is the name its configuration entry gave to one. */
export class UnknownInstance extends Schema.TaggedError<UnknownInstance>()("UnknownInstance", {
  service: Schema.String,
  id: Schema.String,
  available: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `No ${this.service} named "${this.id}".${didYouMean(this.id, this.available)} Configured: ${
      this.available.join(", ") || "only the default one"
    }`
  }
}

/** The tag under which a configured, named instance of a service stands in the context. */
export const instanceTag = <Id, S>(tag: Context.Tag<Id, S>, id: string): Context.Tag<Id, S> =>
  Context.GenericTag<Id, S>(`${tag.key}#${id}`)

/** The instance of a service that the configuration calls `id`. */
export const named = <Id, S>(tag: Context.Tag<Id, S>, id: string): Effect.Effect<S, UnknownInstance> =>
  Effect.contextWithEffect((context: Context.Context<never>) => {
    const found = context.unsafeMap.get(`${tag.key}#${id}`) as S | undefined
    return found !== undefined ? Effect.succeed(found) : Effect.fail(
      new UnknownInstance({
        service: tag.key.replace(/^.*\//, ""),
        id,
        available: Array.from(context.unsafeMap.keys())
          .filter((key) => key.startsWith(`${tag.key}#`))
          .map((key) => key.slice(tag.key.length + 1))
      })
    )
  })
