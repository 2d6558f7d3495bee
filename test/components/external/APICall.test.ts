import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { PublicUrls } from "../../../src/subsystems/io/PublicUrls.ts"
import { answering, call, echo, failure, received, type Settings } from "./apicall.ts"

describe("APICall", () => {
  describe("URL", () => {
    const cases: ReadonlyArray<readonly [template: string, inputs: Settings, expected: string]> = [
      ["/a?q={{q}}", { q: "v 1&z=2#x" }, "/a?q=v%201%26z%3D2%23x"],
      ["/a?q={{q}}&r={{r}}", { q: "1+1", r: "ü" }, "/a?q=1%2B1&r=%C3%BC"],
      ["/users/{{id}}/x", { id: "a/b?c" }, "/users/a%2Fb%3Fc/x"],
      ["/a?q=1+2", {}, "/a?q=1%202"],
      ["/c++/a?q=1", {}, "/c++/a?q=1"],
      ["/a?q={{nope}}&r=1", {}, "/a?q=&r=1"],
      ["/a?n={{n}}&f={{f}}", { n: 0, f: false }, "/a?n=0&f=false"],
      ["/a?x=1&x=2&x=3", {}, "/a?x=1&x=2&x=3"],
      ["/a?b#fragment", {}, "/a?b"],
      ["{{base}}/a", {}, "/a"],
      ["{{base}}{{path}}", { path: "/p/q?r=1&s" }, "/p/q?r=1&s"],
      ["{{base}}{{path}}?t={{t}}", { path: "/p", t: "&" }, "/p?t=%26"],
      ["{{base}}/?o={{o}}", { o: { a: [1] } }, "/?o=%7B%22a%22%3A%5B1%5D%7D"]
    ]
    for (const [url, inputs, expected] of cases) {
      it.scopedLive(`${url} with ${JSON.stringify(inputs)} is ${expected}`, () =>
        Effect.map(received({ url }, inputs), (request) => assert.strictEqual(request.url, expected)))
    }

    it.scopedLive("that is one token is taken as it is", () =>
      Effect.gen(function*() {
        const server = yield* echo
        yield* call(server, { url: "{{url}}" }, { url: `${server.url}/a/b?c=d&e=%20f+g` })
        assert.strictEqual(server.requests[0]?.url, "/a/b?c=d&e=%20f+g")
      }))

    it.scopedLive("lets no value choose another host or path", () =>
      Effect.gen(function*() {
        const server = yield* echo
        const host = `127.0.0.1:${server.port}`
        for (const path of ["@evil.example/", ".evil.example", "evil", ":1"]) {
          const error = yield* failure(server, { url: `http://${host}{{path}}/x` }, { path })
          assert.include(error.message, "not an absolute URL")
        }
        for (const id of ["..", "."]) {
          const error = yield* failure(server, { url: `${server.url}/users/{{id}}/x` }, { id })
          assert.include(error.message, "{{id}}")
        }
        assert.lengthOf(server.requests, 0)
      }))

    it.scopedLive("sends user and password as basic authentication, a value in them encoded", () =>
      Effect.gen(function*() {
        const server = yield* echo
        yield* call(server, { url: `http://{{user}}:{{pw}}@127.0.0.1:${server.port}/` }, { user: "me", pw: "p@s/s:w" })
        assert.strictEqual(
          server.requests[0]?.headers.authorization,
          `Basic ${Buffer.from("me:p@s/s:w").toString("base64")}`
        )
      }))

    it.scopedLive("that cannot be read, or is not allowed, fails the component", () =>
      Effect.gen(function*() {
        const server = yield* echo
        assert.include((yield* failure(server, { url: "no url" })).message, "not an absolute URL")
        assert.include((yield* failure(server, { url: "http://10.0.0.1/x" })).message, "not public")
        assert.include((yield* failure(server, { url: "file:///etc/passwd" })).message, "only http and https")
      }))

    it.scopedLive("does not carry a stored file, naming the parameter", () =>
      Effect.gen(function*() {
        const server = yield* echo
        const error = yield* failure(server, { url: `${server.url}/?a=1&doc={{f}}` }, { f: "smythfs://a1.agent/x.txt" })
        assert.include(error.message, `"doc"`)
        assert.include(error.message, "No object")
        assert.lengthOf(server.requests, 0)
      }))
  })

  describe("URL with stored files in its query", () => {
    const urls = Layer.succeed(PublicUrls, {
      make: ({ path }, timeToLive) =>
        Effect.succeed(`https://files.example/${path}?s=${Duration.toSeconds(timeToLive)}`)
    })

    it.scopedLive("has addresses in their place that anybody can fetch, for the time of the call", () =>
      Effect.gen(function*() {
        const server = yield* echo
        yield* call(
          server,
          { url: `${server.url}/?a=1&doc={{f}}&b=%26`, timeout: 5 },
          { f: "smythfs://a1.agent/r.txt" },
          { files: { "r.txt": "hello" } }
        )
        const { searchParams } = new URL(server.requests[0]!.url, server.url)
        assert.deepStrictEqual(Object.fromEntries(searchParams), {
          a: "1",
          doc: "https://files.example/r.txt?s=65",
          b: "&"
        })
      }).pipe(Effect.provide(urls)))

    it.scopedLive("gives away no file of another agent, and no conversation", () =>
      Effect.gen(function*() {
        const server = yield* echo
        const files = { "r.txt": "hello", "conversations/c1": "hello" }
        for (const f of ["smythfs://b1.agent/r.txt", "smythfs://a1.agent/conversations/c1"]) {
          const error = yield* failure(server, { url: `${server.url}/?doc={{f}}` }, { f }, { files })
          assert.include(error.message, `"doc"`)
          assert.match(error.message, /No object|conversation|not allowed|may not/)
        }
        assert.lengthOf(server.requests, 0)
      }).pipe(Effect.provide(urls)))
  })

  describe("headers", () => {
    it.scopedLive("are an object or its text, values filled in, names in any case", () =>
      Effect.gen(function*() {
        const inputs = { v: `say "hi"`, n: 5 }
        for (
          const headers of [
            { "X-One": "a {{v}} b", "X-Two": "{{n}}", "X-Three": 3, "X-Four": null },
            `{"X-One": "a {{v}} b", "X-Two": "{{n}}", "X-Three": 3, "X-Four": null}`
          ]
        ) {
          const request = yield* received({ headers }, inputs)
          assert.strictEqual(request.headers["x-one"], `a say "hi" b`)
          assert.strictEqual(request.headers["x-two"], "5")
          assert.strictEqual(request.headers["x-three"], "3")
          assert.isFalse("x-four" in request.headers)
        }
      }))

    it.scopedLive("cannot be split by a value", () =>
      Effect.gen(function*() {
        const server = yield* echo
        const error = yield* failure(server, { url: server.url, headers: { "x-a": "{{v}}" } }, { v: "1\r\nx-b: 2" })
        assert.include(error.message, `"x-a"`)
        assert.lengthOf(server.requests, 0)
      }))

    it.scopedLive("that are no object fail the component", () =>
      Effect.gen(function*() {
        const server = yield* echo
        assert.include((yield* failure(server, { url: server.url, headers: "nonsense" })).message, "headers")
      }))

    it.scopedLive("override the content type", () =>
      Effect.gen(function*() {
        const request = yield* received({
          contentType: "application/json",
          headers: { "Content-Type": "application/vnd.api+json" },
          body: "{}"
        })
        assert.strictEqual(request.headers["content-type"], "application/vnd.api+json")
      }))
  })

  describe("secrets", () => {
    it.scopedLive("of the vault go into URL, headers and body, each as its place demands", () =>
      Effect.gen(function*() {
        const request = yield* received(
          {
            url: "/?k={{KEY(api key)}}",
            headers: { authorization: "Bearer {{KEY(api key)}}" },
            contentType: "application/json",
            body: `{"k":"{{KEY(api key)}}"}`
          },
          {},
          { secrets: { "api key": secret } }
        )
        assert.strictEqual(request.url, `/?k=${encodeURIComponent(secret)}`)
        assert.strictEqual(request.headers.authorization, `Bearer ${secret}`)
        assert.deepStrictEqual(JSON.parse(request.body), { k: secret })
      }))

    it.scopedLive("that are missing fail the component before anything is sent", () =>
      Effect.gen(function*() {
        const server = yield* echo
        const error = yield* failure(server, { url: server.url, headers: { a: "{{KEY(nope)}}" } })
        assert.include(error.message, "nope")
        assert.lengthOf(server.requests, 0)
      }))

    it.scopedLive("do not show in failures", () =>
      Effect.gen(function*() {
        const server = yield* answering(500, "text/plain", "no")
        const settings = {
          url: `${server.url}/{{KEY(api key)}}?k={{KEY(api key)}}`,
          headers: { "x-k": "{{KEY(api key)}}" }
        }
        const options = { secrets: { "api key": secret } }
        const failed = yield* failure(server, settings, {}, options)
        const refused = yield* failure(server, { ...settings, url: settings.url.replace(/:\d+/, ":1") }, {}, options)
        for (const error of [failed, refused]) assert.notInclude(JSON.stringify(error), "s3cr3t")
      }))

    it.scopedLive("are not reached by request data that looks like a token", () =>
      Effect.gen(function*() {
        const request = yield* received(
          { contentType: "text/plain", body: "{{v}}" },
          { v: "{{KEY(api key)}}" },
          { secrets: { "api key": secret } }
        )
        assert.notInclude(request.body, "s3cr3t")
      }))
  })
})

const secret = `s3cr3t"&/x`
