import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, TestClock } from "effect"
import type { AgentEventBody } from "../../src/agents/AgentEvents.ts"
import * as Compile from "../../src/agents/Compile.ts"
import * as Component from "../../src/components/Component.ts"
import { builtIn } from "../../src/components/registry.ts"
import { agentDocument, Crash, endpoint, Fail, Pass, runDocument, Wait } from "./documents.ts"

/** Fails on the value `bad`; else gives it with a mark, after as many milliseconds as it says. */
const Mark = Component.make("Mark", {
  description: "Marks a value.",
  category: "data",
  openInputs: true,
  openOutputs: true,
  run: ({ inputs }) =>
    inputs["v"] === "bad"
      ? new Component.ComponentFailed({ message: "bad item" })
      : typeof inputs["v"] === "number"
      ? Effect.as(Effect.sleep(inputs["v"]), { out: `${inputs["v"]}!` })
      : { out: `${String(inputs["v"])}!`, ...(inputs["k"] === undefined ? {} : { k: inputs["k"] }) }
})
const registry = Compile.registry([...builtIn, Pass, Wait, Fail, Crash, Mark])
const mark = { name: "Mark", in: ["v", "k?"], out: ["out"] }
const each = (data: Record<string, unknown> = {}) => ({ name: "ForEach", data, in: ["Input"] })
const out = { name: "Pass", in: ["v"] }

const go = (document: unknown, x: unknown, emit?: (event: AgentEventBody) => void) =>
  Effect.map(
    runDocument(document, { body: { x } }, { registry, ...(emit === undefined ? {} : { emit }) }),
    ({ answer }) => answer
  )
const record = (id: string, result: unknown, name = "Mark") => ({ id, name, result })
const resultOf = (answer: unknown) => (answer as { readonly result: { readonly v: unknown } }).result.v

const loop = (data: Record<string, unknown> = {}) =>
  agentDocument({ E: endpoint("x"), L: each(data), M: mark, O: out }, [
    "E.x -> L.Input",
    "L.Loop -> M.v",
    "L.Result -> O.v"
  ])

describe("ForEach", () => {
  it.effect("runs its body for every item and gives the results in their order, in three formats", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(resultOf(yield* go(loop(), ["a", "b"])), [
        record("M", { out: "a!" }),
        record("M", { out: "b!" })
      ])
      assert.deepStrictEqual(resultOf(yield* go(loop({ format: "minimal" }), ["a", "b"])), [{ out: "a!" }, {
        out: "b!"
      }])
      assert.deepStrictEqual(resultOf(yield* go(loop({ format: "results-array" }), ["a", "b"])), ["a!", "b!"])
    }))

  it.effect("alone, its record has the results, and its body is not part of the answer", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), L: each({ format: "minimal" }), M: mark }, [
        "E.x -> L.Input",
        "L.Loop -> M.v"
      ])
      assert.deepStrictEqual(yield* go(document, ["a"]), record("L", { Result: [{ out: "a!" }] }, "ForEach"))
    }))

  for (
    const [name, input, items] of [
      ["a list in text", "[\"a\",\"b\"]", ["a", "b"]],
      ["text with commas", "a, b", ["a", " b"]],
      ["an object is one item", { a: 1 }, [{ a: 1 }]],
      ["a number is one item", 7, [7]],
      ["nothing", [], []],
      ["falsy items", [null, 0, "", false], [null, 0, "", false]]
    ] as const
  ) {
    it.effect(`iterates ${name}`, () =>
      Effect.gen(function*() {
        const document = agentDocument({
          E: endpoint("x?"),
          L: each({ format: "minimal" }),
          P: { name: "Pass", in: ["v?"] },
          O: out
        }, [
          "E.x -> L.Input",
          "L.Loop -> P.v",
          "L.Result -> O.v"
        ])
        const answer = resultOf(yield* go(document, input)) as ReadonlyArray<{ readonly v: unknown }>
        assert.deepStrictEqual(answer.map(({ v }) => v), [...items])
      }))
  }

  it.effect("iterates the entries of an object when the setting says so", () =>
    Effect.gen(function*() {
      const answer = yield* go(loop({ entries: true, format: "minimal" }), { a: 1 })
      assert.deepStrictEqual(resultOf(answer), [{ out: "[object Object]!" }])
    }))

  it.effect("without a body gives the items", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), L: each(), O: out }, ["E.x -> L.Input", "L.Result -> O.v"])
      assert.deepStrictEqual(resultOf(yield* go(document, "[1,2]")), [1, 2])
    }))

  it.effect("takes one item after the other, or as many at once as it says, and keeps the order", () =>
    Effect.gen(function*() {
      const timed = (data: Record<string, unknown>, millis: number) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(go(loop({ format: "results-array", ...data }), [30, 10, 20]))
          yield* TestClock.adjust(millis - 1)
          const early = yield* Fiber.poll(fiber)
          yield* TestClock.adjust(1)
          assert.strictEqual(early._tag, "None")
          assert.deepStrictEqual(resultOf(yield* Fiber.join(fiber)), ["30!", "10!", "20!"])
        })
      yield* timed({}, 60)
      yield* timed({ concurrency: 3 }, 30)
    }))

  it.effect("has a failing item among the results, or ends with it", () =>
    Effect.gen(function*() {
      const collected = yield* go(loop(), ["a", "bad", "c"])
      assert.deepStrictEqual(resultOf(collected), [
        record("M", { out: "a!" }),
        record("M", { _error: "bad item" }),
        record("M", { out: "c!" })
      ])
      assert.deepStrictEqual(
        yield* go(loop({ onError: "stop" }), ["a", "bad", "c"]),
        record("L", { _error: "item 1: bad item" }, "ForEach")
      )
    }))

  it.effect("values from outside are seen by every item, and what leaves the body arrives as a list", () =>
    Effect.gen(function*() {
      const document = agentDocument(
        {
          E: endpoint("x", "y"),
          W: { name: "Wait", in: ["v"], data: { millis: 50 } },
          L: each({ format: "minimal" }),
          M: mark,
          O: { name: "Pass", in: ["r", "all"] }
        },
        ["E.x -> L.Input", "E.y -> W.v", "W.out -> M.k", "L.Loop -> M.v", "L.Result -> O.r", "M.out -> O.all"]
      )
      const fiber = yield* Effect.fork(runDocument(document, { body: { x: ["a", "b"], y: "k" } }, { registry }))
      yield* TestClock.adjust(50)
      const { answer } = yield* Fiber.join(fiber)
      assert.deepInclude((answer as { readonly result: object }).result, { all: ["a!", "b!"], r: [] })
    }))

  it.effect("nests", () =>
    Effect.gen(function*() {
      const document = agentDocument(
        {
          E: endpoint("x"),
          L: each({ format: "results-array" }),
          I: each({ format: "results-array" }),
          M: mark,
          O: out
        },
        ["E.x -> L.Input", "L.Loop -> I.Input", "I.Loop -> M.v", "L.Result -> O.v"]
      )
      const keys: Array<string> = []
      const answer = yield* go(document, [["a", "b"], ["c"]], (event) => {
        if (event._tag === "StepStarted" && event.componentId === "M") keys.push(event.key)
      })
      assert.deepStrictEqual(resultOf(answer), ["a!", "b!", "c!"])
      assert.deepStrictEqual(keys, ["L[0]/I[0]/M", "L[0]/I[1]/M", "L[1]/I[0]/M"])
    }))

  it.effect("a condition in the body skips per item", () =>
    Effect.gen(function*() {
      const document = agentDocument(
        { E: endpoint("x"), L: each({ format: "minimal" }), A: { name: "LogicAND", in: ["v?"] }, M: mark, O: out },
        ["E.x -> L.Input", "L.Loop -> A.v", "A.Verified -> M.v", "L.Result -> O.v"]
      )
      const answer = resultOf(yield* go(document, [true, false])) as ReadonlyArray<unknown>
      assert.deepStrictEqual(answer, [{ out: "true!" }, { Unverified: true }])
    }))

  it.live("takes 100,000 items", () =>
    Effect.gen(function*() {
      const items = Array.from({ length: 100_000 }, (_, at) => `i${at}`)
      const answer = resultOf(yield* go(loop({ format: "results-array" }), items)) as ReadonlyArray<unknown>
      assert.strictEqual(answer.length, 100_000)
      assert.strictEqual(answer[99_999], "i99999!")
    }))
})

