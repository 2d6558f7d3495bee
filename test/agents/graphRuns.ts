/** Runs random graphs, with steps that take random time, and looks at what they leave behind. */
import { assert } from "@effect/vitest"
import { Effect, Either, FastCheck, Supervisor } from "effect"
import type { AgentEventBody } from "../../src/agents/AgentEvents.ts"
import * as IdleClock from "../fixtures/IdleClock.ts"
import { runDocument } from "./documents.ts"
import { atOnce, documentOf, type Graph, registryOf, type Timing, withoutJobIds } from "./graphs.ts"
import { interpret, type Interpreted, Stuck, TooManyRounds, Unsuitable } from "./interpreter.ts"

export const maxRounds = 4

/** How many graphs of a kind: `SRE_GRAPHS=100000 npx vitest run test/agents/Graphs.test.ts` for more of them. */
export const count = (usual: number): number => Math.ceil(usual * Number(process.env["SRE_GRAPHS"] ?? 1000) / 1000)

/** What the rules say; none for a graph that would take too long. */
export const expected = (graph: Graph): Interpreted | TooManyRounds | Stuck | undefined => {
  try {
    return interpret(graph, 7, maxRounds, 3000)
  } catch (error) {
    if (error instanceof Unsuitable) return undefined
    if (error instanceof TooManyRounds || error instanceof Stuck) return error
    throw error
  }
}

/** Some steps are run inline, some let others run, some sleep; the same key always does the same. */
export const timed = (seed: number): Timing => (key) => {
  let hash = seed
  for (const sign of key) hash = Math.imul(hash ^ sign.charCodeAt(0), 16_777_619)
  const how = (hash >>> 8) % 10
  return how < 4 ? undefined : how < 7 ? Effect.repeatN(Effect.yieldNow(), how) : Effect.sleep((hash >>> 12) % 50)
}

/** Nothing that was forked is left when it has ended. */
export const leavingNothing = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const supervisor = yield* Supervisor.track
    const exit = yield* Effect.exit(Effect.supervised(self, supervisor))
    assert.deepStrictEqual((yield* supervisor.value).map((fiber) => fiber.id()), [], "fibers were left behind")
    return yield* exit
  })

export const live = <A, E>(self: Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(leavingNothing(Effect.provide(self, IdleClock.layer)))

/** As text, in which ids of jobs are all the same. */
export const plain = (answer: unknown): string => withoutJobIds(JSON.stringify(answer))

export const agrees = async (graph: Graph, seed: number): Promise<void> => {
  const rule = expected(graph)
  FastCheck.pre(rule !== undefined)
  for (const timing of [atOnce, timed(seed)]) {
    const steps: Array<string> = []
    const emit = (event: AgentEventBody) => {
      if (event._tag === "StepStarted") steps.push(event.key)
    }
    const result = await live(Effect.either(
      runDocument(documentOf(graph), { body: { x: 7 } }, { registry: registryOf(timing), emit, maxRounds })
    ))
    sameAs(rule, result)
    if (!(rule instanceof Error)) assert.deepStrictEqual(steps.sort(), rule.steps)
  }
}

export const sameAs = (
  rule: Interpreted | TooManyRounds | Stuck | undefined,
  result: Either.Either<
    { readonly answer: unknown; readonly failed: boolean },
    { readonly _tag: string; readonly message: string }
  >
): void => {
  if (rule === undefined || rule instanceof Stuck) {
    return assert.strictEqual(Either.isLeft(result) && result.left._tag, "InvalidAgent")
  }
  if (rule instanceof TooManyRounds) {
    return assert.strictEqual(Either.isLeft(result) && result.left.message, rule.message)
  }
  if (Either.isLeft(result)) throw result.left
  assert.strictEqual(plain(result.right.answer), plain(rule.answer))
  assert.strictEqual(result.right.failed, rule.failed)
}
