/**
 * Agents that other people published, unchanged but for the host their calls go to. `SRE_PUBLIC_AGENTS` names the folder
 * with the files; without it these tests are skipped.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"
import * as System from "../fixtures/System.ts"

const folder = process.env["SRE_PUBLIC_AGENTS"]
const available = folder !== undefined && existsSync(folder)
if (!available) process.stderr.write("skipped: SRE_PUBLIC_AGENTS names no folder with published agents\n")

const coins = [{ id: "bitcoin", symbol: "BTC" }, { id: "bitcoin-cash", symbol: "BCH" }]

/** Answers as the two public APIs do, from data of its own. */
const api = HttpServer.make(({ body, headers, method, url }, response) => {
  const { pathname, searchParams } = new URL(url, "http://localhost")
  const known: Record<string, () => unknown> = {
    "GET /api/v3/search": () => ({ coins: coins.filter(({ id }) => id.includes(searchParams.get("query") ?? "")) }),
    "GET /api/v3/simple/price": () => ({
      [searchParams.get("ids") ?? ""]: { [searchParams.get("vs_currencies") ?? ""]: 64_250.5 }
    }),
    "GET /api/v3/coins/bitcoin": () => ({
      id: "bitcoin",
      market_data: { current_price: { usd: 64_250.5, eur: 59_000 } }
    }),
    "GET /repos/octo/site/git/ref/heads/main": () => ({ object: { sha: "abc123" } }),
    "POST /repos/octo/site/git/refs": () => ({ created: JSON.parse(body) as unknown }),
    "PUT /repos/octo/site/contents/docs%2Fa.md": () => ({ content: JSON.parse(body) as unknown }),
    "PUT /repos/octo/site/contents/docs/a.md": () => ({ content: JSON.parse(body) as unknown }),
    "POST /repos/octo/site/pulls": () => ({
      html_url: "https://github.com/octo/site/pull/7",
      ...(JSON.parse(body) as object)
    })
  }
  const found = known[`${method} ${pathname}`]
  const authorized = !pathname.startsWith("/repos") || headers.authorization === "token gh-token"
  if (found === undefined || !authorized) HttpServer.json(response, authorized ? 404 : 401, { message: "Not Found" })
  else HttpServer.json(response, 200, found())
})

const load = Effect.fnUntraced(function*(file: string, server: HttpServer.HttpServer) {
  const source = readFileSync(join(folder!, file), "utf8").replaceAll(
    /https:\/\/api\.(?:coingecko|github)\.com/g,
    server.url
  )
  const agents = yield* Agents
  return yield* agents.load(yield* AgentDefinition.fromText(source))
})

const withAgents = <A, E>(use: (server: HttpServer.HttpServer) => Effect.Effect<A, E, Agents>) =>
  Effect.scoped(Effect.flatMap(api, (server) =>
    use(server).pipe(
      Candidate.as(Candidate.user("a")),
      Effect.provide(
        System.layer({
          allow: [server.rule],
          secrets: { "team:ta": { "SmythOS Github Token": "gh-token" } },
          teams: { ta: { users: { a: {} }, agents: { cm186sv0a0jrecgim4ysl6vtj: {} } } }
        })
      )
    )))

describe.skipIf(!available)("published agents", () => {
  it.live("the price agent answers what the price API's data implies", () =>
    withAgents((server) =>
      Effect.gen(function*() {
        const agents = yield* Agents
        const { id, warnings } = yield* load("crypto-assistant.smyth", server)
        assert.deepStrictEqual(warnings, [])
        const get = (endpoint: string, query: Record<string, unknown>) =>
          Effect.map(agents.call(id, { endpoint, method: "GET", query }), ({ answer }) => answer)
        assert.deepStrictEqual(yield* get("search_coins", { query: "cash" }), { coins: [coins[1]] })
        assert.deepStrictEqual(yield* get("get_price", { coin_id: "bitcoin" }), {
          price_data: { bitcoin: { usd: 64_250.5 } }
        })
        assert.deepStrictEqual(yield* get("get_market_info", { coin_id: "bitcoin" }), {
          market_data: { usd: 64_250.5, eur: 59_000 }
        })
        // A value cannot add a parameter of its own.
        yield* get("get_price", { coin_id: "x&vs_currencies=eur" })
        assert.strictEqual(
          server.requests.at(-1)?.url,
          "/api/v3/simple/price?ids=x%26vs_currencies%3Deur&vs_currencies=usd"
        )
        const failed = yield* agents.call(id, { endpoint: "get_market_info", query: { coin_id: "nocoin" } })
        assert.isTrue(failed.failed)
        assert.match(JSON.stringify(failed.answer), /"_error":".*404/)
      })
    ))

  it.live("the repository agent makes a branch and a pull request, with a key of its own team's vault", () =>
    withAgents((server) =>
      Effect.gen(function*() {
        const agents = yield* Agents
        const { id } = yield* load("github-assistant.smyth", server)
        const repository = { repo_owner: "octo", repo_name: "site", branch_name: "fix-1" }
        const branch = yield* agents.call(id, { endpoint: "create_branch", body: repository })
        assert.deepStrictEqual(branch.answer, {
          branch_name: "fix-1",
          result: { created: { ref: "refs/heads/fix-1", sha: "abc123" } }
        })
        const pull = yield* agents.call(id, {
          endpoint: "create_pr",
          body: {
            ...repository,
            file_path: "docs/a.md",
            file_content: "héllo \"you\"\n",
            pr_title: "A \"fix\"",
            pr_description: "b"
          }
        })
        assert.deepStrictEqual(pull.answer, { pr_url: "https://github.com/octo/site/pull/7" })
        const put = server.requests.find(({ method }) => method === "PUT")
        const content = JSON.parse(put?.body ?? "{}") as { content: string; branch: string }
        assert.strictEqual(Buffer.from(content.content, "base64").toString(), "héllo \"you\"\n")
        assert.deepInclude(JSON.parse(server.requests.at(-1)?.body ?? "{}"), { title: "A \"fix\"", head: "fix-1" })
      })
    ))

  it.live("the prompt agent says what it is told, on the model that needs no key", () =>
    withAgents((server) =>
      Effect.gen(function*() {
        const agents = yield* Agents
        const { id } = yield* load("echo-prompt.smyth", server)
        const { answer } = yield* agents.call(id, { endpoint: "say", body: { message: "hello \"world\"" } })
        assert.deepStrictEqual(answer, { result: "Saying : hello \"world\"" })
      })
    ))
})
