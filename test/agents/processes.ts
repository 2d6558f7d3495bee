/** Agents in a whole system in memory, and what tests ask of their runs. */
import { Data, Effect, Schedule } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents, type RunRef, type RunStatus, type StartRequest } from "../../src/agents/Agents.ts"
import * as Component from "../../src/components/Component.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as System from "../fixtures/System.ts"
import { agentDocument, Count, Crash, endpoint, Fail, Pass, type Short, Wait } from "./documents.ts"

export const asA = Candidate.as(Candidate.user("a"))
export const asB = Candidate.as(Candidate.user("b"))
export const asTeamA = Candidate.as(Candidate.team("ta"))

/** Waits until the test opens it: `gates` holds those that wait, by what they got. */
export const gates = new Map<unknown, () => void>()
export const Gated = Component.make("Gated", {
  description: "Waits for the test.",
  category: "data",
  openInputs: true,
  openOutputs: true,
  run: ({ inputs }) => {
    const [value] = Object.values(inputs)
    return Effect.async<Component.Outputs>((resume) => {
      gates.set(value, () => {
        gates.delete(value)
        resume(Effect.succeed({ out: value }))
      })
      return Effect.sync(() => gates.delete(value))
    })
  }
})

export const components = [Pass, Wait, Fail, Crash, Count, Gated]

export const system = (options: Parameters<typeof System.layer>[0] = {}) => System.layer({ components, ...options })

export const gated: Short = { name: "Gated", in: ["v"] }
export const pass: Short = { name: "Pass", in: ["v"] }
export const out: Short = { name: "Pass", in: ["v"] }

/** Loads `agentA`, and gives how to start a run of it. */
export const agentA = (
  parts: Record<string, Short>,
  connections: ReadonlyArray<string>,
  rest: Record<string, unknown> = {}
) =>
  Effect.gen(function*() {
    const agents = yield* Agents
    const document = agentDocument({ E: endpoint("x"), ...parts }, connections, { id: "agentA", ...rest })
    yield* agents.load(yield* AgentDefinition.fromUnknown(document))
    const start = (x: unknown, request: Partial<StartRequest> = {}) =>
      Effect.map(
        agents.start("agentA", { endpoint: "go", body: { x }, ...request }),
        ({ id }): RunRef => ({ agent: "agentA", run: id })
      )
    const call = (x: unknown) => agents.call("agentA", { endpoint: "go", body: { x } })
    return { agents, call, start }
  })

const soon = Schedule.intersect(Schedule.spaced("5 millis"), Schedule.recurs(2000))

class NotYet extends Data.TaggedError("NotYet")<{ readonly value: unknown }> {}

/** Until something is so. */
export const until = <A, E, R>(
  read: Effect.Effect<A, E, R>,
  is: (value: A) => boolean
): Effect.Effect<A, E | NotYet, R> =>
  Effect.retry(Effect.filterOrFail(read, is, (value) => new NotYet({ value })), {
    schedule: soon,
    while: (error) => error instanceof NotYet
  })

export const summaryOf = (ref: RunRef) =>
  Effect.flatMap(
    Effect.flatMap(Agents, (agents) => agents.runs(ref.agent)),
    (runs) => {
      const found = runs.find(({ id }) => id === ref.run)
      return found === undefined ? Effect.dieMessage("the run is not known") : Effect.succeed(found)
    }
  )

export const reaches = (ref: RunRef, status: RunStatus) => until(summaryOf(ref), (run) => run.status === status)

export const waiting = (value: unknown) => until(Effect.sync(() => gates.has(value)), (is) => is)

export const open = (value: unknown) => Effect.zipRight(waiting(value), Effect.sync(() => gates.get(value)!()))

export const resultOf = (answer: unknown): Record<string, unknown> =>
  (answer as { readonly result: Record<string, unknown> }).result
