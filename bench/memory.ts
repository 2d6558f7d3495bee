/** What agents and runs cost that do nothing: loaded and idle, or held between two steps. And whether runs leave anything. */
import { Context, Effect } from "effect"
import { Agents } from "../src/agents/Agents.ts"
import * as Candidate from "../src/security/Candidate.ts"
import { Cache } from "../src/subsystems/memory/Cache.ts"
import { asker, booted, digest, load } from "./agents.ts"
import { report, row } from "./measure.ts"

const settled = async (): Promise<number> => {
  for (let turn = 0; turn < 5; turn++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage().heapUsed
}

const heap = Effect.promise(settled)
const count = 10_000

const program = Effect.gen(function*() {
  const context = yield* booted
  const agents = Context.get(context, Agents)
  const cache = Context.get(context, Cache)
  yield* load(digest).pipe(Effect.provide(context))
  const call = agents.call("digester", { endpoint: "digest", body: { text: "hello" } })

  yield* Effect.repeatN(call, 10_000)
  const before = yield* heap
  yield* Effect.repeatN(call, 1_000_000)
  report(row("growth of the heap over 1,000,000 runs", "KiB", [((yield* heap) - before) / 1024]))

  const empty = yield* heap
  const documents = Array.from({ length: count }, (_, n) => ({ ...digest, id: `agent-${n}` }))
  const made = yield* heap
  yield* Effect.forEach(documents, load, { discard: true }).pipe(Effect.provide(context))
  report(row("an idle agent of three components, its document included", "bytes", [((yield* heap) - empty) / count]))
  report(row("the same without its document", "bytes", [((yield* heap) - made) / count]))

  const idle = yield* heap
  const ids = yield* Effect.forEach(
    Array.from({ length: count }),
    () => agents.start("digester", { endpoint: "digest", body: { text: "hello" }, debug: { hold: true } })
  )
  yield* Effect.sleep("3 seconds")
  const saved = yield* heap
  yield* Effect.forEach(ids, ({ id }) => cache.remove(`runs/${id}`), { discard: true }).pipe(
    Candidate.as(Candidate.agent("digester"))
  )
  const held = yield* heap
  report(row("a paused run, its values included", "bytes", [(held - idle) / count]))
  report(row("its saved copy, where the cache is in this process", "bytes", [(saved - held) / count]))
  yield* Effect.forEach(ids, ({ id }) => agents.resume({ agent: "digester", run: id }), { discard: true })
}).pipe(Candidate.as(asker))

await Effect.runPromise(Effect.scoped(program))
process.exit(0)
