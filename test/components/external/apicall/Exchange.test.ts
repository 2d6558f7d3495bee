import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import { APICall } from "../../../../src/components/external/APICall.ts"
import { NullManagedVault } from "../../../../src/connectors/managedvault/NullManagedVault.ts"
import * as Undici from "../../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../../src/connectors/storage/MemoryStorage.ts"
import { NullVault } from "../../../../src/connectors/vault/NullVault.ts"
import * as Candidate from "../../../../src/security/Candidate.ts"
import * as OAuthTokens from "../../../../src/subsystems/io/OAuthTokens.ts"
import * as Outbound from "../../../../src/subsystems/io/Outbound.ts"
import { hostileAddresses, hostileLocations, hostileUrls } from "../../../fixtures/hostile-urls.ts"
import * as HttpServer from "../../../fixtures/HttpServer.ts"
import { byLibrary, parsed } from "../../../fixtures/oauth1.ts"
import * as ProxyServer from "../../../fixtures/ProxyServer.ts"
import { runComponent } from "../../harness.ts"
import { call, echo, failure, received, type Settings } from "../apicall.ts"

/** Takes the tokens it gives, until it is told to give another one. */
const api = (options: { readonly accepts: ReadonlyArray<string> }) =>
  Effect.gen(function*() {
    let given = 0
    return yield* HttpServer.make(({ headers, url }, response) => {
      if (url === "/token") {
        HttpServer.json(response, 200, {
          access_token: `token${++given}`,
          expires_in: 3600,
          refresh_token: `r${given}`
        })
      } else {
        const isGood = options.accepts.some((token) => headers.authorization === `Bearer ${token}`)
        HttpServer.json(response, isGood ? 200 : 401, { ok: isGood })
      }
    })
  })

const oauth2 = (server: HttpServer.HttpServer, primary: string, expires_in: number | undefined) => ({
  auth_data: { primary, secondary: "r0", expires_in },
  auth_settings: { type: "oauth2", tokenURL: `${server.url}/token`, clientID: "{{KEY(app id)}}", clientSecret: "s" }
})
const secrets = { "app id": "the app" }
const calls = ({ requests }: HttpServer.HttpServer) => requests.map(({ method, url }) => `${method} ${url}`)

describe("APICall with an OAuth 2 connection", () => {
  it.scopedLive("sends its token, without asking for another one while it is good", () =>
    Effect.gen(function*() {
      const server = yield* api({ accepts: ["mine"] })
      const connections = { google: oauth2(server, "mine", 4e12) }
      const settings = { url: `${server.url}/x`, oauth_con_id: "google", headers: { Authorization: "another" } }
      const { Response } = yield* call(server, settings, {}, { connections, secrets })
      assert.deepStrictEqual(Response, { ok: true })
      assert.deepStrictEqual(calls(server), ["GET /x"])
    }))

  it.scopedLive("renews one that has ended, and one the server does not take: once", () =>
    Effect.gen(function*() {
      const server = yield* api({ accepts: ["token1"] })
      const settings = { url: `${server.url}/x`, oauth_con_id: "google" }
      for (const connection of [oauth2(server, "ended", 1), oauth2(server, "revoked", 4e12)]) {
        const before = server.requests.length
        if (before === 0) {
          yield* call(server, settings, {}, { connections: { google: connection }, secrets })
          assert.deepStrictEqual(calls(server), ["POST /token", "GET /x"])
          assert.include(server.requests[0]!.body, "client_id=the+app")
        } else {
          // The second token the endpoint gives is not taken either, and nobody asks for a third.
          const options = { connections: { google: connection }, secrets }
          const error = yield* failure(server, settings, {}, options)
          assert.include(error.message, "401")
          assert.deepStrictEqual(calls(server).slice(before), ["GET /x", "POST /token", "GET /x"])
          assert.notInclude(JSON.stringify(error), "token2")
        }
      }
    }))

  it.scopedLive("of old is found under the id of the component", () =>
    Effect.gen(function*() {
      const server = yield* api({ accepts: ["mine"] })
      const { auth_data, auth_settings } = oauth2(server, "mine", 4e12)
      const connections = { OAUTH_C1_TOKENS: { ...auth_data, oauth_info: auth_settings, type: "oauth2" } }
      const settings = { url: `${server.url}/x`, oauthService: "Google", oauth_con_id: "None" }
      assert.deepStrictEqual((yield* call(server, settings, {}, { connections }))["Response"], { ok: true })
    }))

  it.scopedLive("that is missing or malformed sends nothing", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const settings = { url: server.url, oauth_con_id: "google" }
      assert.include((yield* failure(server, settings, {}, { connections: { other: {} } })).message, "google")
      const broken = yield* failure(server, settings, {}, { connections: { google: ["no"] } })
      assert.include(broken.message, "not an OAuth 2 connection")
      assert.lengthOf(server.requests, 0)
      yield* call(server, { ...settings, oauth_con_id: "none", oauthService: "" })
      assert.lengthOf(server.requests, 1)
    }))
})

