import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { exportPKCS8, generateKeyPair } from "jose"
import { join } from "node:path"
import { JSONFileManagedVault } from "../../../src/connectors/managedvault/JSONFileManagedVault.ts"
import { McpClient } from "../../../src/connectors/mcp/McpClient.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import * as Mcp from "../../../src/subsystems/io/Mcp.ts"
import * as OAuthTokens from "../../../src/subsystems/io/OAuthTokens.ts"
import * as McpSignInServer from "../../fixtures/McpSignInServer.ts"
import { memoryVault } from "../../fixtures/MemoryVault.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const as = Candidate.as(Candidate.agent("a1"))
const asOther = Candidate.as(Candidate.agent("b1"))

const open = (rule: string, settings: Parameters<typeof McpClient.layer>[0] = {}) =>
  Effect.gen(function*() {
    const file = join(yield* tempFolder, "tokens.json")
    const context = yield* Layer.build(
      McpClient.layer(settings).pipe(
        Layer.provideMerge(OAuthTokens.layer()),
        Layer.provideMerge(Layer.mergeAll(
          JSONFileManagedVault.layer({ file }),
          Layer.provide(Vault.layer, memoryVault({})),
          UndiciOutbound.layer({ allow: [rule] })
        ))
      )
    )
    return { mcp: Context.get(context, Mcp.Mcp), tokens: Context.get(context, OAuthTokens.OAuthTokens) }
  })

const names = (tools: ReadonlyArray<Mcp.McpTool>) => tools.map(({ name }) => name)

/** The sign-in that a call asks for, or a failed test. */
const needed = <A, E extends { readonly _tag: string }>(self: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(self), (error) => {
    assert.strictEqual(error._tag, "SignInNeeded", String(error))
    return error as unknown as Mcp.SignInNeeded
  })

