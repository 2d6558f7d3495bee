/**
 * The client scenarios of https://github.com/modelcontextprotocol/conformance. Its package needs Node 22: both are looked for in
 * the folder `SRE_MCP_CONFORMANCE`, where `npm i @modelcontextprotocol/conformance@0.1.16 node@22` put them.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"

const folder = process.env["SRE_MCP_CONFORMANCE"]

const scenarios = [
  "initialize",
  "tools_call",
  "sse-retry",
  ...[
    "metadata-default",
    "metadata-var1",
    "metadata-var2",
    "metadata-var3",
    "basic-cimd",
    "scope-from-www-authenticate",
    "scope-from-scopes-supported",
    "scope-omitted-when-undefined",
    "scope-step-up",
    "scope-retry-limit",
    "token-endpoint-auth-basic",
    "token-endpoint-auth-post",
    "token-endpoint-auth-none",
    "pre-registration",
    "2025-03-26-oauth-metadata-backcompat",
    "2025-03-26-oauth-endpoint-fallback",
    "resource-mismatch",
    "offline-access-scope",
    "offline-access-not-supported",
    "client-credentials-basic"
  ].map((name) => `auth/${name}`)
]

/** Of clients that ask a person in the middle of a call, prove themselves with a key pair, or have an identity provider. */
const notOurs = [
  "elicitation-sep1034-client-defaults",
  "auth/client-credentials-jwt",
  "auth/cross-app-access-complete-flow"
]

describe("the client scenarios of the protocol's own suite", () => {
  if (folder === undefined) {
    process.stderr.write("skipped: MCP conformance, since SRE_MCP_CONFORMANCE names no folder with it\n")
    it.skip("SRE_MCP_CONFORMANCE names no folder with the suite and Node 22", () => {})
    return
  }
  const node = join(folder, "node_modules/.bin/node")
  const suite = join(folder, "node_modules/@modelcontextprotocol/conformance/dist/index.js")
  /** A scenario that fails ends with a status of its own, which rejects with all that was said. */
  const run = async (...args: ReadonlyArray<string>) => {
    const { stderr, stdout } = await promisify(execFile)(node, [suite, ...args], { cwd: folder })
    return stdout + stderr
  }

  it("are all known here", async () => {
    const listed = (await run("list", "--client")).matchAll(/^\s+- (\S+)/gm)
    assert.sameMembers(Array.from(listed, ([, name]) => name), [...scenarios, ...notOurs])
  }, 30_000)

  const client = join(import.meta.dirname, "../../fixtures/McpConformanceClient.ts")
  for (const scenario of scenarios) {
    it(scenario, async () => {
      const output = await run("client", "--command", `${node} --no-warnings ${client}`, "--scenario", scenario)
      assert.match(output, /OVERALL: PASSED/)
    }, 60_000)
  }
})