describe("APICall with an OAuth 1 connection", () => {
  it.scopedLive("signs every request anew, with a hash of what is no form", () =>
    Effect.gen(function*() {
      const connections = {
        flickr: {
          auth_data: { primary: "nnch734d00sl2jdk", secondary: "{{KEY(token secret)}}" },
          auth_settings: { type: "oauth", consumerKey: "dpf43f3p2l4k3l03", consumerSecret: "kd94hf93k423kf44" }
        }
      }
      const nonces = new Set<string>()
      for (let n = 0; n < 2; n++) {
        const request = yield* received(
          { oauth_con_id: "flickr", contentType: "application/json", body: `{"a":1}` },
          {},
          { connections, secrets: { "token secret": "pfkkdhi9sl3r4s00" } }
        )
        const header = parsed(request.headers.authorization ?? "")
        nonces.add(header["oauth_nonce"]!)
        const hash = createHash("sha1").update(`{"a":1}`).digest("base64")
        assert.strictEqual(header["oauth_body_hash"], hash)
        const url = `http://${request.headers.host}${request.url}`
        const { oauth_nonce = "", oauth_timestamp = "" } = header
        const expected = byLibrary(url, "POST", { oauth_body_hash: hash }, oauth_nonce, oauth_timestamp)
        assert.strictEqual(header["oauth_signature"], expected["oauth_signature"])
      }
      assert.strictEqual(nonces.size, 2)
    }))
})

describe("APICall through a proxy", () => {
  it.scopedLive("of HTTP or SOCKS 5, with a user or without, reaches the server", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const user = { user: "me", password: "p@s:w" }
      const http = yield* ProxyServer.http(user)
      const socks = yield* ProxyServer.socks5(user)
      const open = yield* ProxyServer.socks5()
      const allow = [http.rule, socks.rule, open.rule]
      for (
        const proxy of [
          `http://me:{{pw}}@127.0.0.1:${http.port}`,
          `\nsocks5://me:{{pw}}@127.0.0.1:${socks.port}\n`,
          `socks5://127.0.0.1:${open.port}`
        ]
      ) {
        const settings = { url: `${server.url}/x`, proxy }
        assert.deepStrictEqual((yield* call(server, settings, { pw: "p@s:w" }, { allow }))["Response"], { ok: true })
      }
      assert.deepStrictEqual(http.asked, [`GET ${server.url}/x`])
      assert.deepStrictEqual([...socks.asked, ...open.asked], Array(2).fill(`SOCKS 127.0.0.1:${server.port}`))
      assert.lengthOf(server.requests, 3)
    }))

  it.scopedLive("is judged as any other place, and so is the target behind it", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const proxy = yield* ProxyServer.http()
      const by = (url: string, proxy: string, allow: ReadonlyArray<string> = []) =>
        Effect.map(failure(server, { url, proxy }, {}, { allow }), ({ message }) => message)
      const local = `127.0.0.1:${proxy.port}`
      assert.include(yield* by(server.url, `http://${local}`), "as a proxy")
      assert.include(yield* by(server.url, `socks5://2130706433:${proxy.port}`), "loopback")
      assert.include(yield* by("http://10.0.0.1/", `http://${local}`, [proxy.rule]), "not public")
      assert.include(yield* by("http://nobody.invalid/", `http://${local}`, [proxy.rule]), "nobody.invalid")
      assert.include(yield* by(server.url, "socks4://proxy.example:1"), "only http, https and socks5")
      assert.include(yield* by(server.url, "nonsense"), "only http, https and socks5")
      assert.lengthOf(proxy.asked, 0)
      assert.lengthOf(server.requests, 0)
    }))
})