describe("signing in to an MCP server", () => {
  it.scopedLive("asks for a browser, finishes with the address it was led to, and is renewed from then on", () =>
    Effect.gen(function*() {
      const server = yield* McpSignInServer.make()
      const { mcp } = yield* open(server.rule, { redirectUrl: "https://sre.example/back" })
      const at = { url: server.url, connection: "files" }
      const asked = yield* needed(as(mcp.tools(at)))
      assert.deepInclude(asked, { connection: "files", server: new URL(server.url).origin })
      const page = new URL(asked.url)
      assert.strictEqual(page.searchParams.get("redirect_uri"), "https://sre.example/back")
      assert.strictEqual(page.searchParams.get("code_challenge_method"), "S256")
      assert.strictEqual(page.searchParams.get("resource"), server.url)
      assert.include(asked.message, asked.url)
      assert.strictEqual((yield* needed(as(mcp.call(at, "whoami", {})))).url, asked.url)
      assert.strictEqual((yield* needed(as(mcp.tools({ ...at, transport: "sse" })))).url, asked.url)

      yield* as(mcp.signIn(at, yield* server.browse(asked.url)))
      assert.deepStrictEqual(names(yield* as(mcp.tools(at))), ["whoami"])
      assert.deepInclude(server.exchanges[0], { grant_type: "authorization_code", resource: server.url })

      server.endAccess()
      const many = yield* Effect.all(Array.from({ length: 8 }, () => as(mcp.tools(at))), { concurrency: "unbounded" })
      assert.deepStrictEqual(many.map(names), Array.from({ length: 8 }, () => ["whoami"]))
      assert.lengthOf(server.exchanges, 2)
      assert.deepInclude(server.exchanges[1], { grant_type: "refresh_token", resource: server.url })

      const elsewhere = yield* Effect.flip(as(mcp.tools({ ...at, url: "http://127.0.0.2/mcp" })))
      assert.strictEqual(elsewhere._tag, "InvalidConnection")
      assert.include(elsewhere.message, server.url)

      server.revoke()
      const again = yield* needed(as(mcp.tools(at)))
      assert.notStrictEqual(again.url, asked.url)
      yield* as(mcp.signIn(at, yield* server.browse(again.url)))
      assert.deepStrictEqual(names(yield* as(mcp.tools(at))), ["whoami"])
    }))

  it.scopedLive("takes no answer but the one to its own question", () =>
    Effect.gen(function*() {
      const server = yield* McpSignInServer.make()
      const { mcp } = yield* open(server.rule)
      const at = { url: server.url, connection: "files" }
      const refused = (address: string, problem: string, who = as) =>
        Effect.map(Effect.flip(who(mcp.signIn(at, address))), (error) => {
          assert.strictEqual(error._tag, "SignInFailed")
          assert.include(error.message, problem)
        })
      yield* refused("http://127.0.0.1/?code=x&state=y", "none was begun")
      const mine = yield* needed(as(mcp.tools(at)))
      const others = yield* needed(asOther(mcp.tools(at)))
      assert.notStrictEqual(mine.url, others.url)
      const back = yield* server.browse(mine.url)
      yield* refused(back, "another sign-in", asOther)
      const elsewhere = yield* McpSignInServer.make()
      const wrong = yield* Effect.flip(as(mcp.signIn({ ...at, url: elsewhere.url }, back)))
      assert.include(wrong.message, "none was begun")
      yield* refused(yield* server.browse(others.url), "another sign-in")
      const { state } = Object.fromEntries(new URL(back).searchParams)
      yield* refused(`https://x.example/?error=access_denied&state=${state}`, "access_denied")
      const forged = yield* Effect.flip(as(mcp.signIn(at, `?code=forged&state=${state}`)))
      assert.notInclude(["SignInNeeded"], forged._tag)
      yield* as(mcp.signIn(at, back))
      yield* refused(back, "none was begun")
      yield* needed(asOther(mcp.tools(at)))
      const nowhere = yield* Effect.flip(as(mcp.signIn({ url: server.url }, back)))
      assert.deepInclude(nowhere, { _tag: "ConnectorError", reason: "InvalidInput" })
    }))

  it.scopedLive("is begun before any call, leads to where it is told, and is finished by whoever brings the answer", () =>
    Effect.gen(function*() {
      const server = yield* McpSignInServer.make()
      const { mcp, tokens } = yield* open(server.rule)
      const at = { url: server.url, connection: "files" }
      const begin = (redirectUrl: string, who = as) => who(mcp.beginSignIn(at, redirectUrl))
      const page = Option.getOrThrow(yield* begin("http://127.0.0.1:4111/sign-in"))
      const others = Option.getOrThrow(yield* begin("http://127.0.0.1:4111/sign-in", asOther))
      assert.strictEqual((yield* needed(as(mcp.tools(at)))).url, page)
      const address = yield* server.browse(page)
      assert.isTrue(address.startsWith("http://127.0.0.1:4111/sign-in?"))
      const anyone = Candidate.as(Candidate.anyone)
      const { state } = Object.fromEntries(new URL(address).searchParams)
      const { state: theirs } = Object.fromEntries(new URL(others).searchParams)
      const [, mine] = state!.split(".")
      for (const wrong of ["", "x", `.${mine}`, `${theirs!.split(".")[0]}.${mine}`, `${state}.x`, ".AAAA"]) {
        const refused = yield* Effect.flip(anyone(mcp.finishSignIn(`?code=x&state=${encodeURIComponent(wrong)}`)))
        assert.strictEqual(refused._tag, "SignInFailed", wrong)
      }
      yield* anyone(mcp.finishSignIn(address))
      assert.strictEqual((yield* Effect.flip(anyone(mcp.finishSignIn(address))))._tag, "SignInFailed")
      assert.isTrue(Option.isNone(yield* begin("http://127.0.0.1:4111/sign-in")))
      yield* needed(asOther(mcp.tools(at)))
      assert.notStrictEqual(Option.getOrThrow(yield* begin("https://sre.example/back", asOther)), others)
      assert.deepInclude(yield* Effect.flip(begin("ftp://x")), { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.strictEqual((yield* Effect.flip(mcp.finishSignIn(address)))._tag, "NoCandidate")
      const { id: clientId, secret } = McpSignInServer.known
      const client = {
        tokenUrl: "",
        clientId,
        clientSecret: Redacted.make(secret),
        grant: "client_credentials"
      } as const
      yield* as(tokens.save("own", client))
      assert.isTrue(Option.isNone(yield* as(mcp.beginSignIn({ ...at, connection: "own" }, "https://sre.example/back"))))
    }))

  it.scopedLive("uses a client of one's own, which needs nobody where it asks for itself", () =>
    Effect.gen(function*() {
      const server = yield* McpSignInServer.make()
      const { mcp, tokens } = yield* open(server.rule)
      const { id: clientId, secret } = McpSignInServer.known
      const client = { tokenUrl: "", clientId, clientSecret: Redacted.make(secret) }
      yield* as(tokens.save("own", client))
      const asked = yield* needed(as(mcp.tools({ url: server.url, connection: "own" })))
      assert.strictEqual(new URL(asked.url).searchParams.get("client_id"), clientId)

      yield* as(tokens.save("found", { ...client, grant: "client_credentials", scope: "read" }))
      assert.deepStrictEqual(names(yield* as(mcp.tools({ url: server.url, connection: "found" }))), ["whoami"])
      assert.deepInclude(server.exchanges.at(-1), { grant_type: "client_credentials", scope: "read" })
      server.endAccess()
      assert.deepStrictEqual(names(yield* as(mcp.tools({ url: server.url, connection: "found" }))), ["whoami"])

      const { tokenUrl } = server
      yield* as(
        tokens.save("told", { ...client, tokenUrl, grant: "client_credentials", authentication: "basic" })
      )
      assert.deepStrictEqual(names(yield* as(mcp.tools({ url: server.url, connection: "told" }))), ["whoami"])

      const wrong = { ...client, clientSecret: Redacted.make("hunter2"), grant: "client_credentials" } as const
      yield* as(tokens.save("wrong", wrong))
      const refused = yield* Effect.flip(as(mcp.tools({ url: server.url, connection: "wrong" })))
      assert.deepInclude(refused, { _tag: "ConnectorError", reason: "Unauthorized" })
      assert.notInclude(`${refused.message} ${JSON.stringify(refused)}`, "hunter2")
    }))

  it.scopedLive("a client may prove itself with a private key, now and whenever its token is renewed", () =>
    Effect.gen(function*() {
      const pair = yield* Effect.promise(() => generateKeyPair("ES256", { extractable: true }))
      const pem = yield* Effect.promise(() => exportPKCS8(pair.privateKey))
      const server = yield* McpSignInServer.make({ publicKey: pair.publicKey })
      const { mcp, tokens } = yield* open(server.rule)
      const client = {
        tokenUrl: "",
        clientId: McpSignInServer.keyedId,
        authentication: "private_key_jwt",
        grant: "client_credentials"
      } as const
      const at = { url: server.url, connection: "keyed" }
      yield* as(tokens.save("keyed", { ...client, clientSecret: Redacted.make(pem) }))
      assert.deepStrictEqual(names(yield* as(mcp.tools(at))), ["whoami"])
      server.endAccess()
      assert.deepStrictEqual(names(yield* as(mcp.tools(at))), ["whoami"])
      const assertions = server.exchanges.map((form) => form["client_assertion"])
      assert.strictEqual(new Set(assertions).size, 2)
      assert.notInclude(JSON.stringify(server.exchanges), "PRIVATE KEY")

      yield* as(tokens.save("keyed", { ...client, clientSecret: Redacted.make("hunter2") }))
      const refused = yield* Effect.flip(as(mcp.tools({ ...at, transport: "sse" })))
      assert.include(refused.message, "neither PEM nor a JWK")
      assert.notInclude(JSON.stringify(refused), "hunter2")
    }))

  it.scopedLive("a token that is not for what is called is asked for anew, with the scope the server names", () =>
    Effect.gen(function*() {
      const server = yield* McpSignInServer.make({ callScope: "tools:call" })
      const { mcp } = yield* open(server.rule)
      const at = { url: server.url, connection: "files" }
      yield* as(mcp.signIn(at, yield* server.browse((yield* needed(as(mcp.tools(at)))).url)))
      yield* as(mcp.tools(at))
      const asked = yield* needed(as(mcp.call(at, "whoami", {})))
      assert.strictEqual(new URL(asked.url).searchParams.get("scope"), "tools:call")
      yield* as(mcp.signIn(at, yield* server.browse(asked.url)))
      const { content } = yield* as(mcp.call(at, "whoami", {}))
      assert.deepStrictEqual(content, [{ type: "text", text: "whoami ran" }])
    }))

  it.scopedLive("without a connection it is refused as before, and the policy of the network holds", () =>
    Effect.gen(function*() {
      const server = yield* McpSignInServer.make()
      const { mcp } = yield* open(server.rule)
      assert.deepInclude(yield* Effect.flip(as(mcp.tools({ url: server.url }))), {
        _tag: "ConnectorError",
        reason: "Unauthorized"
      })
      const { mcp: closed } = yield* open("203.0.113.1:1")
      assert.deepInclude(yield* Effect.flip(as(closed.tools({ url: server.url, connection: "files" }))), {
        _tag: "McpRefused"
      })
      assert.deepInclude(yield* Effect.flip(mcp.signIn({ url: server.url, connection: "files" }, "?code=x")), {
        _tag: "NoCandidate"
      })
    }))
})
