import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { post, send, serving } from "../serving.ts"

describe("endpoints of agents", () => {
  it.scopedLive("POST answers what the agent answers", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { headers, json, status } = yield* post(`${url}/agents/a1/api/echo`, { text: "hé", count: "7" })
      assert.strictEqual(status, 200)
      assert.strictEqual(headers.get("content-type"), "application/json")
      assert.deepStrictEqual(json, { id: "C_echo", name: "Pass", result: { in: { text: "hé", count: 7 } } })
    }))

  it.scopedLive("GET takes its inputs from the query; a repeated key is a list", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const one = yield* send(`${url}/agents/a1/api/look?q=a%20b`)
      assert.deepInclude(one.json.result.request, { query: { q: "a b" }, method: "GET" })
      const many = yield* send(`${url}/agents/a1/api/look?q=a&q=b`)
      assert.deepStrictEqual(many.json.result.request.query, { q: ["a", "b"] })
    }))

  it.scopedLive("names of every object's members in the query are names like any other", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const query = "q=1&toString=2&constructor=3&constructor=4&__proto__=5"
      const { json } = yield* send(`${url}/agents/a1/api/look?${query}`)
      assert.deepStrictEqual(
        json.result.request.query,
        JSON.parse(`{"q":"1","toString":"2","constructor":["3","4"],"__proto__":"5"}`)
      )
    }))

  it.scopedLive("however the path is written, the answer is the same: with and without a walk through the router", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const seen = (path: string, body: unknown) =>
        Effect.map(post(url + path, body), ({ headers, json, status }) => {
          const { runId: _, ...told } = json as { readonly runId?: string }
          return [status, headers.get("content-type"), headers.has("x-run-id"), told]
        })
      for (const body of [{ text: "x", count: 1 }, {}, [1]]) {
        for (const endpoint of ["echo", "nope", "look"]) {
          assert.deepStrictEqual(
            yield* seen(`/agents/a1/api/${endpoint}`, body),
            yield* seen(`/agents/%61%31/api/${endpoint}`, body),
            endpoint
          )
        }
      }
    }))

  it.scopedLive("a path that cannot be read leads nowhere", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      for (const path of ["/agents/%ZZ/api/look", "/agents/a1/api/%E0%A4%A", `/agents/${"a".repeat(10_000)}`]) {
        const { json, status } = yield* send(url + path)
        assert.strictEqual(status, 404)
        assert.strictEqual(json.error, "RouteNotFound")
      }
    }))

  it.scopedLive("the agent may be named by a header; a version before the path is told to the agent", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const named = { "x-agent-id": "a2" }
      const plain = yield* post(`${url}/api/both`, { text: "x" }, named)
      assert.strictEqual(plain.status, 200)
      assert.notProperty(plain.json.result.request.headers, "x-agent-version")
      const versioned = yield* post(`${url}/v1.2/api/both`, { text: "x" }, named)
      assert.strictEqual(versioned.json.result.request.headers["x-agent-version"], "1.2")
      for (const path of ["/v2/api/both", "/x/v1.2/api/both", "/v1.2.3/api/both", "/v1.2/v1.2/api/both"]) {
        assert.strictEqual((yield* post(`${url}${path}`, {}, named)).status, 404, path)
      }
      const { json, status } = yield* post(`${url}/api/both`, {})
      assert.strictEqual(status, 400)
      assert.include(json.message, "X-AGENT-ID")
    }))

  it.scopedLive("credentials and cookies do not reach the agent, all else does", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { json } = yield* post(`${url}/agents/a1/api/both`, {}, {
        authorization: "Bearer s3cret",
        cookie: "session=s3cret",
        "x-api-key": "s3cret",
        "proxy-authorization": "Basic s3cret",
        "x-mine": "yes"
      })
      const { headers } = json.result.request
      assert.strictEqual(headers["x-mine"], "yes")
      assert.notInclude(JSON.stringify(headers), "s3cret")
    }))

  it.scopedLive("a run of which every part failed is a 422 with the answer", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { json, status } = yield* post(`${url}/agents/a1/api/fail`, {})
      assert.strictEqual(status, 422)
      assert.deepStrictEqual(json, { id: "C_fail", name: "Fail", result: { _error: "no luck" } })
    }))

  it.scopedLive("bare text has the content type the agent's APIOutput says", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { headers, text } = yield* post(`${url}/agents/a1/api/page`, { text: "<b>hi</b>" })
      assert.include(headers.get("content-type"), "text/html")
      assert.include(text, "<b>hi</b>")
    }))
})

