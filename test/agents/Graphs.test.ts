/** Random graphs against an interpreter that is slow and plain: the engine must agree with it whatever the timing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Fiber } from "effect"
import type { AgentEventBody } from "../../src/agents/AgentEvents.ts"
import * as Component from "../../src/components/Component.ts"
import { agentDocument, components, endpoint, runDocument } from "./documents.ts"

type Kind = "pass" | "fail" | "even" | "silent"
interface Graph {
  readonly nodes: ReadonlyArray<
    { readonly kind: Kind; readonly optional: ReadonlyArray<boolean>; readonly yields: number }
  >
  /** From a node (0 is the endpoint) to an input of a later one. */
  readonly edges: ReadonlyArray<
    { readonly from: number; readonly to: number; readonly input: number; readonly onError: boolean }
  >
}

const graphs: FastCheck.Arbitrary<Graph> = FastCheck.integer({ min: 1, max: 40 }).chain((size) =>
  FastCheck.record({
    nodes: FastCheck.array(
      FastCheck.record({
        kind: FastCheck.constantFrom<Kind>("pass", "pass", "pass", "even", "fail", "silent"),
        optional: FastCheck.array(FastCheck.boolean(), { minLength: 3, maxLength: 3 }),
        yields: FastCheck.integer({ min: 0, max: 4 })
      }),
      { minLength: size, maxLength: size }
    ),
    edges: FastCheck.array(
      FastCheck.tuple(FastCheck.nat(size - 1), FastCheck.nat(size), FastCheck.nat(2), FastCheck.nat(9)).map(
        ([a, b, input, error]) => ({ from: Math.min(a, b), to: Math.max(a, b), input, onError: error === 0 })
      ).filter(({ from, to }) => from < to),
      { maxLength: size * 3 }
    )
  })
)

/** What a node of a kind gives for its inputs: `out`, or a failure, or nothing. */
const give = (
  kind: Kind,
  inputs: Readonly<Record<string, unknown>>
): { readonly out?: unknown; readonly _error?: string } => {
  const sum = JSON.stringify(inputs).length
  return kind === "fail"
    ? { _error: `failed on ${sum}` }
    : kind === "silent" || (kind === "even" && sum % 2 === 1)
    ? {}
    : { out: sum }
}

const node = (kind: Kind, yields: number) =>
  Component.make(`${kind}${yields}`, {
    description: "One node.",
    category: "data",
    openInputs: true,
    openOutputs: true,
    run: ({ inputs }) => {
      const { _error, ...outputs } = give(kind, inputs)
      const result = _error === undefined
        ? Effect.succeed(outputs)
        : Effect.fail(new Component.ComponentFailed({ message: _error }))
      if (yields === 0) return _error === undefined ? outputs : new Component.ComponentFailed({ message: _error })
      return Effect.zipRight(Effect.repeatN(Effect.yieldNow(), yields), result)
    }
  })

const kinds: ReadonlyArray<Kind> = ["pass", "fail", "even", "silent"]
const registry = new Map([
  ...components,
  ...kinds.flatMap((kind) => [0, 1, 2, 3, 4].map((yields) => [`${kind}${yields}`, node(kind, yields)] as const))
])

const documentOf = ({ edges, nodes }: Graph, yields?: ReadonlyArray<number>) =>
  agentDocument(
    {
      N0: endpoint("x"),
      ...Object.fromEntries(nodes.map(({ kind, optional, yields: own }, at) => [`N${at + 1}`, {
        name: `${kind}${yields?.[at] ?? own}`,
        in: optional.map((isOptional, input) => `i${input}${isOptional ? "?" : ""}`),
        out: ["out"]
      }]))
    },
    edges.map(({ from, input, onError, to }) =>
      `N${from}.${from === 0 ? "x" : onError ? "_error" : "out"} -> N${to}.i${input}`
    )
  )

