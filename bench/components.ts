/** What components cost, beside the least that the same could cost. */
import { Context, Effect, Layer, Runtime } from "effect"
import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { request } from "undici"
import { Agents } from "../src/agents/Agents.ts"
import { UndiciOutbound } from "../src/connectors/outbound/UndiciOutbound.ts"
import { RAMVec } from "../src/connectors/vectordb/RAMVec.ts"
import * as Pull from "../src/kernel/Pull.ts"
import * as TemplateString from "../src/kernel/TemplateString.ts"
import * as Candidate from "../src/security/Candidate.ts"
import { Code } from "../src/subsystems/compute/Code.ts"
import { Outbound } from "../src/subsystems/io/Outbound.ts"
import { VectorDB } from "../src/subsystems/io/VectorDB.ts"
import { asker, line, load, system } from "./agents.ts"
import { inTurns, micros, report, row } from "./measure.ts"
import { served } from "./served.ts"

const names = Array.from({ length: 10 }, (_, n) => `name${n}`)
const values = Object.fromEntries(names.map((name, n) => [name, `value ${n}`]))
const template = TemplateString.parse(names.map((name) => `The ${name} is {{${name}}}. `).join(""))
const byHand = (data: Readonly<Record<string, string>>) => {
  let out = ""
  for (const name of names) out += `The ${name} is ${data[name]}. `
  return out
}

const templates = Effect.gen(function*() {
  const times = (render: () => string) => () => {
    let chars = 0
    for (let n = 0; n < 1000; n++) chars += render().length
    return chars
  }
  const pairs = yield* Effect.promise(() =>
    inTurns(times(() => byHand(values)), times(() => TemplateString.render(template, values)), 20)
  )
  report(row("a template with 10 tokens", "µs", pairs.map(({ ours }) => ours.wall / 1000)))
  report(row("the same against plain code", "×", pairs.map(({ bare, ours }) => ours.cpu / bare.cpu)))
})

const length = 100
const filtered = line("filter", length, {
  name: "JSONFilter",
  data: { fields: "a, b, c" },
  input: "Input",
  output: "Output"
})
const gated = line("gate", length, { name: "LogicAND", data: {}, input: "In", output: "Verified" })
const record = { a: 1, b: { a: "x", d: 2 }, c: [{ a: 1, e: 2 }], f: 3 }

const pages = 1000
const words = ["sun", "moon", "river", "mountain", "letter", "garden", "window", "engine", "harbour", "winter"]
/** About 3,000 characters. */
const page = (n: number) =>
  Array.from({ length: 450 }, (_, at) => words[(at * at + at * n) % words.length]).join(" ") + ` ${n}`

const sandboxed = { code: "async function main(a, b) { return a + b }", inputs: { a: 1, b: 2 } }
/** Microseconds of single turns, each after a rest in which the threads fell asleep. */
const atRest = async (turn: () => Promise<unknown>) => {
  const samples: Array<number> = []
  for (let n = 0; n < 100; n++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    const started = performance.now()
    await turn()
    samples.push((performance.now() - started) * 1000)
  }
  return samples.slice(20)
}
/** A thread that sends back what it gets: the least of the way to a sandbox and from it. */
const echo = () => {
  const thread = new Worker(
    `const { parentPort: port } = require("node:worker_threads"); port.on("message", (m) => port.postMessage(m))`,
    { eval: true }
  )
  return async () => {
    thread.postMessage(sandboxed)
    await once(thread, "message")
  }
}

const program = Effect.gen(function*() {
  yield* templates

  const origin = yield* served
  const context = yield* Layer.build(system({
    outbound: UndiciOutbound.layer({ allow: [new URL(origin).host] }),
    vectorDB: RAMVec.layer({})
  }))
  const run = Runtime.runPromise(yield* Effect.runtime())
  const asked = <A, E>(self: Effect.Effect<A, E>) => run(Candidate.as(self, asker))
  const agents = Context.get(context, Agents)
  const fetched = line("fetched", 1, {
    name: "APICall",
    data: { method: "GET", url: origin },
    input: "In",
    output: "Response"
  })
  const alone = line("alone", 0, { name: "LogicAND", data: {}, input: "In", output: "Verified" })
  const later = line("later", 1, { name: "Later", data: {}, input: "in", output: "out" })
  yield* Effect.provide(Effect.forEach([alone, filtered, gated, fetched, later], load), context)
  const call = (id: string, x: unknown) => asked(agents.call(id, { endpoint: "go", method: "POST", body: { x } }))

  // Steps
  const least = Math.min(...(yield* Effect.promise(() => micros(() => call("alone", record), 5000))))
  for (const [what, id] of [["JSONFilter", "filter"], ["LogicAND", "gate"]] as const) {
    const samples = yield* Effect.promise(() => micros(() => call(id, record), 500))
    report(row(`a step of ${what} in a chain of ${length}`, "µs", samples.map((micros) => (micros - least) / length)))
  }

  // Code
  const code = Context.get(context, Code)
  const ways = [["a thread alone, there and back", echo()], ["a sandbox", () => asked(code.run(sandboxed))]] as const
  for (const [what, turn] of ways) {
    report(row(`${what}: calls one after another`, "µs", yield* Effect.promise(() => micros(turn, 500))))
    report(row(`${what}: a call that finds it at rest`, "µs", yield* Effect.promise(() => atRest(turn))))
  }

  // Pages
  const vectors = Context.get(context, VectorDB)
  yield* Effect.promise(() => asked(vectors.createNamespace("pages")))
  const started = performance.now()
  yield* Effect.promise(() =>
    asked(Effect.forEach(Array.from({ length: pages }, (_, n) => n), (n) =>
      vectors.createDatasource("pages", {
        id: `page-${n}`,
        label: `page ${n}`,
        text: [page(n)],
        chunkSize: 512,
        chunkOverlap: 100
      }), { discard: true }))
  )
  report(row("1,000 pages of 3,000 characters indexed, hashed embeddings", "ms", [performance.now() - started]))

  // A call of an API: each way reads the answer and parses it, over one connection that stays open.
  const outbound = Context.get(context, Outbound)
  const read = Effect.scoped(Effect.gen(function*() {
    const { body } = yield* outbound.open({ method: "GET", url: origin })
    const chunks: Array<Uint8Array> = []
    yield* Effect.ignore(Effect.forever(Effect.map(yield* Pull.open(body), (some) => chunks.push(...some))))
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown
  }))
  const bare = async () => (await request(origin)).body.json()
  const theirs: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
    ["an agent with a component that waits, no API", () => call("later", "x")],
    ["the service Outbound", () => asked(read)],
    ["an agent with one APICall", () => call("fetched", "x")]
  ]
  for (const [what, turn] of theirs) {
    const pairs = yield* Effect.promise(() => inTurns(bare, turn, 1000))
    if (what === theirs[0]![0]) report(row("an API: undici alone", "µs", pairs.map(({ bare }) => bare.wall)))
    report(row(`an API: ${what}`, "µs", pairs.map(({ ours }) => ours.wall)))
    report(
      row(`an API: ${what}: processor time beyond undici's`, "µs", pairs.map(({ bare, ours }) => ours.cpu - bare.cpu))
    )
  }
})

await Effect.runPromise(Effect.scoped(program))
process.exit(0)
