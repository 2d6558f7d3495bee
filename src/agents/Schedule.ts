/**
 * Who works on a run: one fiber while one component is ready, more only where the graph really forks. A component starts the
 * moment it is ready; there is no barrier.
 */
import { Deferred, Effect, Exit, Fiber, FiberId, Schema, Scope } from "effect"
import type { Services } from "../components/Services.ts"
import type { RunState } from "./RunState.ts"

/** A cycle went round more often than allowed: it does not end, or the bound is too low for it. */
export class RoundsExceeded extends Schema.TaggedError<RoundsExceeded>()("RoundsExceeded", {
  agent: Schema.String,
  components: Schema.Array(Schema.String),
  maxRounds: Schema.Int
}) {
  override get message(): string {
    return `Agent ${this.agent}: the cycle through ${this.components.join(", ")} went round ${this.maxRounds} times ` +
      `without ending. Let it end, or raise maxRounds`
  }
}

/** Runs a graph until it has come to its end or is held; no fiber it started outlives it. */
export const complete = (state: RunState): Effect.Effect<void, RoundsExceeded, Services> =>
  Effect.suspend(() => begin(state) ?? Effect.void)

const interrupted: Exit.Exit<never> = Exit.interrupt(FiberId.none)

/** Does at once what need not wait, and gives the rest; there is none when the graph has come to rest. */
export const begin = (state: RunState): Effect.Effect<void, RoundsExceeded, Services> | undefined => {
  state.resume()
  const waiting = beginRound(state)
  return waiting === undefined && !hasRound(state) ? undefined : Effect.onExit(
    rounds(state, waiting),
    (exit) => {
      if (Exit.isFailure(exit)) state.broken ??= interrupted
      const { scope } = state
      state.scope = undefined
      return scope === undefined ? Effect.void : Scope.close(scope, exit)
    }
  )
}

type Waiting = Effect.Effect<void, never, Services> | undefined

const beginRound = (state: RunState): Waiting => {
  state.working = 1
  state.idle = undefined
  return work(state)
}

/** Whether a graph at rest has another round before it. */
const hasRound = (state: RunState): boolean => state.delivered.length > 0 && !state.isHeld

const rounds = (state: RunState, waiting: Waiting): Effect.Effect<void, RoundsExceeded, Services> =>
  Effect.flatMap(
    waiting === undefined ? Effect.void : untilIdle(state, waiting),
    () => hasRound(state) ? Effect.flatMap(nextRound(state), () => rounds(state, beginRound(state))) : Effect.void
  )

/** Until nothing may begin and nobody is working. */
const untilIdle = (state: RunState, waiting: Effect.Effect<void, never, Services>) =>
  Effect.flatMap(waiting, () => {
    if (state.broken !== undefined) return state.broken
    if (--state.working === 0) return Effect.void
    state.idle = Deferred.unsafeMake(FiberId.none)
    return Deferred.await(state.idle)
  })

/** How many components run inline before other fibers get their turn. */
const inlineSteps = 512

const worker = (state: RunState): Effect.Effect<void, never, Services> =>
  Effect.suspend(() => state.broken ?? work(state) ?? Effect.void)

/** Runs what is ready and may begin, until a component has to be waited for. */
const work = (state: RunState): Waiting => {
  for (let steps = 0; steps < inlineSteps; steps++) {
    const index = state.next()
    if (index === undefined) return undefined
    const waiting = state.begin(index)
    if (waiting === undefined) continue
    // The last ready component stays on this fiber; it is forked only when another one is ready beside it.
    return state.hasReady
      ? Effect.zipRight(fork(state, Effect.flatMap(waiting, () => worker(state))), worker(state))
      : Effect.flatMap(waiting, () => worker(state))
  }
  return Effect.zipRight(Effect.yieldNow(), worker(state))
}

/** While the run is being stopped it starts nobody: the end of the run would not wait for them. */
const fork = (state: RunState, work: Effect.Effect<void, never, Services>) =>
  Effect.suspend(() => {
    if (state.broken !== undefined) return state.broken
    state.working++
    const scope = state.scope
    const forked = scope !== undefined
      ? Effect.forkIn(counted(state, work), scope)
      : Effect.flatMap(Scope.make(), (made) => Effect.forkIn(counted(state, work), state.scope = made))
    return Effect.flatMap(
      forked,
      (fiber) => state.broken === undefined ? Effect.void : Effect.uninterruptible(Fiber.interrupt(fiber))
    )
  })

const counted = (state: RunState, work: Effect.Effect<void, never, Services>) =>
  Effect.onExit(work, (exit) =>
    Effect.sync(() => {
      state.working--
      if (Exit.isFailure(exit)) state.broken ??= Exit.failCause(exit.cause)
      if (state.idle === undefined) return
      if (state.broken !== undefined) Deferred.unsafeDone(state.idle, state.broken)
      else if (state.working === 0) Deferred.unsafeDone(state.idle, Exit.void)
    }))

/** What back edges brought starts another round of the part behind them, once all else has come to rest. */
const nextRound = (state: RunState): Effect.Effect<void, RoundsExceeded> =>
  Effect.suspend(() => {
    // In document order: what was delivered first is a matter of timing.
    const heads = new Set(state.delivered.map(({ edge }) => state.program.edges[edge]!.target).sort((a, b) => a - b))
    const ids = Array.from(heads, (head) => state.program.nodes[head]!.info.id)
    if (state.round + 1 >= state.options.maxRounds) {
      return Effect.fail(
        new RoundsExceeded({ agent: state.options.agentId, components: ids, maxRounds: state.options.maxRounds })
      )
    }
    state.startRound(heads)
    state.options.emit?.({ _tag: "RoundStarted", round: state.round, heads: ids })
    return Effect.void
  })