describe("Async and Await", () => {
  const branch = (count = 1, data: Record<string, unknown> = { jobs_count: count, max_time: 5 }) =>
    agentDocument(
      { E: endpoint("x"), A: { name: "Async", in: ["v"] }, M: mark, W: { name: "Await", in: ["Jobs"], data }, O: out },
      ["E.x -> A.v", "A.v -> M.v", "A.JobID -> W.Jobs", "W.Results -> O.v"]
    )

  const statesOf = (answer: unknown) =>
    Object.values(resultOf(answer) as Record<string, { status: string; output?: unknown }>)

  it.effect("a branch runs in the background, and its answer is waited for without polling", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(go(branch(), 2000))
      yield* TestClock.adjust(2000)
      assert.deepStrictEqual(statesOf(yield* Fiber.join(fiber)), [{
        status: "done",
        output: record("M", { out: "2000!" })
      }])
    }))

  it.effect("when the time is over the job is still pending", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(go(branch(1, { jobs_count: 1, max_time: 1 }), 60_000))
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(statesOf(yield* Fiber.join(fiber)), [{ status: "pending" }])
    }))

  it.effect("the parent answers at once, with the id of the job", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), A: { name: "Async", in: ["v"] }, M: mark }, [
        "E.x -> A.v",
        "A.v -> M.v"
      ])
      const answer = yield* go(document, 60_000) as never as Effect.Effect<{ result: { JobID: string } }>
      assert.match(answer.result.JobID, /^A-/)
    }))

  it.effect("jobs of a loop: any of them may end first, and all are told", () =>
    Effect.gen(function*() {
      const document = agentDocument(
        {
          E: endpoint("x"),
          L: each({ format: "results-array" }),
          A: { name: "Async", in: ["v"] },
          M: mark,
          W: { name: "Await", in: ["Jobs"], data: { jobs_count: 2, max_time: 60 } },
          O: out
        },
        ["E.x -> L.Input", "L.Loop -> A.v", "A.v -> M.v", "L.Result -> W.Jobs", "W.Results -> O.v"]
      )
      const fiber = yield* Effect.fork(go(document, [50_000, 10, 20]))
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(statesOf(yield* Fiber.join(fiber)).map(({ status }) => status), [
        "pending",
        "done",
        "done"
      ])
    }))

  it.effect("an unknown job is told as such, and waits for nothing", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), W: { name: "Await", in: ["Jobs"] }, O: out }, [
        "E.x -> W.Jobs",
        "W.Results -> O.v"
      ])
      assert.deepStrictEqual(resultOf(yield* go(document, "nope")), { nope: { status: "unknown_job" } })
    }))

  it.effect("a stopped run stops nothing that is not its own, and its loops stop at once", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(go(loop(), [60_000, 60_000]))
      yield* TestClock.adjust(10)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    }))
})
