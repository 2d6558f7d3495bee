import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { request } from "node:http"
import { frames, post, send, serving } from "./serving.ts"

const users = { "key-ann": "ann", "key-bob": "bob", "key-stranger": "stranger" }
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

describe("with an account", () => {
  it.scopedLive("no credential, a wrong one and one of another scheme are a 401", () =>
    Effect.gen(function*() {
      const { url } = yield* serving({ users })
      const wrong: ReadonlyArray<Record<string, string>> = [
        {},
        bearer("wrong"),
        { authorization: "Basic key-ann" },
        { authorization: "Bearer " },
        { "x-api-key": "" },
        { authorization: "Basic eA==", "x-api-key": "key-ann" }
      ]
      for (const headers of wrong) {
        const { headers: replied, json, status, text } = yield* send(`${url}/agents`, { headers })
        assert.strictEqual(status, 401)
        assert.strictEqual(json.error, "Unauthenticated")
        assert.strictEqual(replied.get("www-authenticate"), "Bearer")
        assert.notInclude(text, "wrong")
      }
    }))

  it.scopedLive("the key says who asks, in either header", () =>
    Effect.gen(function*() {
      const { url } = yield* serving({ users })
      for (const headers of [bearer("key-ann"), { "x-api-key": "key-ann" }]) {
        const { json } = yield* post(`${url}/agents/a1/api/session`, {}, headers)
        assert.match(json.result.session, /^user:ann /)
      }
    }))

  it.scopedLive("nothing else in a request does", () =>
    Effect.gen(function*() {
      const { url } = yield* serving({ users })
      const { json } = yield* post(
        `${url}/agents/a1/api/session?candidate=user:bob&user=bob`,
        { candidate: "user:bob", user: "bob", _agent_authinfo: { id: "bob" } },
        { ...bearer("key-ann"), "x-user": "bob", "x-candidate": "user:bob", "x-caller-session-id": "user:bob/s1" }
      )
      assert.strictEqual(json.result.session, "user:ann user:bob/s1")
    }))

  it.scopedLive("agents of others are not there: 404, and not in the list", () =>
    Effect.gen(function*() {
      const { url } = yield* serving({ users })
      const headers = bearer("key-stranger")
      assert.deepStrictEqual((yield* send(`${url}/agents`, { headers })).json, { agents: [] })
      for (const path of ["/agents/a1", "/agents/a1/openapi.json"]) {
        assert.strictEqual((yield* send(`${url}${path}`, { headers })).status, 404)
      }
      for (const [path, body] of [["api/echo", { text: "x" }], ["chat", { message: "x" }]] as const) {
        const { json, status } = yield* post(`${url}/agents/a1/${path}`, body, headers)
        assert.strictEqual(status, 404)
        assert.deepStrictEqual(json.available, [])
      }
      assert.strictEqual((yield* send(`${url}/agents/a1`, { headers: bearer("key-ann") })).status, 200)
    }))

  it.scopedLive("health, readiness and the API document need no credential", () =>
    Effect.gen(function*() {
      const { url } = yield* serving({ users })
      for (const path of ["/health", "/ready", "/openapi.json"]) {
        assert.strictEqual((yield* send(`${url}${path}`)).status, 200)
      }
    }))

  it.scopedLive("100 tenants at once, plain and as streams, each stay who they are", () =>
    Effect.gen(function*() {
      const tenants = Array.from({ length: 100 }, (_, n) => `t${n}`)
      const { url } = yield* serving({ users: Object.fromEntries(tenants.map((id) => [`key-${id}`, id])) })
      const ask = (id: string, stream: boolean) =>
        Effect.map(
          post(`${url}/agents/${stream ? "a1" : "a2"}/api/session`, {}, {
            ...bearer(`key-${id}`),
            "x-caller-session-id": "same",
            ...(stream ? { accept: "text/event-stream" } : {})
          }),
          ({ json, text }) =>
            stream
              ? frames(text).find(({ event }) => event === "RunEnded")?.data.event.answer.result.session
              : json.result.session
        )
      const seen = yield* Effect.forEach(
        [...tenants, ...tenants],
        (id, index) => Effect.map(ask(id, index % 2 === 0), (session) => [id, session]),
        { concurrency: 50 }
      )
      assert.deepStrictEqual(seen, [...tenants, ...tenants].map((id) => [id, `user:${id} same`]))
    }), 60_000)
})

