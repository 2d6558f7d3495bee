import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import * as GmailMessage from "../../../src/components/trigger/GmailMessage.ts"

const read = (message: object) =>
  GmailMessage.read(Schema.decodeUnknownSync(GmailMessage.Message)({ id: "m1", ...message }))

const part = (mimeType: string, content: string | Uint8Array, rest: object = {}) => ({
  mimeType,
  filename: "",
  headers: [],
  body: { size: content.length, data: Buffer.from(content).toString("base64url") },
  ...rest
})

describe("a message of Gmail", () => {
  it("with parts: its texts, and what is attached", () => {
    const { attachments, body, headers } = read({
      payload: {
        mimeType: "multipart/mixed",
        headers: [{ name: "FROM", value: "Ann <ann@example.com>" }, { name: "Message-Id", value: "<1@x>" }],
        parts: [
          {
            mimeType: "multipart/alternative",
            parts: [part("text/plain", "Grüße"), part("text/html", "<b>Grüße</b>")]
          },
          part("text/plain", "", {
            filename: "list.txt",
            body: { attachmentId: "A1", size: 2048 }
          })
        ]
      }
    })
    assert.deepStrictEqual(body, { text: "Grüße", html: "<b>Grüße</b>" })
    assert.deepInclude(headers, { from: "Ann <ann@example.com>", messageId: "<1@x>", subject: "" })
    assert.deepStrictEqual(attachments, [
      { filename: "list.txt", mimeType: "text/plain", size: 2048, attachmentId: "A1" }
    ])
  })

  it("of HTML alone: its words", () => {
    const html = "<html><head><title>T</title></head><style>b{}</style><script>alert('x')</script>" +
      "<p>Fish &amp; chips&nbsp;&#8364;5 &#x41; &unknown; &#1114112;</p>\n\n<!-- no --> <b>now</b> <script>open"
    assert.deepStrictEqual(read({ payload: part("text/html", html) }).body, {
      html,
      text: "Fish & chips €5 A &unknown; &#1114112; now"
    })
  })

  it("in another charset than UTF-8: as its header says, else as Latin-1", () => {
    const latin = Uint8Array.of(0x47, 0x72, 0xfc, 0xdf, 0x65)
    const of = (contentType: string) =>
      read({ payload: part("text/plain", latin, { headers: [{ name: "Content-Type", value: contentType }] }) }).body
        .text
    assert.strictEqual(of(`text/plain; charset="ISO-8859-1"`), "Grüße")
    assert.strictEqual(of("text/plain; charset=windows-1251"), "GrьЯe")
    assert.strictEqual(of("text/plain; charset=no-such"), "Grüße")
    assert.strictEqual(of("text/plain"), "Grüße")
  })

  it("with next to nothing in it", () => {
    assert.deepInclude(read({}), { internalDate: null, isUnread: false, attachments: [], threadId: "" })
    assert.strictEqual(read({ internalDate: "1749416383000" }).internalDate, "2025-06-08T20:59:43.000Z")
  })

  it("whatever is in its HTML: in time", () => {
    const html = FastCheck.array(FastCheck.constantFrom("<", ">", "</script>", "<script", "<!--", "&#", "a", ";", " "))
    FastCheck.assert(FastCheck.property(html, (pieces) => {
      const { text } = read({ payload: part("text/html", pieces.join("")) }).body
      assert.notMatch(text, /<a>|\s\s|^\s|\s$/)
    }))
    read({ payload: part("text/html", "<script".repeat(100_000) + "<!--".repeat(100_000) + "&#".repeat(100_000)) })
  })
})
