import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Schema } from "effect"
import { RunTimedOut } from "../../src/agents/Agents.ts"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as Account from "../../src/security/Account.ts"
import * as Failures from "../../src/server/Failures.ts"
import { send, serving } from "./serving.ts"

describe("an error on the wire", () => {
  it("is its tag, its message and its fields, and can be read back", () => {
    const error = new RunTimedOut({ agent: "a1", endpoint: "go", after: Duration.seconds(2) })
    const schema = Failures.wire(RunTimedOut)
    const sent = Schema.encodeSync(schema)(error)
    assert.deepStrictEqual(sent as unknown, {
      error: "RunTimedOut",
      message: `go of agent "a1" was stopped after 2s`,
      agent: "a1",
      endpoint: "go",
      after: 2000
    })
    const received = Schema.decodeSync(schema)(sent)
    assert.instanceOf(received, RunTimedOut)
    assert.strictEqual(received.message, error.message)
  })
})

describe("a backend that fails", () => {
  const secret = "password-in-a-url"
  const cases: ReadonlyArray<readonly [ConnectorError["reason"], number, string, string | null]> = [
    ["Unavailable", 503, "Unavailable", "1"],
    ["Timeout", 504, "Timeout", null],
    ["RateLimited", 429, "RateLimited", "1"],
    ["Unauthorized", 503, "Unavailable", "1"],
    ["Corrupted", 503, "Unavailable", "1"]
  ]
  for (const [reason, status, tag, retryAfter] of cases) {
    it.scopedLive(`${reason} is a ${status} that tells nothing of the backend`, () =>
      Effect.gen(function*() {
        const failing = Layer.provide(
          Account.layer,
          Layer.succeed(Account.AccountConnector, {
            teamsOf: () => Effect.succeed([]),
            permissions: () => Effect.succeedNone,
            members: () => Effect.succeed([]),
            settings: () => Effect.succeed({}),
            authenticate: () =>
              Effect.fail(
                new ConnectorError({
                  connector: "MyLdap",
                  method: "authenticate",
                  reason,
                  detail: secret,
                  retryAfter: Duration.millis(10),
                  cause: new Error(secret)
                })
              )
          })
        )
        const { url } = yield* serving({ account: failing, server: { auth: "account" } })
        const reply = yield* send(`${url}/agents`, { headers: { "x-api-key": "key" } })
        assert.strictEqual(reply.status, status)
        assert.strictEqual(reply.json.error, tag)
        assert.strictEqual(reply.headers.get("retry-after"), retryAfter)
        assert.notMatch(reply.text, /MyLdap|password/)
      }))
  }

  it.scopedLive("a bug is a 500 without a word about it", () =>
    Effect.gen(function*() {
      const broken = Layer.provide(
        Account.layer,
        Layer.succeed(Account.AccountConnector, {
          teamsOf: () => Effect.succeed([]),
          permissions: () => Effect.succeedNone,
          members: () => Effect.succeed([]),
          settings: () => Effect.succeed({}),
          authenticate: () => Effect.die(new Error(secret))
        })
      )
      const { url } = yield* serving({ account: broken, server: { auth: "account" } })
      const reply = yield* send(`${url}/agents`, { headers: { "x-api-key": "key" } })
      assert.strictEqual(reply.status, 500)
      assert.deepStrictEqual(reply.json, { error: "InternalError", message: new Failures.InternalError().message })
    }))
})
