import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { redact } from "../../src/kernel/Redaction.ts"

describe("redact", () => {
  it("hides what is called a secret, and nothing beside it", () => {
    const cases: ReadonlyArray<readonly [string, string]> = [
      [`{"api_key":"a b","n":1}`, `{"api_key":"<redacted>","n":1}`],
      [`{ password: 'it\\'s', user: 'bob' }`, `{ password: '<redacted>', user: 'bob' }`],
      ["?accessToken=abc123&x=1", "?accessToken=<redacted>&x=1"],
      ["Authorization: Bearer abc.def", "Authorization: <redacted>"],
      ["sent bearer abcdefgh12 to it", "sent bearer <redacted> to it"],
      ["postgres://bob:pass@host/db", "postgres://bob:<redacted>@host/db"],
      ["key sk-proj-abcdefghijklmnop1234 refused", "key <redacted> refused"],
      ["AKIAABCDEFGHIJKLMNOP", "<redacted>"],
      ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2ln", "<redacted>"],
      ["-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "<redacted>"]
    ]
    for (const [text, expected] of cases) assert.strictEqual(redact(text), expected)
  })

  it("leaves other texts alone", () => {
    const texts = [
      "maxTokens: 100",
      "inputTokens=5",
      "the token was refused",
      "a secretary",
      "10:30 http://host:80/a@b",
      "task-force"
    ]
    for (const text of texts) assert.strictEqual(redact(text), text)
  })

  it("is done once: a redacted text stays as it is", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.array(FastCheck.oneof(
        FastCheck.constantFrom("password=", "token: ", "\"", "'", "Bearer ", "abcdefgh12", "://u:", "@", " "),
        FastCheck.string()
      )),
      (parts) => {
        const once = redact(parts.join(""))
        return redact(once) === once
      }
    ))
  })
})