describe("APICall again", () => {
  const failing = (statuses: ReadonlyArray<number>) =>
    Effect.gen(function*() {
      let n = 0
      return yield* HttpServer.make((_, response) => {
        const status = statuses[n++] ?? 200
        response.writeHead(status, { "content-type": "application/json", "retry-after": "0" }).end("{}")
      })
    })

  const cases: ReadonlyArray<readonly [string, Settings, ReadonlyArray<number>, number, boolean]> = [
    ["waits and asks as often as it may", { retries: 2 }, [503, 429], 3, true],
    ["gives up after that", { retries: "1" }, [503, 503, 503], 2, false],
    ["does not by itself", {}, [503], 1, false],
    ["does not where it would not help", { retries: 3 }, [404], 1, false],
    ["does not send what may have been done", { retries: 3, method: "POST" }, [503], 1, false],
    ["sends what was refused for its number", { retries: 3, method: "POST" }, [429], 2, true],
    [
      "sends what the server can tell apart",
      { retries: 1, method: "POST", headers: { "Idempotency-Key": "1" } },
      [502],
      2,
      true
    ]
  ]
  for (const [title, settings, statuses, times, succeeds] of cases) {
    it.scopedLive(title, () =>
      Effect.gen(function*() {
        const server = yield* failing(statuses)
        const exit = yield* Effect.exit(call(server, { ...settings, url: server.url }))
        assert.strictEqual(exit._tag === "Success", succeeds)
        assert.lengthOf(server.requests, times)
      }))
  }
})

const noVault = Layer.orDie(NullVault.layer({}))
const noTokens = OAuthTokens.layer().pipe(
  Layer.provide(Layer.mergeAll(NullManagedVault.layer({}), NullVault.layer({}), Undici.UndiciOutbound.layer({}))),
  Layer.orDie
)

describe("APICall refuses, before anything is sent,", () => {
  const nowhere = { rule: "203.0.113.1:1" } as HttpServer.HttpServer

  it("at least 80 different URLs", () => {
    assert.isAtLeast(new Set(hostileUrls.map(([url]) => url)).size, 80)
  })

  it.live("every hostile URL, as a setting and as a value", () =>
    Effect.gen(function*() {
      const reached: Array<string> = []
      for (const [url, trick] of hostileUrls) {
        const settings = url.trim() === "" ? { url: "{{nope}}" } : { url }
        for (
          const error of [yield* failure(nowhere, settings), yield* failure(nowhere, { url: "{{u}}" }, { u: url })]
        ) {
          if (!/refused|nope|not an absolute/.test(error.message)) reached.push(`${trick}: ${url} ${error.message}`)
          if (/passwd|token|credentials/.test(error.message)) reached.push(`${url} stands in ${error.message}`)
        }
      }
      assert.deepStrictEqual(reached, [])
    }), 30_000)

  it.scopedLive("every hostile place a server sends it on to", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) => {
        response.writeHead(302, { location: Buffer.from(hostileLocations[Number(url.slice(1))]!).toString("latin1") })
          .end()
      })
      const reached: Array<string> = []
      for (const [n, location] of hostileLocations.entries()) {
        const error = yield* failure(server, { url: `${server.url}/${n}` })
        if (!error.message.includes("refused")) reached.push(`${location}: ${error.message}`)
      }
      assert.isAbove(hostileLocations.length, 60)
      assert.deepStrictEqual(reached, [])
    }), 30_000)

  it.scopedLive("every hostile address DNS gives for a name, also at the second time it is asked", () =>
    Effect.gen(function*() {
      for (const address of hostileAddresses) {
        const family = address.includes(":") ? 6 : 4
        const outbound = Layer.provide(
          Outbound.layer,
          Layer.scoped(
            Outbound.OutboundConnector,
            Undici.make({ allow: [], deny: [], connections: 1 }, (_, done) => done(null, [{ address, family }]))
          )
        )
        const error = yield* runComponent(APICall, { settings: { url: "http://harmless.example/" } }).pipe(
          Effect.flip,
          Candidate.as(Candidate.agent("a1")),
          Effect.provide(Layer.orDie(outbound)),
          Effect.provide([Layer.orDie(MemoryStorage.layer({})), noTokens, noVault])
        )
        assert.match(error.message, /refused: .*(not public|metadata)/, address)
      }
    }))
})
