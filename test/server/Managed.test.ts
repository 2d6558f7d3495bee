import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { JSONFileAccount } from "../../src/connectors/account/JSONFileAccount.ts"
import { NodeRouter } from "../../src/connectors/router/NodeRouter.ts"
import { MemoryStorage } from "../../src/connectors/storage/MemoryStorage.ts"
import * as ApiKey from "../../src/security/ApiKey.ts"
import * as Managed from "../../src/server/Managed.ts"
import { Router } from "../../src/subsystems/io/Router.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"
import { post, send } from "./serving.ts"

/** A host that offers storage alone, beside an app of its own. */
const hosting = (hosts: unknown) =>
  Effect.gen(function*() {
    const file = join(yield* tempFolder, "account.json")
    const account = {
      acme: { users: { ann: {} }, agents: { sre: {} }, settings: { "smyth.hosts": hosts } },
      apiKeys: { [ApiKey.hash(Redacted.make("token"))]: "agent:sre", [ApiKey.hash(Redacted.make("ann's"))]: "user:ann" }
    }
    yield* Effect.promise(() => writeFile(file, JSON.stringify(account), { mode: 0o600 }))
    const context = yield* Layer.build(
      Managed.layer({ storage: MemoryStorage.contract({}), maxBodyBytes: 2000 }).pipe(
        Layer.provideMerge(Layer.merge(JSONFileAccount.layer({ file }), NodeRouter.layer({ port: 0 })))
      )
    )
    const router = Context.get(context, Router)
    yield* router.serve(Effect.succeed(HttpServerResponse.text("own")))
    return yield* router.baseUrl
  })

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe("Managed", () => {
  it.scopedLive("answers below its path, and leaves the rest to the host", () =>
    Effect.gen(function*() {
      const url = yield* hosting("agent:sre")
      assert.strictEqual((yield* send(`${url}/`)).text, "own")
      assert.strictEqual((yield* send(`${url}/smyth/v2/teams/acme/storage/head`)).text, "own")
      const head = yield* post(`${url}/smyth/v1/teams/acme/storage/head`, { key: "user:ann/x" }, bearer("token"))
      assert.deepStrictEqual([head.status, head.json], [200, { object: null }])
      assert.strictEqual((yield* post(`${url}/smyth/v1/teams/acme/storage/steal`, {}, bearer("token"))).status, 404)
    }))

  it.scopedLive("whoever the team's setting does not name is refused, however the setting is written", () =>
    Effect.gen(function*() {
      const path = "/smyth/v1/teams/acme/storage/head"
      const status = (url: string, headers: Record<string, string>) =>
        Effect.map(post(url + path, { key: "user:ann/x" }, headers), ({ status }) => status)
      for (const hosts of ["agent:x, agent:sre", `["agent:sre"]`, ["agent:sre", 1]]) {
        const url = yield* hosting(hosts)
        assert.strictEqual(yield* status(url, bearer("token")), 200)
        assert.strictEqual(yield* status(url, bearer("ann's")), 403)
        assert.strictEqual(yield* status(url, bearer("other")), 401)
        assert.strictEqual(yield* status(url, {}), 401)
        // A name is no proof.
        assert.strictEqual(yield* status(url, { "x-agent-id": "sre", ...bearer("ann's") }), 403)
      }
      for (const hosts of ["", "agent:sre2", "sre", { sre: true }, [["agent:sre"]]]) {
        assert.strictEqual(yield* status(yield* hosting(hosts), bearer("token")), 403)
      }
    }))

  it.scopedLive("says what is wrong with a request, and what it does not offer", () =>
    Effect.gen(function*() {
      const url = `${yield* hosting("agent:sre")}/smyth/v1/teams/acme`
      const failed = (path: string, body: unknown) =>
        Effect.map(post(`${url}${path}`, body, bearer("token")), ({ json, status }) => [status, json?.reason])
      assert.deepStrictEqual(yield* failed("/vault/get", { owner: "team:a", name: "b" }), [501, "Unsupported"])
      assert.deepStrictEqual(yield* failed("/storage/remove", { key: "user:ann/x", expected: "1" }), [409, "Conflict"])
      assert.deepStrictEqual(yield* failed("/storage/head", { key: "x" }), [400, "InvalidInput"])
      assert.strictEqual((yield* failed("/storage/head", { key: 1 }))[0], 400)
      assert.strictEqual((yield* failed("/storage/head", "{"))[0], 400)
      assert.strictEqual((yield* failed("/storage/put", "no line"))[0], 400)
      assert.isAtLeast(Number((yield* failed("/storage/head", { key: "x".repeat(5000) }))[0]), 400)
    }))
})
