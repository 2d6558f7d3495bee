import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { post, send, serving } from "./serving.ts"

const users = { "key-ann": "ann", "key-bob": "bob" }
const by = (name: string) => ({ authorization: `Bearer key-${name}` })
const owned = { users, owner: "ann" }

const debugging = Effect.map(serving(owned), ({ url }) => {
  const at = (path: string, headers: Record<string, string>, body: unknown = {}, who = "ann") =>
    post(`${url}${path}`, body, { ...by(who), ...headers })
  const begin = (headers: Record<string, string> = {}, body: unknown = { text: "x" }) =>
    Effect.map(at("/agents/a1/api/pair", { "x-debug-run": "", ...headers }, body), ({ json }) => json)
  const step = (session: string, path = "/agents/a1/api/", more: Record<string, string> = {}, body: unknown = {}) =>
    Effect.map(at(path, { "x-debug-run": session, "x-agent-id": "a1", ...more }, body), ({ json }) => json)
  return { url, at, begin, step }
})

const endpointRecord = { id: "E_pair", name: "APIEndpoint" }

describe("X-DEBUG-RUN", () => {
  it.scopedLive("begins a session with the endpoint, and each request is one step, whatever path it is sent to", () =>
    Effect.gen(function*() {
      const { begin, step } = yield* debugging
      for (const path of ["/agents/a1/api/", "/agents/a1/api/pair", "/api/"]) {
        const first = yield* begin()
        assert.match(first.dbgSession, /^run-/)
        assert.isFalse(first.sessionClosed)
        assert.deepStrictEqual(first.state[0], { id: "C_pair", name: "Pass", inputs: { in: { text: "x" } } })
        assert.deepInclude(first.state[1], endpointRecord)

        const second = yield* step(first.dbgSession, path)
        assert.deepStrictEqual(second.state, [
          { id: "C_last", name: "Pass", inputs: { in: { text: "x" } } },
          { id: "C_pair", name: "Pass", result: { in: { text: "x" } } }
        ])

        const last = { id: "C_last", name: "Pass", result: { in: { text: "x" } } }
        const session = { dbgSession: first.dbgSession, sessionClosed: true, finalResult: last }
        assert.deepStrictEqual(yield* step(first.dbgSession, path), { ...session, state: last })
        assert.deepStrictEqual(yield* step(first.dbgSession, path), {
          state: { sessionClosed: true },
          dbgSession: null,
          expiredDbgSession: first.dbgSession,
          sessionClosed: true,
          finalResult: last
        })
      }
    }))

  it.scopedLive("takes mock outputs, from the beginning or later; empty text is none", () =>
    Effect.gen(function*() {
      const { begin, step } = yield* debugging
      const mock = (id: string, value: unknown) => [{ id, ctx: { output: { in: value } } }]
      const mocking = { "x-mock-data-inj": "1" }
      const early = yield* begin(mocking, mock("C_pair", "mocked"))
      const second = yield* step(early.dbgSession)
      assert.deepStrictEqual(second.state[1].result, { in: "mocked" })

      const { dbgSession } = yield* begin()
      yield* step(dbgSession, "/api/", mocking, mock("C_pair", ""))
      const { finalResult } = yield* step(dbgSession, "/api/", mocking, mock("C_last", 7))
      assert.deepStrictEqual(finalResult.result, { in: 7 })
    }))
})

