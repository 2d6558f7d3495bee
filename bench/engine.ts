/** One run of an agent, in process: what a step costs, and what a call costs around the steps. */
import { Context, Effect, Runtime, Tracer } from "effect"
import { Agents } from "../src/agents/Agents.ts"
import * as Candidate from "../src/security/Candidate.ts"
import { asker, booted, chain, digest, fan, load, loop } from "./agents.ts"
import { micros, report, row } from "./measure.ts"

/** What a step cannot cost less than: the same look at who is asking, and a copy of the outputs. */
const plainEffect = (length: number) =>
  Effect.iterate({ at: 0, value: { out: "x" } }, {
    while: ({ at }) => at < length,
    body: ({ at, value }) => Effect.map(Candidate.current, () => ({ at: at + 1, value: { ...value } }))
  })

/** A tracer that keeps nothing, so that what is measured is the making of spans. */
const tracer = Tracer.make({
  context: (f) => f(),
  span: (name, parent, context, links, startTime, kind) => ({
    _tag: "Span",
    spanId: "s",
    traceId: "t",
    sampled: true,
    status: { _tag: "Started", startTime },
    attributes: new Map(),
    name,
    parent,
    context,
    links,
    kind,
    end: () => {},
    attribute: () => {},
    event: () => {},
    addLinks: () => {}
  })
})

const program = Effect.gen(function*() {
  const context = yield* booted
  const documents = [chain(0), chain(10), chain(100), chain(1000), chain(10_000), fan(100, "Pass"), fan(100, "Later")]
  yield* Effect.forEach([...documents, loop, digest], load).pipe(Effect.provide(context))
  const agents = Context.get(context, Agents)
  const run = Runtime.runPromise(yield* Effect.runtime())

  const call = (id: string, endpoint: string, body: unknown) =>
    Candidate.as(agents.call(id, { endpoint, method: "POST", body }), asker)
  const measured = <A, E>(effect: Effect.Effect<A, E>, turns: number) =>
    Effect.promise(() => micros(() => run(effect), turns))

  const alone = yield* measured(call("chain-0", "go", { x: "x" }), 10_000)
  report(row("call of an agent that is only an endpoint", "µs", alone))
  report(
    row(
      "call of the digest agent (3 steps)",
      "µs",
      yield* measured(call("digester", "digest", { text: "hello" }), 10_000)
    )
  )
  const least = Math.min(...alone)
  const perPart = (samples: ReadonlyArray<number>, parts: number) => samples.map((micros) => (micros - least) / parts)

  const floor = yield* measured(Candidate.as(plainEffect(1000), asker), 200)
  report(row("a step in a plain Effect loop of 1000", "µs", floor.map((micros) => micros / 1000)))
  for (const [length, turns] of [[10, 5000], [100, 1000], [1000, 200], [10_000, 20]] as const) {
    const samples = yield* measured(call(`chain-${length}`, "go", { x: "x" }), turns)
    report(row(`a step in a chain of ${length} trivial components`, "µs", perPart(samples, length)))
    if (length === 1000) {
      const median = (values: ReadonlyArray<number>) => Array.from(values).sort((a, b) => a - b)[values.length >> 1]!
      report(
        row("the same against the plain Effect loop", "×", [median(perPart(samples, 1000)) * 1000 / median(floor)])
      )
    }
  }
  const traced = yield* measured(Effect.withTracer(call("chain-100", "go", { x: "x" }), tracer), 200)
  report(row("a step in a chain of 100, a span each", "µs", perPart(traced, 100)))
  report(
    row(
      "a branch of a fan-out and join over 100",
      "µs",
      perPart(yield* measured(call("fan-Pass", "go", { x: "x" }), 500), 100)
    )
  )
  report(row(
    "the same, of components that wait",
    "µs",
    perPart(yield* measured(call("fan-Later", "go", { x: "x" }), 200), 100)
  ))
  const items = Array.from({ length: 1000 }, (_, n) => `i${n}`)
  report(
    row("an item of a loop over 1,000", "µs", perPart(yield* measured(call("loop", "go", { x: items }), 100), 1000))
  )
})

await Effect.runPromise(Effect.scoped(program))