/** `fetch` does not let one choose these headers. */
const raw = (port: number, headers: Record<string, string>, path = "/agents", method = "GET") =>
  Effect.async<{ status: number; body: string; headers: Record<string, unknown> }>((resume) => {
    request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      let body = ""
      response.on("data", (chunk) => body += chunk)
      response.on(
        "end",
        () => resume(Effect.succeed({ status: response.statusCode ?? 0, body, headers: response.headers }))
      )
    }).end()
  })

describe("local, without credentials", () => {
  it.scopedLive("everybody on this machine is one user", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { json } = yield* post(`${url}/agents/a1/api/session`, {})
      assert.match(json.result.session, /^user:local /)
    }))

  it.scopedLive("names that are not this machine's are refused, on every path", () =>
    Effect.gen(function*() {
      const { port } = yield* serving()
      for (
        const host of [
          "evil.example",
          "evil.example:4111",
          "127.0.0.1.evil.example",
          "10.0.0.1",
          "localhost.evil.example"
        ]
      ) {
        for (const path of ["/agents", "/health"]) {
          const { body, status } = yield* raw(port, { host }, path)
          assert.strictEqual(status, 403, host)
          assert.strictEqual(JSON.parse(body).error, "ForeignRequest")
        }
      }
      for (const host of ["localhost", `localhost:${port}`, "127.0.0.1", "127.1.2.3:80", "[::1]:80", "my.localhost"]) {
        assert.strictEqual((yield* raw(port, { host })).status, 200, host)
      }
    }))

  it.scopedLive("pages of other origins are refused, also where browsers send no Origin", () =>
    Effect.gen(function*() {
      const { port } = yield* serving()
      const host = `127.0.0.1:${port}`
      const foreign: ReadonlyArray<Record<string, string>> = [
        { origin: "https://evil.example" },
        { origin: "http://localhost:3000" },
        { origin: "null" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" }
      ]
      for (const headers of foreign) assert.strictEqual((yield* raw(port, { host, ...headers })).status, 403)
      const own: ReadonlyArray<Record<string, string>> = [
        { origin: `http://${host}`, "sec-fetch-site": "same-origin" },
        { "sec-fetch-site": "none" }
      ]
      for (const headers of own) assert.strictEqual((yield* raw(port, { host, ...headers })).status, 200)
    }))

  it.scopedLive("it listens to nobody but this machine", () =>
    Effect.gen(function*() {
      const failure = yield* Effect.flip(serving({ server: { host: "0.0.0.0" } }))
      assert.include(String(failure), `auth "account"`)
    }))
})

describe("other origins", () => {
  it.scopedLive("get no CORS headers unless the operator names them", () =>
    Effect.gen(function*() {
      const { port } = yield* serving({ users })
      const { headers } = yield* raw(port, { host: "x", origin: "https://a.example" }, "/health")
      assert.notProperty(headers, "access-control-allow-origin")
    }))

  it.scopedLive("those named do, preflight included, and others still do not", () =>
    Effect.gen(function*() {
      const { port } = yield* serving({ server: { cors: { origins: ["https://a.example"] } } })
      const host = `127.0.0.1:${port}`
      const allowed = yield* raw(port, { host, origin: "https://a.example" })
      assert.strictEqual(allowed.status, 200)
      assert.strictEqual(allowed.headers["access-control-allow-origin"], "https://a.example")
      const preflight = { host, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key" }
      const yes = yield* raw(port, { ...preflight, origin: "https://a.example" }, "/agents/a1/api/echo", "OPTIONS")
      assert.strictEqual(yes.status, 204)
      assert.strictEqual(yes.headers["access-control-allow-origin"], "https://a.example")
      const no = yield* raw(port, { ...preflight, origin: "https://b.example" }, "/agents/a1/api/echo", "OPTIONS")
      assert.notProperty(no.headers, "access-control-allow-origin")
      assert.strictEqual((yield* raw(port, { host, origin: "https://b.example" })).status, 403)
    }))
})
