import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import type { RunInspection } from "../../src/agents/AgentRun.ts"
import * as DebugCommands from "../../src/cli/DebugCommands.ts"

const held: RunInspection = {
  id: "run-1",
  agent: "a1",
  what: "POST go",
  caller: { role: "user", id: "ann" },
  status: "paused",
  startedAt: 0,
  values: [],
  breakpoints: ["A"],
  steps: []
}

const action = (line: string) => Either.getOrThrow(DebugCommands.read(line))
const problem = (line: string) => Either.getOrThrow(Either.flip(DebugCommands.read(line))).message
const changeOf = (line: string) => {
  const found = action(line)
  return found._tag === "Change" ? found.change(held) : undefined
}

describe("commands of the debugger", () => {
  it("have long and short names; an empty line is a step", () => {
    for (const line of ["step", "s", "", "  "]) assert.deepStrictEqual(action(line), { _tag: "Advance", how: "into" })
    for (const line of ["over", " n "]) assert.deepStrictEqual(action(line), { _tag: "Advance", how: "over" })
    for (const line of ["continue", "c"]) assert.deepStrictEqual(action(line), { _tag: "Advance", how: "continue" })
    for (const line of ["stop", "q", "quit"]) assert.deepStrictEqual(action(line), { _tag: "Stop" })
  })

  it("break sets a breakpoint or takes it away", () => {
    assert.deepStrictEqual(changeOf("b B"), { breakpoints: ["A", "B"] })
    assert.deepStrictEqual(changeOf("break A"), { breakpoints: [] })
    assert.match(problem("b"), /break: expected the id/)
  })

  it("inject and mock take outputs by name", () => {
    assert.deepStrictEqual(changeOf("inject A {\"out\": [1, 2]}"), { inject: { A: { out: [1, 2] } } })
    assert.deepStrictEqual(changeOf("mock A {\"out\": \"a b\"}"), { mocks: { A: { out: "a b" } } })
    for (const line of ["mock A", "mock A [1]", "inject", "inject A {out}"]) {
      assert.match(problem(line), /expected an id and outputs by name/)
    }
  })

  it.prop("any other line is refused, whatever it is", [FastCheck.string()], ([text]) => {
    const line = `x${text}`
    assert.match(problem(line), /there is no command "x/)
  })

  it("names of every object's members are no commands", () => {
    for (const line of ["constructor", "toString", "__proto__"]) assert.match(problem(line), /there is no command/)
  })
})
