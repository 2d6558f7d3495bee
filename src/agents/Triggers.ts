/** Triggers of agents that are loaded: their registration, and what comes in for them. */
import { Deferred, Effect, Exit, Option, Schema, Stream } from "effect"
import type * as Entry from "../components/Entry.ts"
import { traced } from "../kernel/Trace.ts"
import type * as Access from "../security/Access.ts"
import * as Candidate from "../security/Candidate.ts"
import { withoutCredentials } from "../security/CredentialHeaders.ts"
import type { AgentNotFound } from "../subsystems/io/AgentData.ts"
import type { NKVError } from "../subsystems/io/NKV.ts"
import { type TriggerFailed, TriggerNotFound } from "./AgentErrors.ts"
import type { CallResult } from "./AgentRequests.ts"
import type { AgentRun, RunFailure } from "./AgentRun.ts"
import * as LoadedTrigger from "./LoadedTrigger.ts"
import * as Polls from "./Polls.ts"
import type { Processes } from "./Processes.ts"
import type { Runs } from "./Runs.ts"
import * as TriggerState from "./TriggerState.ts"
import * as TriggerWork from "./TriggerWork.ts"

export const TriggerInfo = Schema.Struct({
  name: Schema.String,
  /** `WebhookTrigger`. */
  component: Schema.String,
  /** `hook`: waits for what comes in over HTTP. `poll`: looks from time to time. */
  kind: Schema.Literal("hook", "poll"),
  registered: Schema.Boolean
})
export type TriggerInfo = typeof TriggerInfo.Type

/** What became of a request for a hook. */
export interface Reception {
  /** The runs it started; they are known like those that were started in the background. */
  readonly runs: ReadonlyArray<string>
  /** Deliveries that had come before, and started nothing. */
  readonly duplicates: number
  /** What the trigger tells the sender. */
  readonly reply: Entry.Reply | undefined
  /** Of the one run that the sender waits for. */
  readonly result: CallResult | undefined
}

export type RegisterError = AgentNotFound | TriggerNotFound | TriggerFailed | NKVError
export type ReceiveError = TriggerNotFound | TriggerFailed | Entry.Refusal | NKVError | RunFailure

/** What the process table offers of triggers. */
export interface TriggerCalls {
  /** For owners. */
  readonly triggers: (id: string) => Effect.Effect<ReadonlyArray<TriggerInfo>, AgentNotFound | NKVError>
  /** For owners. From now on it starts runs, also after a restart, whenever the agent is loaded. */
  readonly register: (id: string, trigger: string) => Effect.Effect<TriggerInfo, RegisterError>
  /** For owners. Runs that are under way go on; what was found and has no run yet is dropped. */
  readonly unregister: (id: string, trigger: string) => Effect.Effect<TriggerInfo, RegisterError>
  /**
   * What came in for a registered hook. Its sender needs no right to the agent, since the trigger judges the request; the
   * runs are the public's. Returns when they have begun: whoever is refused may send again.
   */
  readonly receive: (
    id: string,
    trigger: string,
    request: Entry.HookRequest
  ) => Effect.Effect<Reception, ReceiveError>
}

