import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { deflateSync } from "node:zlib"
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
const wordDocument = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
const spreadsheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
const presentation = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

describe("LocalDocuments", () => {
  it.effect("unpacks no more than it may", () =>
    Effect.gen(function*() {
      const bomb = documents.pptx([["x".repeat(2_000_000)]])
      assert.isBelow(bomb.length, 10_000)
      const word = documents.docx("H", ["x".repeat(2_000_000)])
      for (const [mediaType, bytes] of [[presentation, bomb], [wordDocument, word]] as const) {
        const error = yield* Effect.flip(text(mediaType, bytes, { maxUnpackedBytes: 2 ** 20 }))
        assert.strictEqual(error._tag === "DocumentUnreadable" && error.reason, "TooLarge")
      }
      assert.lengthOf((yield* text(presentation, bomb)).pages, 1)
    }))

  it.effect("makes no more of a small file than it may", () =>
    Effect.gen(function*() {
      const shared = "x".repeat(1_000_000)
      const bombs: ReadonlyArray<readonly [string, Uint8Array]> = [
        [spreadsheet, documents.sharing(shared, 400)],
        ["text/csv", Buffer.from(`${"n".repeat(10_000)}\n${"1\n".repeat(30_000)}`)],
        [presentation, documents.pptx([["</a:p><a:p>".repeat(1_050_000)]])]
      ]
      for (const [mediaType, bytes] of bombs) {
        const error = yield* Effect.flip(text(mediaType, bytes))
        assert.strictEqual(error._tag === "DocumentUnreadable" && error.reason, "TooLarge", mediaType)
      }
    }))

  it.live("a document that has no end holds nobody up", () =>
    Effect.gen(function*() {
      const endless: ReadonlyArray<readonly [string, Uint8Array]> = [
        // 100 MB, packed twice.
        ["application/pdf", documents.pdf([deflateSync(deflateSync(Buffer.alloc(1e8, "BT (a) Tj ET ")))])],
        [wordDocument, documents.docx("H", ["</w:t></w:r></w:p><w:p><w:r><w:t>".repeat(200_000)])],
        ["text/html", Buffer.from("<p>".repeat(1_000_000))]
      ]
      for (const [mediaType, bytes] of endless) {
        const reading = yield* Effect.fork(text(mediaType, bytes))
        yield* Effect.repeatN(Effect.sleep("20 millis"), 20)
        assert.isTrue(Option.isNone(yield* Fiber.poll(reading)), mediaType)
        yield* Fiber.interrupt(reading)
      }
    }))

  it.live("one tenant's documents leave threads to the others, and those of every kind are read there", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(LocalDocuments.layer({}))
      const read = (who: string, mediaType: string, bytes: Uint8Array) =>
        Effect.flatMap(Documents, (one) => one.text({ bytes, mediaType, name: "report" })).pipe(
          Candidate.as(Candidate.agent(who)),
          Effect.provide(context)
        )
      const endless = documents.pdf([deflateSync(deflateSync(Buffer.alloc(1e8, "BT (a) Tj ET ")))])
      const small: ReadonlyArray<readonly [string, Uint8Array]> = [
        ["application/pdf", documents.pdf(["a"])],
        [wordDocument, documents.docx("H", ["a"])],
        [presentation, documents.pptx([["a"]])],
        [spreadsheet, documents.xlsx([["a", 1]])],
        ["text/csv", Buffer.from("a\n1")]
      ]
      const held = yield* Effect.replicateEffect(Effect.fork(read("greedy", "application/pdf", endless)), 4)
      yield* Effect.yieldNow()
      const behind = yield* Effect.forEach(small, ([type, bytes]) => Effect.fork(read("greedy", type, bytes)))
      for (const [type, bytes] of small) assert.lengthOf((yield* read("modest", type, bytes)).pages, 1, type)
      for (const one of [...held, ...behind]) assert.isTrue(Option.isNone(yield* Fiber.poll(one)))
      yield* Fiber.interruptAll([...behind, ...held])
    }).pipe(Effect.scoped))

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
