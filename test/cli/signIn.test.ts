import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { agentDocument } from "../agents/documents.ts"
import * as McpSignInServer from "../fixtures/McpSignInServer.ts"
import { workspace } from "./sre.ts"

const prepared = Effect.gen(function*() {
  const mcp = yield* McpSignInServer.make()
  const shell = yield* workspace
  const document = agentDocument(
    {
      E: { name: "APIEndpoint", data: { endpoint: "who", method: "POST" }, in: ["x?"], out: ["body"] },
      M: { name: "MCPClient", data: { mcpUrl: mcp.url, tool: "whoami", oauth_con_id: "files" }, in: ["x"] }
    },
    ["E.body -> M.x"],
    { id: "a1" }
  )
  yield* shell.write("a1.smyth", JSON.stringify(document))
  yield* shell.write(
    "sre.config.json",
    JSON.stringify({ Outbound: { Connector: "Undici", Settings: { allow: [mcp.rule] } } })
  )
  return { ...shell, mcp }
})

describe("sre sign-in", { timeout: 60_000 }, () => {
  it.scopedLive("prints the page, waits for who comes back from it, and keeps the tokens", () =>
    Effect.gen(function*() {
      const { mcp, sre, start } = yield* prepared
      const command = yield* start(["sign-in", "a1.smyth", "M"])
      const page = (yield* command.says(/^Open http.*\n/m)).slice("Open ".length).trim()
      assert.match(new URL(page).searchParams.get("redirect_uri") ?? "", /^http:\/\/127\.0\.0\.1:\d+\/sign-in$/)
      const address = yield* mcp.browse(page)
      const visit = (url: string) =>
        Effect.promise(async () => {
          const response = await fetch(url)
          return [response.status, await response.text()] as const
        })
      assert.strictEqual((yield* visit(new URL("/other", address).href))[0], 404)
      assert.strictEqual((yield* visit(new URL("/sign-in?code=x&state=y", address).href))[0], 404)
      const [status, text] = yield* visit(address)
      assert.strictEqual(status, 200)
      assert.include(text, "Signed in")
      const { code, err, out } = yield* command.ended
      assert.strictEqual(code, 0, err)
      assert.include(out, "\"M\" of a1 is signed in")

      const called = yield* sre("run", "a1.smyth", "who", "--input", "{\"x\":1}", "--json")
      assert.strictEqual(called.code, 0, called.out)
      assert.include(called.out, "whoami ran")
      const again = yield* sre("sign-in", "a1.smyth", "M", "--json")
      assert.deepStrictEqual(JSON.parse(again.out), { agent: "a1", component: "M", signedIn: true })
    }))

  it.scopedLive("ends with what went wrong: a refusal in the browser, a component that knows no sign-in", () =>
    Effect.gen(function*() {
      const { sre, start } = yield* prepared
      const command = yield* start(["sign-in", "a1.smyth", "M", "--json"])
      const { url } = JSON.parse(yield* command.says(/^\{.*\}\n/m))
      const { searchParams } = new URL(url)
      const back = `${searchParams.get("redirect_uri")}?error=access_denied&state=${searchParams.get("state")}`
      assert.strictEqual((yield* Effect.promise(() => fetch(back))).status, 400)
      const { code, out } = yield* command.ended
      assert.strictEqual(code, 1)
      assert.deepInclude(JSON.parse(out.trim().split("\n")[1]!), { error: "SignInFailed", connection: "files" })
      assert.include(out, "access_denied")
      const none = yield* sre("sign-in", "a1.smyth", "E")
      assert.strictEqual(none.code, 1)
      assert.include(none.err, "a component APIEndpoint knows no sign-in")
    }))
})
