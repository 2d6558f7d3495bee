import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { join } from "node:path"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import { Agents } from "../../../src/agents/Agents.ts"
import { JSONFileManagedVault } from "../../../src/connectors/managedvault/JSONFileManagedVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { agentDocument } from "../../agents/documents.ts"
import * as McpSignInServer from "../../fixtures/McpSignInServer.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import { post, send, serving } from "../serving.ts"

const ann = { authorization: "Bearer key-ann" }
const bob = { authorization: "Bearer key-bob" }
const stranger = { authorization: "Bearer key-stranger" }

const document = (id: string, mcpUrl: string) =>
  agentDocument(
    {
      E: { name: "APIEndpoint", data: { endpoint: "who", method: "POST" }, in: ["x?"], out: ["body"] },
      M: { name: "MCPClient", data: { mcpUrl, tool: "whoami", oauth_con_id: "files" }, in: ["x"] },
      N: { name: "MCPClient", data: { mcpUrl, tool: "whoami" }, in: ["x"] },
      P: { name: "Pass", in: ["x"] }
    },
    ["E.body -> M.x"],
    { id }
  )

/** `user:ann` owns the agents; `user:bob` may call them. */
const system = (users?: Readonly<Record<string, string>>) =>
  Effect.gen(function*() {
    const mcp = yield* McpSignInServer.make()
    const file = join(yield* tempFolder, "tokens.json")
    const served = yield* serving({
      ...(users === undefined ? {} : { users }),
      managedVault: JSONFileManagedVault.layer({ file }),
      allow: [mcp.rule]
    })
    const agents = Context.get(served.context, Agents)
    for (const id of ["a1", "a2"]) {
      const definition = yield* AgentDefinition.fromUnknown(document(id, mcp.url))
      yield* agents.unload(id).pipe(Candidate.as(Candidate.agent(id)))
      yield* Candidate.as(agents.load(definition), Candidate.user(users === undefined ? "local" : "ann"))
    }
    return { ...served, mcp }
  })

describe("signing a component in", { timeout: 30_000 }, () => {
  it.scopedLive("begins for an owner, and is finished by the browser that comes back, once", () =>
    Effect.gen(function*() {
      const { mcp, url } = yield* system({ "key-ann": "ann", "key-bob": "bob", "key-stranger": "stranger" })
      const begin = (headers: Record<string, string>, component = "M", body: unknown = {}) =>
        post(`${url}/agents/a1/components/${component}/sign-in`, body, headers)
      assert.strictEqual((yield* begin({})).status, 401)
      assert.strictEqual((yield* begin(bob)).status, 403)
      assert.strictEqual((yield* begin(stranger)).status, 404)
      const before = yield* post(`${url}/agents/a1/api/who`, { x: 1 }, bob)
      assert.strictEqual(before.status, 422)

      const begun = yield* begin(ann)
      assert.deepInclude(begun, { status: 200 })
      assert.isFalse(begun.json.signedIn)
      assert.strictEqual(new URL(begun.json.url).searchParams.get("redirect_uri"), `${url}/sign-in`)
      assert.strictEqual((yield* begin(ann)).json.url, begun.json.url)

      const address = yield* mcp.browse(begun.json.url)
      assert.isTrue(address.startsWith(`${url}/sign-in?`))
      // A run that would need it meanwhile waits for the same.
      const meanwhile = yield* post(`${url}/agents/a1/api/who`, { x: 1 }, bob)
      assert.include(meanwhile.json.result._error, begun.json.url)
      const forged = new URL(address)
      forged.searchParams.set("state", `signin-0.${forged.searchParams.get("state")!.split(".")[1]}`)
      for (
        const wrong of [forged.href, `${url}/sign-in`, `${url}/sign-in?code=x&state=y`, `${url}/sign-in?state=.AA`]
      ) {
        const { json, status } = yield* send(wrong)
        assert.deepInclude({ status, ...json }, { status: 400, error: "SignInFailed" }, wrong)
      }
      const back = yield* send(address, { headers: { "sec-fetch-site": "cross-site" } })
      assert.strictEqual(back.status, 200)
      assert.include(back.text, "Signed in")
      assert.strictEqual(back.headers.get("referrer-policy"), "no-referrer")
      assert.strictEqual((yield* send(address)).status, 400)

      const after = yield* post(`${url}/agents/a1/api/who`, { x: 1 }, bob)
      assert.strictEqual(after.status, 200)
      assert.include(after.text, "whoami ran")
      assert.deepStrictEqual((yield* begin(ann)).json, { signedIn: true })
      // The tokens are those of one agent.
      assert.strictEqual((yield* post(`${url}/agents/a2/api/who`, { x: 1 }, bob)).status, 422)
    }))

  it.scopedLive("leads to where the owner wants, and says why it cannot begin", () =>
    Effect.gen(function*() {
      const { mcp, url } = yield* system({ "key-ann": "ann", "key-bob": "bob" })
      const begin = (component: string, body: unknown = {}) =>
        post(`${url}/agents/a1/components/${component}/sign-in`, body, ann)
      const { json } = yield* begin("M", { redirectUrl: "https://sre.example/back" })
      const address = yield* mcp.browse(json.url)
      assert.isTrue(address.startsWith("https://sre.example/back?"))
      assert.strictEqual((yield* send(`${url}/sign-in${new URL(address).search}`)).status, 200)
      for (
        const [component, status, body, problem] of [
          ["X", 404, {}, "X"],
          ["P", 422, {}, "knows no sign-in"],
          ["N", 422, {}, "oauth_con_id"],
          ["M", 422, { redirectUrl: "javascript:alert(1)" }, "http"],
          ["M", 400, { redirectUrl: 5 }, "redirectUrl"],
          ["M", 400, { redirect: "x" }, "redirect"]
        ] as const
      ) {
        const refused = yield* begin(component, body)
        assert.strictEqual(refused.status, status, refused.text)
        assert.include(refused.json.message, problem)
      }
    }))

  it.scopedLive("without credentials the page of another server may lead back here, and nowhere else", () =>
    Effect.gen(function*() {
      const { mcp, url } = yield* system()
      const led = { "sec-fetch-site": "cross-site" }
      const begin = `${url}/agents/a1/components/M/sign-in`
      assert.strictEqual((yield* post(begin, {}, led)).status, 403)
      const address = yield* mcp.browse((yield* post(begin, {})).json.url)
      assert.strictEqual((yield* send(`${url}/sign-in/x`, { headers: led })).status, 403)
      assert.strictEqual((yield* send(`${url}/agents?/sign-in`, { headers: led })).status, 403)
      assert.strictEqual((yield* post(address, {}, led)).status, 403)
      assert.strictEqual((yield* send(address, { headers: led })).status, 200)
    }))
})