describe("bodies", () => {
  it.scopedLive("forms: fields are text, a repeated one is a list", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { json } = yield* send(`${url}/agents/a1/api/echo`, {
        method: "POST",
        body: new URLSearchParams([["text", "a b"], ["count", "3"], ["more", "1"], ["more", "2"]])
      })
      assert.deepStrictEqual(json.result.in, { text: "a b", count: 3, more: ["1", "2"] })
    }))

  it.scopedLive("uploads become file objects", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const body = new FormData()
      body.append("text", new File(["h\u0000i\r\n--x"], "a.bin", { type: "image/png" }))
      body.append("note", "plain")
      const { json } = yield* send(`${url}/agents/a1/api/upload`, { method: "POST", body })
      assert.deepStrictEqual(json.result.in, {
        text: {
          name: "a.bin",
          mimetype: "image/png",
          size: 8,
          url: `data:image/png;base64,${Buffer.from("h\u0000i\r\n--x").toString("base64")}`
        },
        note: "plain"
      })
    }))

  it.scopedLive("no body is an empty one, and a body without a type is JSON", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const none = yield* send(`${url}/agents/a1/api/both`, { method: "POST" })
      assert.deepStrictEqual(none.json.result.request.body, {})
      const typeless = yield* send(`${url}/agents/a1/api/both`, {
        method: "POST",
        body: new TextEncoder().encode(`{"text":1}`)
      })
      assert.deepStrictEqual(typeless.json.result.request.body, { text: 1 })
    }))

  it.scopedLive("__proto__ in a body is data", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { text } = yield* post(`${url}/agents/a1/api/both`, `{"__proto__":{"polluted":1},"text":"x"}`)
      assert.include(text, `"__proto__":{"polluted":1}`)
      assert.notProperty({}, "polluted")
    }))
})

describe("refusals", () => {
  const cases: ReadonlyArray<
    readonly [name: string, path: string, init: RequestInit, status: number, error: string, part: string]
  > = [
    ["an unknown agent", "/agents/nope/api/echo", {}, 404, "AgentNotFound", "nope"],
    ["an unknown endpoint", "/agents/a1/api/ecko", {}, 404, "EndpointNotFound", `Did you mean "echo"`],
    [
      "JSON that is not",
      "/agents/a1/api/echo",
      { body: `{\n  "text": x}` },
      400,
      "MalformedRequest",
      "line 2, column 11"
    ],
    [
      "text that is not UTF-8",
      "/agents/a1/api/echo",
      { body: new Uint8Array([0x22, 0xff, 0x22]) },
      400,
      "MalformedRequest",
      "UTF-8"
    ],
    ["a missing input", "/agents/a1/api/echo", { body: "{}" }, 400, "BadInput", "text"],
    ["a body that is no object", "/agents/a1/api/echo", { body: "[1]" }, 400, "BadInput", "object"],
    [
      "a broken form",
      "/agents/a1/api/echo",
      {
        body: "nothing",
        headers: { "content-type": "multipart/form-data; boundary=x" }
      },
      400,
      "MalformedRequest",
      "multipart"
    ],
    [
      "a type nobody reads",
      "/agents/a1/api/echo",
      {
        body: "<a/>",
        headers: { "content-type": "text/xml" }
      },
      415,
      "UnsupportedContentType",
      "application/json"
    ],
    [
      "a compressed body",
      "/agents/a1/api/echo",
      {
        body: "x",
        headers: { "content-type": "application/json", "content-encoding": "gzip" }
      },
      415,
      "UnsupportedContentType",
      "gzip"
    ],
    ["the other method", "/agents/a1/api/look", {}, 405, "MethodNotAllowed", "GET"],
    ["a method of no endpoint", "/agents/a1/api/echo", { method: "DELETE" }, 405, "MethodNotAllowed", "GET, POST"],
    ["a path of nothing", "/agent/a1", {}, 404, "RouteNotFound", "/openapi.json"]
  ]
  for (const [name, path, init, status, error, part] of cases) {
    it.scopedLive(`${name} is a ${status}`, () =>
      Effect.gen(function*() {
        const { url } = yield* serving()
        const reply = yield* send(`${url}${path}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          ...init
        })
        assert.strictEqual(reply.status, status)
        assert.strictEqual(reply.json.error, error)
        assert.include(reply.json.message, part)
        assert.notMatch(reply.text, /\bat \/|\.ts\b|node_modules|stack/)
        if (status === 405) assert.strictEqual(reply.headers.get("allow"), part)
      }))
  }

  it.scopedLive("every input that is missing or does not fit is listed", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { json } = yield* post(`${url}/agents/a1/api/echo`, { count: "many" })
      assert.deepStrictEqual(
        json.inputs.map(({ input, reason }: { input: string; reason: string }) => [input, reason]),
        [["text", "missing"], ["count", "invalid"]]
      )
    }))

  it.scopedLive("as many runs as the operator allows: the next is a 429 that says when to come back", () =>
    Effect.gen(function*() {
      const { begun, release, url } = yield* serving({ agents: { maxRuns: 1, maxQueued: 0 } })
      const first = yield* Effect.fork(post(`${url}/agents/a1/api/slow`, { text: "x" }))
      yield* Deferred.await(begun)
      const second = yield* post(`${url}/agents/a1/api/slow`, { text: "y" })
      assert.strictEqual(second.status, 429)
      assert.strictEqual(second.json.error, "Overloaded")
      assert.strictEqual(second.headers.get("retry-after"), "1")
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
    }))

  it.scopedLive("a run that takes too long is stopped: 504", () =>
    Effect.gen(function*() {
      const { stopped, url } = yield* serving({ agents: { runTimeout: "50 millis" } })
      const { json, status } = yield* post(`${url}/agents/a1/api/slow`, {})
      assert.strictEqual(status, 504)
      assert.strictEqual(json.error, "RunTimedOut")
      assert.strictEqual(json.after, 50)
      yield* Deferred.await(stopped)
    }))
})
