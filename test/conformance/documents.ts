/** What every reader of documents must do. */
import { assert, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { DocumentsConnector } from "../../src/subsystems/io/Documents.ts"
import * as documents from "../fixtures/documents.ts"

const office = "application/vnd.openxmlformats-officedocument"
const bytes = (text: string) => new TextEncoder().encode(text)

export const suite = <E>(name: string, connector: Layer.Layer<DocumentsConnector, E>) =>
  layer(connector, { excludeTestServices: true, timeout: "30 seconds" })(`${name} is a DocumentsConnector`, (it) => {
    const pages = (mediaType: string, content: Uint8Array) =>
      Effect.map(
        Effect.flatMap(DocumentsConnector, (one) => one.text({ bytes: content, mediaType, name: "it" })),
        ({ pages }) => pages.map((page) => page.trim())
      )

    const cases: ReadonlyArray<readonly [title: string, type: string, content: Uint8Array, ReadonlyArray<string>]> = [
      ["the pages of a PDF", "application/pdf", documents.pdf(["Page (one)", "Page two"]), ["Page (one)", "Page two"]],
      [
        "headings and paragraphs of Word",
        `${office}.wordprocessingml.document`,
        documents.docx("Title", ["First &amp; last", "Second"]),
        ["# Title\n\nFirst & last\n\nSecond"]
      ],
      [
        "slides in their order, beyond the ninth",
        `${office}.presentationml.presentation`,
        documents.pptx(Array.from({ length: 11 }, (_, n) => [`Slide ${n + 1}`, "a &lt; b"])),
        Array.from({ length: 11 }, (_, n) => `Slide ${n + 1}\na < b`)
      ],
      [
        "rows of sheets",
        `${office}.spreadsheetml.sheet`,
        documents.xlsx([["Apples", 3], ["Pears &#38; plums", 4.5]]),
        ["Apples; 3\nPears & plums; 4.5"]
      ],
      [
        "an OpenDocument text",
        "application/vnd.oasis.opendocument.text",
        documents.odt(["One", "Two <text:span>bold</text:span><text:s/>end"]),
        ["One\nTwo bold end"]
      ],
      [
        "HTML as Markdown, without what is not read",
        "text/html",
        bytes(
          "<html><head><title>t</title><style>x{}</style></head><h2>Head</h2><p>a <b>b</b><script>bad()</script></p>"
        ),
        ["## Head\n\na **b**"]
      ],
      [
        "records of CSV with the names of their fields",
        "text/csv",
        bytes(`\uFEFFname;price\n"Pear; green";3\nApple;\n`),
        ["name: Pear; green; price: 3\nname: Apple"]
      ],
      ["Markdown as it is", "text/markdown", bytes("# A\n\n- b"), ["# A\n\n- b"]],
      ["any other text as it is", "text/x-anything", bytes("grün"), ["grün"]],
      ["JSON as it is", "application/json", bytes(`{"a":1}`), [`{"a":1}`]]
    ]
    for (const [title, type, content, expected] of cases) {
      it.effect(`reads ${title}`, () =>
        Effect.map(pages(type, content), (read) => assert.deepStrictEqual(read, expected)))
    }

    it.effect("fails on what is not what its type says, or ends too early", () =>
      Effect.gen(function*() {
        const whole = documents.docx("T", ["x"])
        for (
          const [type, content] of [
            ["application/pdf", bytes("no PDF")],
            [`${office}.wordprocessingml.document`, whole.slice(0, whole.length / 2)],
            [`${office}.presentationml.presentation`, bytes("PK no zip")],
            [`${office}.spreadsheetml.sheet`, documents.odt(["x"])]
          ] as const
        ) {
          const error = yield* Effect.flip(pages(type, content))
          assert.strictEqual(error._tag === "DocumentUnreadable" && error.reason, "Malformed", type)
        }
      }))
  })
