import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { answerOf, rows, table } from "./semantics.ts"

describe("how a graph runs", () => {
  for (const row of rows) {
    it.live(row.situation, () => Effect.map(answerOf(row), (answer) => assert.strictEqual(answer, row.answer)))
  }

  it("is told by the README in the same rows", () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8")
    assert.include(readme, `<!-- test/agents/semantics.ts -->\n${table}\n`)
  })
})
