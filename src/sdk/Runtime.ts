/** The runtime behind the Promise API: one booted system, started on first use. */
import { Cause, Effect, Exit, type Layer, ManagedRuntime, type Stream } from "effect"
import { layerFromConfig, type SreConfig } from "../boot/Configuration.ts"
import type { Options, Sre as Services } from "../boot/Sre.ts"
import type { BootError } from "../kernel/BootError.ts"
import * as Candidate from "../security/Candidate.ts"
import { Emitter } from "./Emitter.ts"

/** Who is asking, where an object says nothing else: the one local user of a process of one's own. */
export const localUser = Candidate.user("local")

/** `user:bob`, or a candidate. Give it only what you have authenticated yourself. */
export type As = Candidate.Candidate | `${Candidate.Role}:${string}`

export class SRE {
  static #current: SRE | undefined

  readonly #runtime: ManagedRuntime.ManagedRuntime<Services, BootError>

  private constructor(layer: Layer.Layer<Services, BootError>) {
    this.#runtime = ManagedRuntime.make(layer)
  }

  /** Describes the system; it starts with `ready()` or with the first use. Becomes the runtime of objects made from now on. */
  static init(config: SreConfig = {}, options: Options = {}): SRE {
    SRE.#current = new SRE(layerFromConfig(config, options))
    return SRE.#current
  }

  /** The runtime made last, or one with the embedded defaults. */
  static get current(): SRE {
    return SRE.#current ?? SRE.init()
  }

  static ready(): Promise<SRE> {
    return SRE.current.ready()
  }

  /** Resolves when every service is up; rejects with the `BootError` that says which one is not and why. */
  async ready(): Promise<this> {
    await this.#settle(await this.#runtime.runPromiseExit(Effect.void))
    return this
  }

  /** Lets runs under way end, then closes everything. */
  async stop(): Promise<void> {
    if (SRE.#current === this) SRE.#current = undefined
    await this.#runtime.dispose()
  }

  /** Runs an effect that may use every service, as the given candidate. Rejects with the effect's own typed error. */
  async run<A, E>(
    effect: Effect.Effect<A, E, Services>,
    as: As = localUser,
    options?: { readonly signal?: AbortSignal | undefined }
  ): Promise<A> {
    return this.#settle(
      await this.#runtime.runPromiseExit(Candidate.as(effect, candidateOf(as)), { signal: options?.signal })
    )
  }

  /** Runs a stream; each element goes to `onEvent` of the emitter. */
  events<A, E>(
    stream: Stream.Stream<A, E, Services>,
    deliver: (emitter: Emitter, element: A) => void,
    as: As = localUser
  ): Emitter {
    const abort = new AbortController()
    const emitter = new Emitter(() => abort.abort())
    // A turn later, so that whoever asked for the emitter can attach listeners before the first event.
    setImmediate(() => {
      this.run(emitter.drain(stream, deliver), as, { signal: abort.signal }).then(
        () => emitter.finish(),
        (error: unknown) => emitter.fail(error)
      )
    })
    return emitter
  }

  #settle<A, E>(exit: Exit.Exit<A, E>): A {
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.squash(exit.cause)
  }
}

export const candidateOf = (as: As): Candidate.Candidate => {
  if (typeof as !== "string") return as
  const cut = as.indexOf(":")
  return Candidate.Candidate.make({ role: as.slice(0, cut) as Candidate.Role, id: as.slice(cut + 1) })
}
