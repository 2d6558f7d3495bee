/** How many runs there may be at once, who has to wait for a place, and how runs end when the system does. */
import { Deferred, Duration, Effect, FiberId, Schema } from "effect"

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
  paused: (max) => `${max} runs of this agent are paused, no more can be`,
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
  /** Runs that may wait for a place; 0: none waits. */
  readonly maxQueued: number
  readonly maxWait: Duration.Duration
}

type Refused = Overloaded | ShuttingDown

interface Waiter {
  readonly agent: string
  readonly caller: string
  readonly place: Deferred.Deferred<void, Refused>
  placed: boolean
}

/** Counts runs. Who finds no place waits in line, first come first served among those whose own bounds allow it. */
export class RunGate {
  readonly #limits: RunLimits
  readonly #busy: Effect.Effect<Overloaded | undefined> | undefined
  #running = 0
  readonly #agents = new Map<string, number>()
  readonly #callers = new Map<string, number>()
  readonly #queue = new Set<Waiter>()
  #closing = false
  readonly #idle = Deferred.unsafeMake<void>(FiberId.none)

  /** `busy` says when the process itself can take no more. */
  constructor(limits: RunLimits, busy?: Effect.Effect<Overloaded | undefined>) {
    this.#limits = limits
    this.#busy = busy
  }

  /** Runs under way, those in line not counted. */
  get running(): number {
    return this.#running
  }
  get queued(): number {
    return this.#queue.size
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
    this.#running--
    add(this.#agents, agent, -1)
    add(this.#callers, caller, -1)
    for (const waiter of this.#queue) {
      if (this.#running >= this.#limits.maxRuns) break
      if (this.#full(waiter.agent, waiter.caller) !== undefined) continue
      this.#queue.delete(waiter)
      waiter.placed = true
      this.#take(waiter.agent, waiter.caller)
      Deferred.unsafeDone(waiter.place, Effect.void)
    }
    if (this.#closing && this.#running === 0) Deferred.unsafeDone(this.#idle, Effect.void)
  }

  /** Takes nothing more, and waits for what is under way. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#closing = true
    for (const { place } of this.#queue) Deferred.unsafeDone(place, Effect.fail(new ShuttingDown()))
    this.#queue.clear()
    return this.#running === 0 ? Effect.void : Deferred.await(this.#idle)
  })

  #place(agent: string, caller: string): Effect.Effect<void, Refused> | undefined {
    const full = this.#full(agent, caller)
    if (full === undefined) {
      this.#take(agent, caller)
      return undefined
    }
    const { maxQueued, maxWait } = this.#limits
    if (maxQueued === 0) return full
    if (this.#queue.size >= maxQueued) return new Overloaded({ limit: "queue", max: maxQueued })
    const waiter: Waiter = { agent, caller, place: Deferred.unsafeMake(FiberId.none), placed: false }
    this.#queue.add(waiter)
    return Deferred.await(waiter.place).pipe(
      Effect.timeoutFail({
        duration: maxWait,
        onTimeout: () => new Overloaded({ limit: "wait", max: Duration.toMillis(maxWait) })
      }),
      // A place that was given to one who no longer waits goes to the next.
      Effect.onError(() =>
        Effect.sync(() => {
          this.#queue.delete(waiter)
          if (waiter.placed) this.leave(agent, caller)
        })
      )
    )
  }

  #full(agent: string, caller: string): Overloaded | undefined {
    const { maxRuns, maxRunsPerAgent, maxRunsPerCandidate } = this.#limits
    return this.#running >= maxRuns
      ? new Overloaded({ limit: "runs", max: maxRuns })
      : (this.#agents.get(agent) ?? 0) >= maxRunsPerAgent
      ? new Overloaded({ limit: "agent", max: maxRunsPerAgent })
      : (this.#callers.get(caller) ?? 0) >= maxRunsPerCandidate
      ? new Overloaded({ limit: "candidate", max: maxRunsPerCandidate })
      : undefined
  }

  #take(agent: string, caller: string): void {
    this.#running++
    add(this.#agents, agent, 1)
    add(this.#callers, caller, 1)
  }
}

/** A count that is nothing takes no place. */
export const add = (counts: Map<string, number>, key: string, by: 1 | -1): void => {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