export const make = ({ guard, processes, runs }: {
  readonly guard: Access.Guard
  readonly processes: Processes
  readonly runs: Runs
}) =>
  Effect.gen(function*() {
    const states = yield* TriggerState.make
    const work = yield* TriggerWork.make
    const polls = yield* Polls.make({ processes, runs, states, work })

    const owned = Effect.fnUntraced(function*(operation: string, id: string, name: string) {
      const trigger = LoadedTrigger.find(yield* processes.owned(operation, id), name)
      return trigger ?? (yield* new TriggerNotFound({ agent: id, trigger: name }))
    })

    const isRegistered = ({ component, name, process }: LoadedTrigger.LoadedTrigger) =>
      Effect.map(
        Candidate.as(states.get(name), process.candidate),
        Option.exists((state) => state.component === component)
      )

    const put = (trigger: LoadedTrigger.LoadedTrigger): Effect.Effect<void, RegisterError> => {
      if (LoadedTrigger.isOf(trigger, "poll")) return polls.register(trigger)
      const { component, name, place, source } = trigger as LoadedHook
      return Effect.zipRight(
        states.set(name, { component, schedule: "", cursor: "", pending: [] }),
        // The sender may look at once whether anybody answers.
        source.subscribe === undefined ? Effect.void : work(trigger, () => source.subscribe!(place))
      )
    }

    const take = (trigger: LoadedTrigger.LoadedTrigger): Effect.Effect<void, RegisterError> => {
      if (LoadedTrigger.isOf(trigger, "poll")) return polls.unregister(trigger)
      const { place, source } = trigger as LoadedHook
      return source.unsubscribe === undefined ? Effect.void : work(trigger, () => source.unsubscribe!(place))
    }

    /** Starts the run in the background; done when it has begun, or was refused. */
    const started = (run: AgentRun): Effect.Effect<void, RunFailure> =>
      Effect.flatMap(
        Stream.runHead(run.events!.from(0)),
        Option.match({ onNone: () => Effect.asVoid(Deferred.await(run.outcome)), onSome: () => Effect.void })
      )

    /** The run of a delivery, unless it came before. One that was refused, or that nobody waits for any more, may come again. */
    const deliver = (
      trigger: LoadedHook,
      { ids = [], payload }: Entry.Delivery,
      { headers, query }: Entry.HookRequest,
      waits: boolean
    ) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const { name, plan, process } = trigger
          if (!(yield* Candidate.as(states.claim(name, ids), process.candidate))) return undefined
          const origin = LoadedTrigger.origin(trigger, payload, { headers: withoutCredentials(headers), query })
          const run = yield* runs.begin(origin, plan, { events: !waits })
          const end = waits
            ? Effect.map(runs.complete(run), (result): CallResult => ({ ...result, runId: run.id }))
            : Effect.as(Effect.zipRight(runs.launch(run), started(run)), undefined)
          const result = yield* Effect.onExit(restore(end), (exit) =>
            Exit.isFailure(exit) && (waits || !run.hasBegun)
              ? Effect.ignore(Candidate.as(states.release(name, ids), process.candidate))
              : Effect.void)
          return { run: run.id, result }
        })
      )

    const calls: TriggerCalls = {
      triggers: Effect.fnUntraced(function*(id) {
        const all = LoadedTrigger.all(yield* processes.owned("triggers", id))
        return yield* Effect.forEach(all, (one) => Effect.map(isRegistered(one), (is) => infoOf(one, is)))
      }, traced("Agents.triggers")),
      register: Effect.fnUntraced(function*(id, name) {
        const trigger = yield* owned("register", id, name)
        const before = yield* isRegistered(trigger)
        yield* put(trigger).pipe(
          // One that was registered goes on as it was.
          Effect.onError(() => before ? Effect.void : Effect.ignore(states.remove(name))),
          Candidate.as(trigger.process.candidate)
        )
        return infoOf(trigger, true)
      }, traced("Agents.register")),
      unregister: Effect.fnUntraced(function*(id, name) {
        const trigger = yield* owned("unregister", id, name)
        yield* Candidate.as(Effect.zipRight(states.remove(name), take(trigger)), trigger.process.candidate)
        return infoOf(trigger, false)
      }, traced("Agents.unregister")),
      receive: Effect.fnUntraced(function*(id, name, request) {
        yield* guard.candidate("receive")
        const trigger = LoadedTrigger.find(processes.loaded(id), name)
        if (!LoadedTrigger.isOf(trigger, "hook") || !(yield* isRegistered(trigger))) {
          return yield* new TriggerNotFound({ agent: id, trigger: name })
        }
        const { deliveries, reply, waits = false } = yield* work(trigger, () =>
          trigger.source.receive(request, trigger.place))
        const alone = waits && deliveries.length === 1
        const ends = yield* Effect.forEach(deliveries, (one) =>
          deliver(trigger, one, request, alone))
        const begun = ends.filter((end) => end !== undefined)
        return {
          runs: begun.map(({ run }) => run),
          duplicates: ends.length - begun.length,
          reply,
          result: begun[0]?.result
        }
      }, traced("Agents.receive"))
    }
    return { calls, attach: polls.attach, detach: polls.detach }
  })

type LoadedHook = LoadedTrigger.LoadedTrigger<Entry.Hook<never>>

const infoOf = (
  { component, name, source: { kind } }: LoadedTrigger.LoadedTrigger,
  registered: boolean
): TriggerInfo => ({
  name,
  component,
  kind,
  registered
})
