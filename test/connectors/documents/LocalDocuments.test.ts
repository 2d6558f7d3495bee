import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LocalDocuments } from "../../../src/connectors/documents/LocalDocuments.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Documents } from "../../../src/subsystems/io/Documents.ts"
import { suite } from "../../conformance/documents.ts"
import * as documents from "../../fixtures/documents.ts"

const text = (mediaType: string, bytes: Uint8Array, settings = {}) =>
  Effect.flatMap(Documents, (one) => one.text({ bytes, mediaType, name: "report" })).pipe(
    Candidate.as(Candidate.agent("a1")),
    Effect.provide(LocalDocuments.layer(settings))
  )
const presentation = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

describe("LocalDocuments", () => {
  it.effect("unpacks no more than it may", () =>
    Effect.gen(function*() {
      const bomb = documents.pptx([["x".repeat(2_000_000)]])
      assert.isBelow(bomb.length, 10_000)
      const error = yield* Effect.flip(text(presentation, bomb, { maxUnpackedBytes: 2 ** 20 }))
      assert.strictEqual(error._tag === "DocumentUnreadable" && error.reason, "TooLarge")
      assert.lengthOf((yield* text(presentation, bomb)).pages, 1)
    }))

  it.effect("reads broken XML of any length in one pass", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(text(presentation, documents.pptx([["<a:p ".repeat(500_000)]])))
      assert.strictEqual(error._tag === "DocumentUnreadable" && error.reason, "Empty")
    }))
})

describe("Documents", () => {
  it.effect("says what it cannot read, and when there is nothing to read", () =>
    Effect.gen(function*() {
      const image = yield* Effect.flip(text("image/png", new Uint8Array(8)))
      assert.include(image.message, `"report" (image/png)`)
      assert.include(image.message, "application/pdf")
      const empty = yield* Effect.flip(text("text/plain; charset=utf-8", new TextEncoder().encode(" \n")))
      assert.strictEqual(empty._tag === "DocumentUnreadable" && empty.reason, "Empty")
      const scan = yield* Effect.flip(text("application/pdf", documents.pdf([""])))
      assert.include(scan.message, "is it a scan?")
    }))
})

suite("Local", LocalDocuments.contract({}))
