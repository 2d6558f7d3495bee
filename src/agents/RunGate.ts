/** How many runs there may be at once, who has to wait for a place, and how runs end when the system does. */
import { Deferred, Duration, Effect, FiberId, Schema } from "effect"
import { type Keys, Places } from "../kernel/Places.ts"

/** As many runs are under way, or waiting for a place, as the operator allows; try again later. */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", {
  /** What has reached its bound; `resources`: the process itself is too busy. */
  limit: Schema.Literal("runs", "agent", "candidate", "queue", "wait", "paused", "resources"),
  /** The bound: runs, or milliseconds of waiting. */
  max: Schema.Number,
  /** Of `resources`: which one, with its unit. */
  resource: Schema.optional(Schema.String)
}) {
  override get message(): string {
    return `${overloads[this.limit](this.max, this.resource)}: try again later`
  }
}

const overloads: Record<
  "runs" | "agent" | "candidate" | "queue" | "wait" | "paused" | "resources",
  (max: number, resource?: string) => string
> = {
  runs: (max) => `${max} runs are under way, no more are taken`,
  agent: (max) => `${max} runs of this agent are under way, no more are taken`,
  candidate: (max) => `${max} runs of this caller are under way, no more are taken`,
  queue: (max) => `${max} runs are waiting for a place, no more are taken`,
  wait: (max) => `no place became free within ${Duration.format(Duration.millis(max))}`,
  paused: (max) => `${max} runs are paused, no more can be`,
  resources: (max, resource = "a resource") => `this process is busy, ${resource} is above ${max}`
}

/** The system is shutting down: what runs is finished, nothing new begins. */
export class ShuttingDown extends Schema.TaggedError<ShuttingDown>()("ShuttingDown", {}) {
  override get message(): string {
    return "shutting down: no new runs"
  }
}

export interface RunLimits {
  /** Runs at once, over all agents. */
  readonly maxRuns: number
  readonly maxRunsPerAgent: number
  /** Runs at once that one candidate asked for. */
  readonly maxRunsPerCandidate: number
  /** Runs that may wait for a place; 0: none waits. Beyond, the latest of the caller with most of them is refused. */
  readonly maxQueued: number
  readonly maxWait: Duration.Duration
}

type Refused = Overloaded | ShuttingDown

/** Counts runs. Who finds no place waits in line, where callers take turns, first come first served among the runs of each. */
export class RunGate {
  readonly #limits: RunLimits
  readonly #busy: Effect.Effect<Overloaded | undefined> | undefined
  readonly #places: Places<Refused>
  #closing = false
  readonly #idle = Deferred.unsafeMake<void>(FiberId.none)

  /** `busy` says when the process itself can take no more. */
  constructor(limits: RunLimits, busy?: Effect.Effect<Overloaded | undefined>) {
    const { maxQueued, maxRuns, maxRunsPerAgent, maxRunsPerCandidate } = limits
    this.#limits = limits
    this.#busy = busy
    this.#places = new Places<Refused>({
      total: maxRuns,
      each: [maxRunsPerCandidate, maxRunsPerAgent],
      line: { max: maxQueued, crowded: () => new Overloaded({ limit: "queue", max: maxQueued }) }
    })
  }

  /** Runs under way, those in line not counted. */
  get running(): number {
    return this.#places.taken
  }
  get queued(): number {
    return this.#places.waiting
  }

  /** Takes a place: at once when there is one, else an effect that waits for it. Whoever has one must {@link leave}. */
  enter(agent: string, caller: string): Effect.Effect<void, Refused> | undefined {
    if (this.#closing) return Effect.fail(new ShuttingDown())
    if (this.#busy !== undefined) {
      return Effect.flatMap(this.#busy, (busy) => busy === undefined ? this.#place(agent, caller) ?? Effect.void : busy)
    }
    return this.#place(agent, caller)
  }

  leave(agent: string, caller: string): void {
    this.#places.leave([caller, agent])
    if (this.#closing && this.running === 0) Deferred.unsafeDone(this.#idle, Effect.void)
  }

  /** Takes nothing more, and waits for what is under way. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#closing = true
    this.#places.sendAway(new ShuttingDown())
    return this.running === 0 ? Effect.void : Deferred.await(this.#idle)
  })

  #place(agent: string, caller: string): Effect.Effect<void, Refused> | undefined {
    const keys: Keys = [caller, agent]
    if (this.#places.take(keys)) return undefined
    const { maxQueued, maxWait } = this.#limits
    if (maxQueued === 0) return this.#full(keys)
    return Effect.suspend(() => {
      const ticket = this.#places.join(keys)
      return Deferred.await(ticket.place).pipe(
        Effect.timeoutFail({
          duration: maxWait,
          onTimeout: () => new Overloaded({ limit: "wait", max: Duration.toMillis(maxWait) })
        }),
        // A place that was given to one who no longer waits goes to the next.
        Effect.onError(() => Effect.sync(() => this.#places.quit(ticket)))
      )
    })
  }

  #full(keys: Keys): Overloaded {
    const { maxRuns, maxRunsPerAgent, maxRunsPerCandidate } = this.#limits
    const full = this.#places.full(keys)
    return full === 0
      ? new Overloaded({ limit: "candidate", max: maxRunsPerCandidate })
      : full === 1
      ? new Overloaded({ limit: "agent", max: maxRunsPerAgent })
      : new Overloaded({ limit: "runs", max: maxRuns })
  }
}
