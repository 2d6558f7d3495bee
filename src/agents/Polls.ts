/** The triggers that look from time to time: each has a job of its agent, which delivers what it finds. */
import { Effect, ExecutionStrategy, Exit, Option, Schema, Scope } from "effect"
import type { Poll } from "../components/Entry.ts"
import * as Candidate from "../security/Candidate.ts"
import * as Scheduler from "../subsystems/compute/Scheduler.ts"
import type { NKVError } from "../subsystems/io/NKV.ts"
import { TriggerFailed } from "./AgentErrors.ts"
import * as LoadedTrigger from "./LoadedTrigger.ts"
import type { Process } from "./Process.ts"
import type { Processes } from "./Processes.ts"
import type { Runs } from "./Runs.ts"
import type { TriggerStates } from "./TriggerState.ts"
import type { TriggerWork } from "./TriggerWork.ts"

type LoadedPoll = LoadedTrigger.LoadedTrigger<Poll<never>>

export const make = ({ processes, runs, states, work }: {
  readonly processes: Processes
  readonly runs: Runs
  readonly states: TriggerStates
  readonly work: TriggerWork
}) =>
  Effect.gen(function*() {
    const scheduler = yield* Scheduler.Scheduler
    const kinds = yield* Scheduler.JobKinds
    const scope = yield* Effect.scope
    /** Of agents that have polls: open while their jobs can run. */
    const open = new Map<string, Scope.CloseableScope>()
    /** By their jobs. */
    const underWay = new Set<string>()
    let closing = false
    yield* Effect.addFinalizer(() => Effect.sync(() => void (closing = true)))

    const schedule = (trigger: LoadedPoll): Effect.Effect<void, TriggerFailed | NKVError> =>
      Effect.catchTag(
        scheduler.add(LoadedTrigger.jobId(trigger.name), {
          task: { kind: LoadedTrigger.jobKind(trigger.process.id), data: { trigger: trigger.name } },
          schedule: scheduleOf(trigger),
          // Each of its runs has a timeout of its own.
          timeout: "1d",
          name: `${trigger.component} ${trigger.name} of ${trigger.process.id}`
        }),
        "InvalidJob",
        ({ problem }) => failed(trigger, problem)
      )

    /** The jobs of an agent run while it is loaded; those of one that is not wait. */
    const attach = Effect.fnUntraced(function*(process: Process) {
      const polls = LoadedTrigger.all(process).filter((one) => LoadedTrigger.isOf(one, "poll"))
      if (polls.length === 0) return yield* detach(process.id)
      if (!open.has(process.id)) {
        const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
        open.set(process.id, own)
        yield* Scope.extend(kinds.register(kindOf(process.id)), own)
      }
      yield* Effect.forEach(polls, renewed, { discard: true }).pipe(
        Effect.catchAll((error) => Effect.logWarning(`triggers of ${process.id}: ${error.message}`)),
        Candidate.as(process.candidate)
      )
    })

    const detach = (id: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const own = open.get(id)
        open.delete(id)
        return own === undefined ? Effect.void : Scope.close(own, Exit.void)
      })

    /** The job of a registered poll has the schedule that the document has now. */
    const renewed = Effect.fnUntraced(function*(trigger: LoadedPoll) {
      const state = yield* states.get(trigger.name)
      if (Option.isNone(state) || state.value.component !== trigger.component) return
      const text = JSON.stringify(scheduleOf(trigger))
      if (state.value.schedule === text && Option.isSome(yield* scheduler.get(LoadedTrigger.jobId(trigger.name)))) {
        return
      }
      yield* schedule(trigger)
      yield* states.update(trigger.name, (state) => ({ ...state, schedule: text }))
    })

    const kindOf = (agent: string) => ({
      name: LoadedTrigger.jobKind(agent),
      check: (data: unknown) => Option.isSome(decodeTask(data)) ? Option.none() : Option.some(wrongTask),
      run: (data: unknown, { due, owner }: Scheduler.Occurrence) =>
        Option.match(decodeTask(data), {
          onNone: () => Effect.fail({ message: wrongTask }),
          onSome: ({ trigger }) =>
            owner.role === "agent" && owner.id === agent
              ? alone(`${agent}/${trigger}`, fire(agent, trigger, due))
              : Effect.fail({ message: "an agent's triggers have no jobs but its own" })
        })
    })

    /** A job that was replaced ends a while after the new one begins, which leaves the rest to it then. */
    const alone = <A, E>(key: string, self: Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A | void, E> => {
        if (underWay.has(key)) return Effect.void
        underWay.add(key)
        return Effect.ensuring(self, Effect.sync(() => underWay.delete(key)))
      })

    /** Looks, and delivers what was found, one after the other; who is interrupted goes on the next time. */
    const fire = Effect.fnUntraced(function*(agent: string, name: string, due: number) {
      const trigger = LoadedTrigger.find(processes.loaded(agent), name)
      const known = yield* states.get(name)
      if (
        !LoadedTrigger.isOf(trigger, "poll") || Option.isNone(known) || known.value.component !== trigger.component
      ) return yield* scheduler.remove(LoadedTrigger.jobId(name))
      let pending = known.value.pending
      if (pending.length === 0) {
        const { cursor, items } = yield* work(
          trigger,
          () => trigger.source.look(known.value.cursor, due, trigger.place)
        )
        const next = yield* states.update(name, (state) => ({ ...state, cursor, pending: items }))
        pending = Option.isSome(next) ? items : []
      }
      const failures: Array<string> = []
      for (const item of pending) {
        const payload = yield* work(trigger, () => trigger.source.load(item, trigger.place))
        const failure = Option.isSome(payload) ? yield* deliver(trigger, payload.value) : undefined
        if (failure !== undefined) failures.push(failure)
        const state = yield* states.update(name, (state) => ({
          ...state,
          pending: state.pending.filter((one) => one !== item)
        }))
        if (Option.isNone(state)) break
      }
      if (failures.length > 0) {
        return yield* failed(trigger, `${failures.length} of ${pending.length} runs failed, first ${failures[0]}`)
      }
    })

    /** Runs it to its end. What had no chance to run is not done: it is delivered again. */
    const deliver = Effect.fnUntraced(function*(trigger: LoadedPoll, payload: unknown) {
      const origin = LoadedTrigger.origin(trigger, payload, { headers: {}, query: {} })
      const run = yield* runs.begin(origin, trigger.plan, { events: false })
      return yield* runs.complete(run).pipe(
        Effect.map(({ failed }) => failed ? `${run.id}: a component failed` : undefined),
        Effect.catchAll((error) =>
          error._tag === "Overloaded" || error._tag === "ShuttingDown" ||
            (error._tag === "RunStopped" && (closing || processes.loaded(trigger.process.id) === undefined))
            ? Effect.fail(error)
            : Effect.succeed(error.message)
        )
      )
    })

    return {
      attach,
      detach,
      /** One that is registered goes on where it is. */
      register: Effect.fnUntraced(function*(trigger: LoadedPoll) {
        const before = yield* states.get(trigger.name)
        if (Option.exists(before, ({ component }) => component === trigger.component)) return yield* renewed(trigger)
        const cursor = yield* work(trigger, () => trigger.source.begin(trigger.place))
        const state = {
          component: trigger.component,
          schedule: JSON.stringify(scheduleOf(trigger)),
          cursor,
          pending: []
        }
        yield* states.set(trigger.name, state)
        yield* schedule(trigger)
      }),
      unregister: ({ name }: LoadedPoll) => scheduler.remove(LoadedTrigger.jobId(name))
    }
  })

const scheduleOf = ({ place, source }: LoadedPoll) => source.schedule(place.config)

const decodeTask = Schema.decodeUnknownOption(Schema.Struct({ trigger: Schema.NonEmptyString }))
const wrongTask = "expected the name of a trigger: { trigger }"

const failed = ({ name, process }: LoadedPoll, problem: string) =>
  new TriggerFailed({ agent: process.id, trigger: name, problem })
