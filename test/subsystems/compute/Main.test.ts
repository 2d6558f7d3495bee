import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import * as Main from "../../../src/subsystems/compute/Main.ts"

const parameters = (code: string, language: Main.Language) =>
  Effect.map(Main.read(code, language), (main) => main.parameters)

describe("main", () => {
  for (
    const [code, expected] of [
      ["async function main() {}", []],
      ["async function main(a: string, b?: number, c: Array<Map<string, number>> = new Map(), d = \",)\") {}", [
        "a",
        "b",
        "c",
        "d"
      ]],
      ["export async function main<T extends { a: 1 }>(x: T /* , y */): Promise<T> { return x }", ["x"]],
      ["const main: (a: number) => Promise<number> = async (a: number) => a", ["a"]],
      ["export const main = async (f: (x: number) => void, { b }: { b: 1 }) => 1", "unfit"],
      ["async function main({ a, b }: { a: number; b: number }) {}", undefined]
    ] as const
  ) {
    it.effect(`of TypeScript ${code}`, (): Effect.Effect<void, unknown> =>
      expected === "unfit"
        ? Effect.map(Effect.flip(Main.read(code, "typescript")), ({ message }) => assert.include(message, "parameter"))
        : Effect.map(parameters(code, "typescript"), (found) => assert.deepStrictEqual(found, expected)))
  }

  it.effect("is the last one at the root, and nothing within another function", () =>
    Effect.gen(function*() {
      const twice = "async function main(a) {}\nasync function main(b) {}"
      assert.deepStrictEqual(yield* parameters(twice, "javascript"), ["b"])
      const { message } = yield* Effect.flip(Main.read("function f() { async function main() {} }", "javascript"))
      assert.include(message, "at its root")
      assert.isTrue((yield* Main.read("main = async () => 1", "javascript")).isAssigned)
      assert.include(
        (yield* Effect.flip(Main.read("async function* main() {}", "javascript"))).message,
        "async function"
      )
    }))

  it.effect("code of any kind is read or refused, never a crash", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.oneof(fc.fullUnicodeString(), fc.stringMatching(/^(async function main\(|[({[<,)}\]>"'`=:\w ]){0,30}$/)),
          fc.constantFrom("javascript" as const, "typescript" as const),
          (code, language) => Effect.runPromise(Effect.asVoid(Effect.either(Main.read(code, language))))
        ),
        { numRuns: 300 }
      )
    ))

  it.effect("code nested too deeply is refused", () =>
    Effect.map(
      Effect.flip(Main.read(`async function main() { return ${"[".repeat(100_000)} }`, "javascript")),
      ({ message }) => assert.match(message, /nested too deeply|stack space/)
    ))
})
