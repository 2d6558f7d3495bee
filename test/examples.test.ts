/** The examples do what they say: each is run as `examples/run.ts` does, and what it prints is looked at. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { format } from "node:util"
import { root } from "./fixtures/source.ts"

/** Lines that an example prints among others, in this order. */
const expected: Readonly<Record<string, ReadonlyArray<string | RegExp>>> = {
  "budget": [
    "the poet: The sea is everything.",
    /^refused: .*budget of agent:poet is used up/,
    "spent: 1 call, 500 tokens written, $0.01"
  ],
  "agent-from-document": [
    "skills: Digest",
    `answer: {"digest":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}`,
    /^refused: .*text: required Text is missing/
  ],
  "counter-loop": [`counted: {"total":5}`, /^refused: .*went round 100 times/],
  "custom-component": [/^answer: .*"Loud":"HEAR YE!!!"/],
  "custom-connector": ["alice: sk-1", /^bob: No secret named "openai"/],
  "promise": ["answer: Hello, world!", "piece: Hello ", "piece: again, ", "piece: world!", "sum: 5", "messages: 2"],
  "retry-until-valid": [`valid: {"person":{"name":"Ann","age":41}}`, "asked: 3 times"],
  "runs": ["0 RunStarted", "3 RunPaused", `values: E.text -> H.Data: "hi"`, "next: [ 'O' ]", /^answer: \{/],
  "services": [
    "stored: buy milk",
    "cached: hello",
    "in the vault: token",
    "the model says: Is anybody there?",
    "the agent says: Pieces of eight!"
  ],
  "switching": [
    "stored: Sales are up.",
    "found: leave",
    "the agent says: Good morning!",
    "bob reads: AccessDenied"
  ],
  "testing": ["passed: It begins with 8f43."],
  "webhook": [
    `answer: {"total":42}`,
    /^sent again: .*duplicates: 1/s,
    /^forged: The signature was not accepted/
  ],
  "skills": [/^No OPENAI_API_KEY/, "in stock: 12", "answer: What do all your apples cost together?"]
}

/** Prints of the others are looked at where they are explained. */
const elsewhere = ["quickstart", "run"]

const names = readdirSync(join(root, "examples")).filter((file) => file.endsWith(".ts"))
  .map((file) => file.replace(/\.ts$/, ""))

const printed = (program: () => Promise<void>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const { log } = console
      const env = { ...process.env }
      delete process.env["OPENAI_API_KEY"]
      const lines: Array<string> = []
      console.log = (...args: ReadonlyArray<unknown>) => lines.push(format(...args))
      return { env, lines, log }
    }),
    ({ lines }) => Effect.as(Effect.promise(program), lines),
    ({ env, log }) =>
      Effect.sync(() => {
        console.log = log
        process.env = env
      })
  )

describe("examples", () => {
  it("are all looked at", () => {
    assert.sameMembers(names, [...Object.keys(expected), ...elsewhere])
  })

  for (const [name, lines] of Object.entries(expected)) {
    it.live(name, () =>
      Effect.gen(function*() {
        const file = join(root, "examples", `${name}.ts`)
        const { program } = yield* Effect.promise(() => import(file) as Promise<{ program: () => Promise<void> }>)
        const found = yield* printed(program)
        let from = 0
        for (const line of lines) {
          const at = found.findIndex((one, index) =>
            index >= from && (typeof line === "string" ? one === line : line.test(one))
          )
          assert.isAtLeast(at, 0, `"${line}" in ${JSON.stringify(found)}`)
          from = at + 1
        }
      }))
  }
})