/** The rule of the dataflow, read aloud: nodes in order, since every edge leads to a later one. */
const interpret = ({ edges, nodes }: Graph, x: unknown): unknown => {
  const reached = new Set([0])
  for (const { from, to } of [...edges].sort((a, b) => a.from - b.from)) if (reached.has(from)) reached.add(to)
  const outputs: Array<{ readonly out?: unknown; readonly _error?: string } | undefined> = [{ out: x }]
  const inputsOf: Array<Record<string, unknown>> = [{}]
  for (let at = 1; at <= nodes.length; at++) {
    const { kind, optional } = nodes[at - 1]!
    const inputs: Record<string, unknown> = {}
    let missing = false
    optional.forEach((isOptional, input) => {
      const incoming = edges.filter((edge) => edge.to === at && edge.input === input)
      const values = incoming.map(({ from, onError }) => outputs[from]?.[onError && from > 0 ? "_error" : "out"])
        .filter((value) => value !== undefined)
      if (values.length > 0) inputs[`i${input}`] = values.length === 1 ? values[0] : values
      else if (incoming.length > 0 && !isOptional) missing = true
    })
    inputsOf[at] = inputs
    outputs[at] = missing || Object.keys(inputs).length === 0 || !reached.has(at) ? undefined : give(kind, inputs)
  }
  const records = { leaves: new Array<unknown>(), silent: new Array<unknown>() }
  outputs.forEach((given, at) => {
    if (given === undefined) return
    const outgoing = edges.filter(({ from }) => from === at)
    const port = (onError: boolean) => onError && at > 0 ? "_error" as const : "out" as const
    const fired = outgoing.some(({ onError }) => given[port(onError)] !== undefined)
    const name = at === 0 ? "APIEndpoint" : `${nodes[at - 1]!.kind}*`
    const result = at === 0 ? { headers: {}, body: { x }, query: {}, params: {} } : given
    if (fired) return
    if (given._error !== undefined || outgoing.length === 0) records.leaves.push({ id: `N${at}`, name, result })
    else records.silent.push({ id: `N${at}`, name, result })
  })
  const chosen = records.leaves.length > 0 ? records.leaves : records.silent
  return chosen.length === 1 ? chosen[0] : chosen
}

/** The timing is part of a node's registry name, not of the answer. */
const plain = (answer: unknown): unknown =>
  JSON.parse(JSON.stringify(answer).replace(/"name":"(pass|fail|even|silent)\d"/g, "\"name\":\"$1*\""))

const runs = Number(process.env["SRE_GRAPHS"] ?? 1000)

describe("random graphs", () => {
  it.live(
    `${runs} of them answer as the interpreter says, whatever the timing`,
    () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(
            graphs,
            FastCheck.array(FastCheck.nat(4), { minLength: 40, maxLength: 40 }),
            async (graph, yields) => {
              const expected = plain(interpret(graph, 7))
              for (const timing of [undefined, yields]) {
                const started = new Map<string, number>()
                const emit = (event: AgentEventBody) => {
                  if (event._tag === "StepStarted") started.set(event.key, (started.get(event.key) ?? 0) + 1)
                }
                const { answer } = await Effect.runPromise(
                  runDocument(documentOf(graph, timing), { body: { x: 7 } }, { registry, emit })
                )
                assert.deepStrictEqual(plain(answer), expected)
                assert.isTrue(Array.from(started.values()).every((times) => times === 1), "a component ran twice")
              }
            }
          ),
          { numRuns: runs }
        )
      ),
    120_000
  )

  it.live("a run stopped at any moment ends, and leaves nothing running", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(graphs, FastCheck.nat(60), async (graph, moment) => {
          let inFlight = 0
          const program = Effect.gen(function*() {
            const fiber = yield* Effect.fork(
              runDocument(documentOf(graph), { body: { x: 7 } }, {
                registry,
                around: (_step, _inputs, execute) =>
                  Effect.acquireUseRelease(
                    Effect.sync(() => inFlight++),
                    () => execute,
                    () => Effect.sync(() => inFlight--)
                  )
              })
            )
            yield* Effect.repeatN(Effect.yieldNow(), moment)
            yield* Fiber.interrupt(fiber)
          })
          await Effect.runPromise(program)
          assert.strictEqual(inFlight, 0)
        }),
        { numRuns: 200 }
      )
    ), 60_000)
})
