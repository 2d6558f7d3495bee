import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Note } from "../../../src/components/system/Note.ts"
import { runComponent } from "../harness.ts"

it.effect("a Note is inert, takes any settings and gives nothing", () =>
  Effect.gen(function*() {
    assert.isTrue(Note.inert)
    assert.deepStrictEqual(Note.aliases, ["Component"])
    assert.deepStrictEqual(yield* runComponent(Note, { settings: { text: "hello", color: 3 } }), {})
  }))
