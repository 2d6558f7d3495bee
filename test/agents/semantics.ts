/** How a graph runs, as data: situations, what is asked, what is answered. The README shows the same rows. */
import { Effect } from "effect"
import * as Component from "../../src/components/Component.ts"
import { Async } from "../../src/components/logic/Async.ts"
import { Await } from "../../src/components/logic/Await.ts"
import { ForEach } from "../../src/components/logic/ForEach.ts"
import { APIEndpoint } from "../../src/components/system/APIEndpoint.ts"
import { agentDocument, Count, endpoint, Fail, runDocument, type Short } from "./documents.ts"
import { withoutJobIds } from "./graphs.ts"

interface Row {
  readonly situation: string
  readonly parts: Record<string, Short>
  readonly connections: ReadonlyArray<string>
  readonly request: Readonly<Record<string, unknown>>
  /** Of each record its component and its outputs, or the error. */
  readonly answer: string
}

/** Gives what it got as `out`. */
const Pass = Component.make("Pass", {
  description: "Passes its input on.",
  category: "data",
  openInputs: true,
  openOutputs: true,
  run: ({ inputs }) => ({ out: inputs["in2"] === undefined ? inputs["in"] : [inputs["in"], inputs["in2"]] })
})
const registry = new Map([APIEndpoint, ForEach, Async, Await, Count, Fail, Pass].map((one) => [one.name, one]))

const pass: Short = { name: "Pass", in: ["in"] }
const fail: Short = { name: "Fail", in: ["in"] }
const each: Short = { name: "ForEach", in: ["Input"], data: { format: "results-array" } }

export const rows: ReadonlyArray<Row> = [
  {
    situation: "one leaf",
    parts: { A: pass },
    connections: ["E.x -> A.in"],
    request: { x: 0 },
    answer: `A {"out":0}`
  },
  {
    situation: "several leaves: a list, in the order of the document",
    parts: { A: pass, B: pass },
    connections: ["E.x -> B.in", "E.x -> A.in"],
    request: { x: 1 },
    answer: `[A {"out":1}, B {"out":1}]`
  },
  {
    situation: "several values for one input: a list, in the order of the connections",
    parts: { A: pass, B: pass, C: pass },
    connections: ["E.x -> A.in", "E.y -> B.in", "B.out -> C.in", "A.out -> C.in"],
    request: { x: 1, y: 2 },
    answer: `C {"out":[2,1]}`
  },
  {
    situation: "a required input got no value: skipped, and all that needs it",
    parts: { A: { name: "Pass", in: ["in", "in2"] }, B: pass, C: pass },
    connections: ["E.x -> A.in", "E.y -> A.in2", "A.out -> B.in", "E.x -> C.in"],
    request: { x: 1 },
    answer: `C {"out":1}`
  },
  {
    situation: "an optional one got none: it runs without",
    parts: { A: { name: "Pass", in: ["in", "in2?"] } },
    connections: ["E.x -> A.in", "E.y -> A.in2"],
    request: { x: 1 },
    answer: `A {"out":1}`
  },
  {
    situation: "nothing behind the endpoint ran: its own record",
    parts: { A: pass },
    connections: ["E.y -> A.in"],
    request: {},
    answer: "E {\"headers\":{},\"body\":{},\"query\":{},\"params\":{}}"
  },
  {
    situation: "a failure that nobody handles is answered",
    parts: { F: fail, A: pass, B: pass },
    connections: ["E.x -> F.in", "F.out -> A.in", "E.x -> B.in"],
    request: { x: 1 },
    answer: `[F {"detail":7,"_error":"no luck"}, B {"out":1}]`
  },
  {
    situation: "a connected `_error` handles it",
    parts: { F: fail, A: pass, H: pass },
    connections: ["E.x -> F.in", "F.out -> A.in", "F._error -> H.in"],
    request: { x: 1 },
    answer: `H {"out":"no luck"}`
  },
  {
    situation: "a value goes back: another round, in which it replaces what the input held",
    parts: { N: { name: "Count", in: ["n"], out: ["out", "done"], data: { limit: 3 } }, A: pass },
    connections: ["E.x -> N.n", "N.out -> N.n", "N.done -> A.in"],
    request: { x: 0 },
    answer: `A {"out":3}`
  },
  {
    situation: "more rounds than allowed (100)",
    parts: { N: { name: "Count", in: ["n"], out: ["out", "done"], data: { limit: 1000 } } },
    connections: ["E.x -> N.n", "N.out -> N.n"],
    request: { x: 0 },
    answer: "RoundsExceeded"
  },
  {
    situation: "a loop: results in the order of the items",
    parts: { L: each, A: pass, O: pass },
    connections: ["E.x -> L.Input", "L.Loop -> A.in", "L.Result -> O.in"],
    request: { x: ["a", "b"] },
    answer: `O {"out":["a","b"]}`
  },
  {
    situation: "from outside into a body: the same for every item",
    parts: { L: each, A: { name: "Pass", in: ["in", "in2"] }, O: pass },
    connections: ["E.x -> L.Input", "L.Loop -> A.in", "E.y -> A.in2", "L.Result -> O.in"],
    request: { x: ["a", "b"], y: 1 },
    answer: `O {"out":["a",1,"b",1]}`
  },
  {
    situation: "out of a body: the list of the values",
    parts: { L: each, A: pass, O: { name: "Pass", in: ["in", "in2"] } },
    connections: ["E.x -> L.Input", "L.Loop -> A.in", "L.Result -> O.in", "A.out -> O.in2"],
    request: { x: ["a", "b"] },
    answer: `O {"out":[[],["a","b"]]}`
  },
  {
    situation: "a job: its id at once",
    parts: { J: { name: "Async", in: ["in"], out: ["in"] }, A: pass },
    connections: ["E.x -> J.in", "J.in -> A.in"],
    request: { x: 1 },
    answer: `J {"JobID":"J-job"}`
  },
  {
    situation: "and waiting for it",
    parts: { J: { name: "Async", in: ["in"], out: ["in"] }, A: pass, W: { name: "Await", in: ["Jobs"] } },
    connections: ["E.x -> J.in", "J.in -> A.in", "J.JobID -> W.Jobs"],
    request: { x: 1 },
    answer: `W {"Results":{"J-job":{"status":"done","output":{"id":"A","name":"Pass","result":{"out":1}}}}}`
  },
  {
    situation: "a required input of the endpoint is missing: refused",
    parts: { E: endpoint("x"), A: pass },
    connections: ["E.x -> A.in"],
    request: {},
    answer: "BadInput"
  }
]

export const answerOf = ({ connections, parts, request }: Row): Effect.Effect<string> =>
  runDocument(agentDocument({ E: endpoint("x?", "y?"), ...parts }, connections), { body: request }, { registry }).pipe(
    Effect.map(({ answer }) =>
      withoutJobIds(Array.isArray(answer) ? `[${answer.map(shown).join(", ")}]` : shown(answer))
    ),
    Effect.catchAll(({ _tag }) => Effect.succeed(_tag))
  )

const shown = (record: unknown): string => {
  const { id, result } = record as { readonly id: string; readonly result: unknown }
  return `${id} ${JSON.stringify(result)}`
}

export const table = [
  "| situation | connections | request | answer |",
  "| --- | --- | --- | --- |",
  ...rows.map(({ answer, connections, request, situation }) => {
    const wires = connections.map((one) => `\`${one.replace("->", "→")}\``).join(" ")
    return `| ${situation} | ${wires} | \`${JSON.stringify(request)}\` | \`${answer}\` |`
  })
].join("\n")