describe("the other debug headers", () => {
  it.scopedLive("X-DEBUG-READ shows what each component got and gave", () =>
    Effect.gen(function*() {
      const { at, begin, step } = yield* debugging
      const { dbgSession } = yield* begin()
      yield* step(dbgSession)
      const { json } = yield* at("/api/", { "x-debug-read": dbgSession, "x-agent-id": "a1" })
      assert.deepInclude(json, { dbgSession, sessionClosed: false, step: 2 })
      assert.deepStrictEqual(json.state["C_pair"], {
        active: false,
        input: { in: { text: "x" } },
        output: { in: { text: "x" } }
      })
    }))

  it.scopedLive("X-DEBUG-STOP stops", () =>
    Effect.gen(function*() {
      const { at, begin, step, url } = yield* debugging
      const { dbgSession } = yield* begin()
      const { json } = yield* at("/agents/a1/api/", { "x-debug-stop": dbgSession })
      assert.deepStrictEqual(json, {
        state: { sessionClosed: true },
        dbgSession: null,
        expiredDbgSession: dbgSession,
        sessionClosed: true
      })
      const run = yield* send(`${url}/agents/a1/runs/${dbgSession}`, { headers: by("ann") })
      assert.strictEqual(run.json.status, "stopped")
      assert.strictEqual((yield* step(dbgSession)).finalResult.error, "RunStopped")
    }))

  it.scopedLive("X-DEBUG-INJ runs components alone, or puts outputs into a session", () =>
    Effect.gen(function*() {
      const { at, begin } = yield* debugging
      const alone = yield* at("/agents/a1/api/", { "x-debug-inj": "" }, [
        { id: "C_pair", ctx: { active: true, input: { in: 5 }, output: {} } },
        { id: "C_fail", ctx: { active: true, input: { in: 5 }, output: { in: "instead" } } },
        { id: "C_echo", ctx: { active: false } }
      ])
      assert.deepStrictEqual(alone.json.state, [
        { id: "C_pair", name: "Pass", result: { in: 5 } },
        { id: "C_fail", name: "Fail", result: { in: "instead" } }
      ])
      const { dbgSession } = yield* begin()
      const entry = (ctx: object) => [{ id: "C_pair", ctx }]
      const injected = yield* at("/agents/a1/api/", { "x-debug-inj": dbgSession }, entry({ output: { in: 9 } }))
      assert.deepStrictEqual(injected.json.state[1], { id: "C_pair", name: "Pass", result: { in: 9 } })
      const nothing = yield* at("/agents/a1/api/", { "x-debug-inj": dbgSession }, entry({ input: { in: 9 } }))
      assert.deepStrictEqual([nothing.status, nothing.json.error], [400, "MalformedRequest"])
    }))

  it.scopedLive("what they name must be there, and their bodies be what they say", () =>
    Effect.gen(function*() {
      const { at } = yield* debugging
      const cases: ReadonlyArray<readonly [header: string, value: string, body: unknown, status: number]> = [
        ["x-debug-run", "run-0", {}, 404],
        ["x-debug-read", "run-0", {}, 404],
        ["x-debug-stop", "dbg-1", {}, 404],
        ["x-debug-stop", "", {}, 400],
        ["x-debug-inj", "", { not: "a list" }, 400],
        ["x-debug-inj", "", [{ id: "C_nope", ctx: {} }], 404],
        ["x-debug-run", "", {}, 404]
      ]
      for (const [header, value, body, status] of cases) {
        const reply = yield* at("/agents/a1/api/", { [header]: value }, body)
        assert.deepStrictEqual([header, reply.status], [header, status])
      }
    }))
})

describe("who may debug", () => {
  it.scopedLive("only owners: of others a call that brings such a header is refused, whichever and whatever else it says", () =>
    Effect.gen(function*() {
      const { at, begin } = yield* debugging
      const { dbgSession } = yield* begin()
      for (const header of ["x-debug-run", "x-debug-inj", "x-debug-read", "x-debug-stop", "x-mock-data-inj"]) {
        for (const value of ["", dbgSession]) {
          const { json, status } = yield* at("/agents/a1/api/pair", { [header]: value }, { text: "x" }, "bob")
          assert.deepStrictEqual([header, status, json.error], [header, 403, "AccessDenied"])
        }
      }
    }))

  it.scopedLive("a nested call is not debugged, and mocks without a session change nothing", () =>
    Effect.gen(function*() {
      const { at } = yield* debugging
      const answer = { id: "C_last", name: "Pass", result: { in: { text: "x" } } }
      const nested = yield* at(
        "/agents/a1/api/pair",
        { "x-debug-run": "", "x-request-tag": "t1" },
        { text: "x" },
        "bob"
      )
      assert.deepStrictEqual(nested.json, answer)
      const mocked = yield* at("/agents/a1/api/pair", { "x-mock-data-inj": "1" }, { text: "x" })
      assert.deepStrictEqual(mocked.json, answer)
    }))
})
