import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Option, Redacted } from "effect"
import * as OAuth1 from "../../../src/subsystems/io/OAuth1.ts"
import { byLibrary, credentials, parsed } from "../../fixtures/oauth1.ts"

const form = "application/x-www-form-urlencoded"

describe("a request of OAuth 1", () => {
  it("is signed as another library does it, whatever stands in query and form", () => {
    const name = FastCheck.stringMatching(/^[a-z]{1,4}$/)
    const text = FastCheck.string({ unit: "grapheme", maxLength: 12 })
    FastCheck.assert(
      FastCheck.property(
        FastCheck.dictionary(name, text),
        FastCheck.dictionary(name, text),
        FastCheck.constantFrom("GET" as const, "POST" as const, "PUT" as const),
        (query, fields, method) => {
          // The library takes one value for each name.
          const data = Object.fromEntries(Object.entries(fields).map(([key, value]) => [`f_${key}`, value]))
          const written = new URLSearchParams(query).toString().replaceAll("+", "%20")
          const url = `https://api.example:8443/a%20b/c${written === "" ? "" : `?${written}`}`
          const body = new URLSearchParams(data).toString()
          const header = OAuth1.header(
            { method, url, contentType: `${form}; charset=utf-8`, body },
            credentials,
            "n1",
            "5"
          )
          assert.deepStrictEqual(parsed(header), byLibrary(url, method, data, "n1", "5"))
        }
      )
    )
  })

  it("takes the parameters of RFC 5849, section 3.4.1.3.2, in their order, repeated ones, too", () => {
    const signature = (url: string, body: string) =>
      parsed(OAuth1.header({ method: "POST", url, contentType: form, body }, credentials, "7d8f3e4a", "137131201"))[
        "oauth_signature"
      ]
    const one = signature("http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", "c2=&a3=2+q")
    // The same set, written in another order and on the other side.
    assert.strictEqual(one, signature("http://EXAMPLE.COM:80/request?a2=r+b&a3=a", "a3=2%20q&c2&c%40=&b5=%3D%253D"))
    assert.notStrictEqual(one, signature("http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", "c2=&a3=2+Q"))
  })

  it.effect("is good for one use", () =>
    Effect.gen(function*() {
      const request = { method: "GET", url: "https://a.example/", contentType: undefined, body: undefined } as const
      const both = yield* Effect.all([
        OAuth1.authorization(request, credentials),
        OAuth1.authorization(request, credentials)
      ])
      const [first, second] = both.map((one) => parsed(Redacted.value(one)))
      assert.notStrictEqual(first!["oauth_nonce"], second!["oauth_nonce"])
      assert.notStrictEqual(first!["oauth_signature"], second!["oauth_signature"])
    }))
})

describe("a stored connection of OAuth 1", () => {
  const parse = (value: unknown) =>
    Option.map(
      OAuth1.parse(Redacted.make(JSON.stringify(value))),
      ({ consumerKey, consumerSecret, token, tokenSecret }) =>
        [consumerKey, consumerSecret, token, tokenSecret].map((one) => Redacted.value(one))
    )

  it("is read in both layouts; another kind of connection is none", () => {
    const data = { primary: "t", secondary: "ts" }
    const settings = { type: "oauth", consumerKey: "c", consumerSecret: "cs", service: "x" }
    const expected = Option.some(["c", "cs", "t", "ts"])
    assert.deepStrictEqual(parse({ auth_data: data, auth_settings: settings }), expected)
    assert.deepStrictEqual(parse({ ...data, oauth_info: settings }), expected)
    assert.deepStrictEqual(parse({ ...data, ...settings }), expected)
    assert.deepStrictEqual(parse({ auth_settings: settings }), Option.some(["c", "cs", "", ""]))
    for (const other of [{ ...data, type: "oauth2" }, { ...data, type: "oauth" }, [], null, 5, "x"]) {
      assert.deepStrictEqual(parse(other), Option.none())
    }
    assert.deepStrictEqual(OAuth1.parse(Redacted.make("{")), Option.none())
  })
})
