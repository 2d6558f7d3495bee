/** One run of an agent, in process: what a step costs, and what a call costs around the steps. */
import { Context, Effect, Runtime } from "effect"
import { Agents } from "../src/agents/Agents.ts"
import * as Candidate from "../src/security/Candidate.ts"
import { asker, booted, chain, digest, load } from "./agents.ts"
import { micros, report, row } from "./measure.ts"

const program = Effect.gen(function*() {
  const context = yield* booted
  yield* Effect.forEach([chain(0), chain(100), chain(1000), digest], load).pipe(Effect.provide(context))
  const agents = Context.get(context, Agents)
  const run = Runtime.runPromise(yield* Effect.runtime())

  const measured = (id: string, endpoint: string, body: unknown, turns: number) =>
    Effect.promise(() =>
      micros(() => run(Candidate.as(agents.call(id, { endpoint, method: "POST", body }), asker)), turns)
    )

  const alone = yield* measured("chain-0", "go", { x: "x" }, 10_000)
  report(row("call of an agent that is only an endpoint", "µs", alone))
  report(
    row("call of the digest agent (3 steps)", "µs", yield* measured("digester", "digest", { text: "hello" }, 10_000))
  )
  const least = Math.min(...alone)
  for (const [length, turns] of [[100, 1000], [1000, 200]] as const) {
    const samples = yield* measured(`chain-${length}`, "go", { x: "x" }, turns)
    report(row(
      `a step in a chain of ${length} trivial components`,
      "µs",
      samples.map((micros) => (micros - least) / length)
    ))
  }
})

await Effect.runPromise(Effect.scoped(program))
