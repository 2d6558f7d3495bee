/**
 * The client scenarios of https://github.com/modelcontextprotocol/conformance. Its package needs Node 22: `npm ci --prefix .ci/mcp`
 * puts both where they are looked for.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"

const folder = join(import.meta.dirname, "../../../.ci/mcp")
const isInstalled = existsSync(join(folder, "node_modules"))

const scenarios = [
  "initialize",
  "tools_call",
  "sse-retry",
  "elicitation-sep1034-client-defaults",
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
    "client-credentials-basic",
    "client-credentials-jwt"
  ].map((name) => `auth/${name}`)
]

/** Of clients that have an identity provider. */
const notOurs = ["auth/cross-app-access-complete-flow"]

describe("the client scenarios of the protocol's own suite", () => {
  if (!isInstalled && process.env["SRE_REQUIRE_SERVICES"] !== "1") {
    process.stderr.write("skipped: the suite of MCP, which `npm ci --prefix .ci/mcp` installs\n")
    it.skip("`npm ci --prefix .ci/mcp` installs it", () => {})
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
