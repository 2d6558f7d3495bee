/** The runtime behind the Promise API: a booted system, started on first use; and who is asking it. */
import { Cause, Effect, Exit, Layer, ManagedRuntime, Schema, type Stream } from "effect"
import { ShuttingDown } from "../agents/RunGate.ts"
import { layerFromConfig, type SreConfig } from "../boot/Configuration.ts"
import type { Options, Sre as Services } from "../boot/Sre.ts"
import type { BootError } from "../kernel/BootError.ts"
import * as Pull from "../kernel/Pull.ts"
import * as Candidate from "../security/Candidate.ts"
import type { ConversationEvent } from "../subsystems/llm/Conversation.ts"
import * as Calls from "./Calls.ts"
import { Command } from "./Command.ts"
import { Emitter } from "./Emitter.ts"
import * as KeepAlive from "./KeepAlive.ts"

/** Who is asking, where an object says nothing else: the one local user of a process of one's own. */
export const localUser = Candidate.user("local")

/** `user:bob`, or a candidate. Give it only what you have authenticated yourself. */
export type As = Candidate.Candidate | `${Candidate.Role}:${string}`

export interface RunOptions {
  readonly as?: As | undefined
  readonly signal?: AbortSignal | undefined
}

export class SRE {
  static #current: SRE | undefined

  readonly #runtime: ManagedRuntime.ManagedRuntime<Services | Calls.Calls, BootError>
  #stopping: Promise<void> | undefined = undefined
  #unlisten: (() => void) | undefined = undefined

  private constructor(config: SreConfig, options: Options) {
    const calls = Calls.layer(options.agents?.drainTimeout ?? "10 seconds")
    const system = Layer.provideMerge(calls, layerFromConfig(config, options))
    this.#runtime = ManagedRuntime.make(Layer.provideMerge(system, KeepAlive.unheld))
  }

  /** Describes a system; it starts with `ready()` or with its first use. Objects made from now on belong to it. */
  static init(config: SreConfig = {}, options: Options = {}): SRE {
    return SRE.#current = new SRE(config, options)
  }

  /** The system described last; without one, the embedded defaults. */
  static get current(): SRE {
    return SRE.#current ?? SRE.init()
  }

  static ready(): Promise<SRE> {
    return SRE.current.ready()
  }

  /** Resolves when every service is up; rejects with the `BootError` that says which one is not and why. */
  async ready(): Promise<this> {
    await this.run(Effect.void)
    return this
  }

  /**
   * Takes no more calls, lets those under way end, and closes everything. A process that has nothing left to do does this by
   * itself; connections to servers, such as those of `Redis`, are something to do.
   */
  stop(): Promise<void> {
    if (SRE.#current === this) SRE.#current = undefined
    this.#unlisten?.()
    return this.#stopping ??= KeepAlive.during(this.#runtime.dispose())
  }

  /** Runs an effect that may use every service. Rejects with the effect's own typed error, or the signal's reason. */
  async run<A, E>(effect: Effect.Effect<A, E, Services>, { as = localUser, signal }: RunOptions = {}): Promise<A> {
    if (this.#stopping !== undefined) throw new ShuttingDown()
    this.#unlisten ??= KeepAlive.beforeExit(() => this.stop())
    const call = Effect.flatMap(Calls.Calls, (calls) => calls(Candidate.as(effect, candidateOf(as))))
    const exit = await KeepAlive.during(this.#runtime.runPromiseExit(call, { signal }))
    if (Exit.isSuccess(exit)) return exit.value
    if (!Cause.isInterruptedOnly(exit.cause)) throw Cause.squash(exit.cause)
    throw signal?.aborted === true ? signal.reason : new ShuttingDown()
  }
}

export interface ObjectOptions {
  /** Who is asking; the local user when absent. */
  readonly as?: As | undefined
  /** The system the object works on; the one described last when absent. */
  readonly sre?: SRE | undefined
}

/** What every object of the API holds: its system, and who is asking. */
export class Session {
  readonly #sre: SRE
  readonly #as: Candidate.Candidate

  constructor({ as = localUser, sre = SRE.current }: ObjectOptions = {}) {
    this.#sre = sre
    this.#as = candidateOf(as)
  }

  run<A, E>(effect: Effect.Effect<A, E, Services>, signal?: AbortSignal): Promise<A> {
    return this.#sre.run(effect, { as: this.#as, signal })
  }

  /** A prompt with these events. They begin a moment after it is sent, when its listeners are there. */
  prompt<E>(events: Stream.Stream<ConversationEvent, E, Services>, signal?: AbortSignal): Command {
    return new Command(() =>
      new Emitter((deliver, stopping) => {
        const delivered = Pull.forEach(events, deliver)
        return this.run(
          Effect.zipRight(Effect.sleep(0), delivered),
          signal === undefined ? stopping : AbortSignal.any([signal, stopping])
        )
      })
    )
  }
}

const candidateOf = (as: As): Candidate.Candidate =>
  typeof as === "string" ? Schema.decodeSync(Candidate.FromString)(as) : as
