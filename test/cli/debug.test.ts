import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { agentDocument, endpoint } from "../agents/documents.ts"
import { workspace } from "./sre.ts"

const digestOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
const digest = ["debug", "digest.smyth", "digest", "--input", "{\"text\":\"abc\"}"]

const typed = (...lines: ReadonlyArray<string>) => lines.map((line) => `${line}\n`).join("")

describe("sre debug", { timeout: 60_000 }, () => {
  it.scopedLive("holds before each step, shows what comes next and what has been, and prints the answer at the end", () =>
    Effect.gen(function*() {
      const { sreWith } = yield* workspace
      const { code, err, out } = yield* sreWith(typed("p", "s", "p", "", "l", "c", "never read"), ...digest)
      assert.deepStrictEqual([code, err], [0, ""])
      assert.match(out, /RunPaused[^\n]*E[^]*next: E\n[^]*StepEnded E[^]*next: H\n {2}E\.text -> H\.Data = "abc"/)
      assert.match(out, /StepEnded H[^]*H \{"Data":"abc"\} -> \{"Hash":"[^]*RunEnded/)
      assert.deepStrictEqual(JSON.parse(out.slice(out.lastIndexOf("\n{") + 1)), { digest: digestOfAbc })
    }))

  it.scopedLive("stops at breakpoints, and uses other outputs in place of a component", () =>
    Effect.gen(function*() {
      const { sreWith } = yield* workspace
      const injected = "inject H {\"Hash\": \"mine\"}"
      const { code, out } = yield* sreWith(typed("b H", "c", "p", injected, "c", "c"), ...digest)
      assert.strictEqual(code, 0)
      assert.match(out, /next: H\n[^]*breakpoints: H/)
      assert.match(out, /"digest": "mine"/)
    }))

  it.scopedLive("says what is wrong with a command, and goes on; the end of input ends the run", () =>
    Effect.gen(function*() {
      const { sreWith } = yield* workspace
      const { code, err, out } = yield* sreWith(typed("continu", "b X", "help"), ...digest)
      assert.strictEqual(code, 0)
      assert.match(err, /"continu"\..*Did you mean "continue"/)
      assert.match(err, /no component "X"/)
      assert.match(out, /continue, c +to the next breakpoint/)
      assert.match(out, /RunFailed.*its debugger stopped it/)
    }))

  it.scopedLive("steps into loops", () =>
    Effect.gen(function*() {
      const { sreWith, write } = yield* workspace
      const loop = agentDocument(
        {
          E: endpoint("items"),
          L: { name: "ForEach", data: { format: "minimal" }, in: ["Input"] },
          S: { name: "FSleep", data: { delay: 0 }, in: ["Input"] }
        },
        ["E.items -> L.Input", "L.Loop -> S.Input"],
        { id: "loop" }
      )
      yield* write("loop.smyth", JSON.stringify(loop))
      const { code, out } = yield* sreWith(
        typed("s", "s", "p", "c"),
        "debug",
        "loop.smyth",
        "go",
        "--input",
        "{\"items\":[1,2]}"
      )
      assert.strictEqual(code, 0)
      assert.match(out, /next: L\[0\]\/S/)
    }))

  it.scopedLive("runs one component alone; answers programs with events and inspections, one a line", () =>
    Effect.gen(function*() {
      const { sreWith } = yield* workspace
      const alone = ["debug", "digest.smyth", "--component", "H", "--input", "{\"Data\":\"abc\"}", "--json"]
      const { code, out } = yield* sreWith(typed("p", "oops", "c"), ...alone)
      const lines = out.trim().split("\n").map((line) => JSON.parse(line))
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(lines.find(({ steps }) => steps !== undefined).next, ["H"])
      assert.strictEqual(lines.find(({ error }) => error !== undefined).error, "UsageError")
      assert.deepInclude(lines.at(-1).event.answer.result, { Hash: digestOfAbc })
    }))

  it.scopedLive("expects an endpoint or a component, and its commands on standard input", () =>
    Effect.gen(function*() {
      const { sreWith } = yield* workspace
      const neither = yield* sreWith("", "debug", "digest.smyth")
      assert.strictEqual(neither.code, 2)
      assert.include(neither.err, "--component")
      assert.strictEqual((yield* sreWith("", ...digest.slice(0, 3), "--input", "-")).code, 2)
    }))
})
