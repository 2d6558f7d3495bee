import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Logger, Option, Redacted, Schedule } from "effect"
import nodeVault from "node-vault"
import { randomUUID } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { HashicorpVault, HashicorpVaultLive } from "../../../src/connectors/vault/HashicorpVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Vault, VaultConnector } from "../../../src/security/Vault.ts"
import { suite } from "../../../src/testing/conformance/vault.ts"
import * as faults from "../../conformance/faults.ts"
import * as HashicorpVaultServer from "../../fixtures/HashicorpVaultServer.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

type Settings = Parameters<typeof HashicorpVault.contract>[0]

const connect = (settings: Settings) =>
  Effect.map(Layer.build(Layer.fresh(HashicorpVault.contract(settings))), Context.get(VaultConnector))

/** Node's HTTP server does not know the verb `LIST`. */
const clientOf = (options: Parameters<typeof nodeVault>[0]) => nodeVault({ ...options, noCustomHTTPVerbs: true })

const secret = (text: string) => Redacted.make(text)
const shown = (found: Option.Option<Redacted.Redacted>) => Option.getOrUndefined(Option.map(found, Redacted.value))

/** Tries until it succeeds: leases are measured in whole seconds. */
const eventually = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.retry(self, { times: 200, schedule: Schedule.spaced("50 millis") }).pipe(Effect.timeout("15 seconds"))

const until = (holds: () => boolean) => eventually(Effect.suspend(() => holds() ? Effect.void : Effect.fail("not yet")))

describe("the server of these tests, by a client of others", () => {
  it.scopedLive("keeps versions, refuses an outrun write, deletes softly, undeletes, destroys and lists", () =>
    Effect.gen(function*() {
      const server = yield* HashicorpVaultServer.make()
      const client = clientOf({ endpoint: server.url, token: server.token })
      yield* Effect.promise(async () => {
        const first = await client.write("secret/data/a/b", { options: { cas: 0 }, data: { k: "1" } })
        assert.strictEqual(first.data.version, 1)
        await client.write("secret/data/a/b", { options: { cas: 1 }, data: { k: "2" } })
        const outrun = await client.write("secret/data/a/b", { options: { cas: 1 }, data: { k: "3" } }).catch(errorOf)
        assert.deepStrictEqual(outrun, [400, "check-and-set parameter did not match the current version"])
        assert.strictEqual((await client.read("secret/data/a/b")).data.data.k, "2")
        assert.strictEqual((await client.read("secret/data/a/b?version=1")).data.data.k, "1")
        await client.delete("secret/data/a/b")
        assert.strictEqual((await client.read("secret/data/a/b").catch(errorOf))[0], 404)
        await client.write("secret/undelete/a/b", { versions: [2] })
        assert.strictEqual((await client.read("secret/data/a/b")).data.data.k, "2")
        await client.write("secret/destroy/a/b", { versions: [2] })
        assert.isTrue((await client.read("secret/metadata/a/b")).data.versions["2"].destroyed)
        assert.deepStrictEqual((await client.list("secret/metadata/a")).data.keys, ["b"])
        await client.delete("secret/metadata/a/b")
        assert.strictEqual((await client.list("secret/metadata/a").catch(errorOf))[0], 404)
      })
    }))

  it.scopedLive("logs in, looks up, renews and revokes; keeps namespaces apart; is over quota, and sealed", () =>
    Effect.gen(function*() {
      const server = yield* HashicorpVaultServer.make({
        appRole: { roleId: "r", secretId: "s" },
        kubernetes: { role: "sre", jwt: "jwt" },
        namespaces: ["n1"]
      })
      const client = (namespace?: string) => clientOf({ endpoint: server.url, ...(namespace ? { namespace } : {}) })
      yield* Effect.promise(async () => {
        const one = client()
        assert.strictEqual((await one.approleLogin({ role_id: "r", secret_id: "x" }).catch(errorOf))[0], 400)
        const { auth } = await one.approleLogin({ role_id: "r", secret_id: "s" })
        assert.strictEqual(one.token, auth.client_token)
        assert.isAbove((await one.tokenLookupSelf()).data.ttl, 0)
        assert.isTrue((await one.tokenRenewSelf()).auth.renewable)
        await client().kubernetesLogin({ mount_point: "kubernetes", role: "sre", jwt: "jwt" })
        await one.write("secret/data/x", { data: { k: "root's" } })
        const other = clientOf({ endpoint: server.url, token: one.token, namespace: "n1" })
        assert.strictEqual((await other.read("secret/data/x").catch(errorOf))[0], 404)
        assert.strictEqual((await client("n2").health().catch(errorOf)).sealed, false)
        server.limit(1)
        assert.strictEqual((await one.read("secret/data/x").catch(errorOf))[0], 429)
        await one.tokenRevokeSelf()
        assert.strictEqual((await one.read("secret/data/x").catch(errorOf))[0], 403)
        server.seal(true)
        assert.deepStrictEqual(await one.read("secret/data/x").catch(errorOf), [503, "Vault is sealed"])
        assert.isTrue((await one.status()).sealed)
      })
    }))
})

const errorOf = (error: { readonly message: string; readonly response?: { readonly statusCode: number } }) =>
  [error.response?.statusCode, error.message] as const

describe("HashicorpVault", () => {
  it.scopedLive("shares its entries with other clients, and leaves alone what it cannot use", () =>
    Effect.gen(function*() {
      const { token, url } = yield* HashicorpVaultServer.make()
      const client = clientOf({ endpoint: url, token })
      yield* Effect.promise(() =>
        client.write("secret/data/sre/team/t1", { data: { openai: "sk-1", retries: 3, nested: { a: "b" } } })
      )
      const vault = yield* connect({ url, token })
      assert.strictEqual(shown(yield* vault.get("team:t1", "openai")), "sk-1")
      assert.deepStrictEqual(yield* vault.get("team:t1", "retries"), Option.none())
      assert.deepStrictEqual(yield* vault.names("team:t1"), ["openai"])
      yield* vault.set("team:t1", "groq", secret("gk"))
      yield* vault.remove("team:t1", "openai")
      const { data } = yield* Effect.promise(() => client.read("secret/data/sre/team/t1"))
      assert.deepStrictEqual(data.data, { retries: 3, nested: { a: "b" }, groq: "gk" })
      yield* vault.remove("team:t1", "unknown")
      assert.strictEqual((yield* Effect.promise(() => client.read("secret/data/sre/team/t1"))).data.metadata.version, 3)
    }))

  it.scopedLive("an entry that was deleted holds nothing, and is written on top of", () =>
    Effect.gen(function*() {
      const { token, url } = yield* HashicorpVaultServer.make()
      const client = clientOf({ endpoint: url, token })
      const vault = yield* connect({ url, token })
      for (
        const gone of [
          () => client.delete("secret/data/sre/team/t1"),
          () => client.write("secret/destroy/sre/team/t1", { versions: [2] })
        ]
      ) {
        yield* vault.set("team:t1", "openai", secret("old"))
        yield* Effect.promise(gone)
        assert.deepStrictEqual(yield* vault.get("team:t1", "openai"), Option.none())
        assert.deepStrictEqual(yield* vault.names("team:t1"), [])
      }
      yield* vault.set("team:t1", "openai", secret("new"))
      assert.strictEqual(shown(yield* vault.get("team:t1", "openai")), "new")
    }))

  it.scopedLive("folder, mount and namespace are the operator's; ids with dots and signs are paths of their own", () =>
    Effect.gen(function*() {
      const { token, url } = yield* HashicorpVaultServer.make({ namespaces: ["org/n1"] })
      const one = yield* connect({ url, token, path: "a/b" })
      const other = yield* connect({ url, token, path: "a/b", namespace: "org/n1/" })
      const owners = ["user:ann@x.example", "user:a..b", "user:a.%2Eb", "user:...", "user:ключ", "agent:a?b#c"]
      yield* Effect.forEach(owners, (owner) => one.set(owner, "k", secret(owner)))
      for (const owner of owners) {
        assert.strictEqual(shown(yield* one.get(owner, "k")), owner)
        assert.deepStrictEqual(yield* other.get(owner, "k"), Option.none())
      }
      const client = clientOf({ endpoint: url, token })
      assert.deepStrictEqual(
        (yield* Effect.promise(() => client.list("secret/metadata/a/b"))).data.keys,
        ["agent/", "user/"]
      )
    }))

  it.scopedLive("logs in by AppRole and by the service account of a pod", () =>
    Effect.gen(function*() {
      const jwtFile = join(yield* tempFolder, "token")
      yield* Effect.promise(() => writeFile(jwtFile, "the.jwt\n"))
      const { url } = yield* HashicorpVaultServer.make({
        appRole: { roleId: "r", secretId: "s" },
        kubernetes: { role: "sre", jwt: "the.jwt" }
      })
      const one = yield* connect({ url, appRole: { roleId: "r", secretId: "s" } })
      yield* one.set("team:t1", "k", secret("v"))
      const other = yield* connect({ url, kubernetes: { role: "sre", jwtFile } })
      assert.strictEqual(shown(yield* other.get("team:t1", "k")), "v")
    }))

  it.scopedLive(
    "renews its lease in the background, and logs in again where that is no longer possible",
    () =>
      Effect.gen(function*() {
        const { requests, url } = yield* HashicorpVaultServer.make({
          appRole: { roleId: "r", secretId: "s" },
          ttl: 1,
          maxTtl: 3
        })
        const calls = (path: string) => requests.filter((request) => request.url.endsWith(path)).length
        const vault = yield* connect({ url, appRole: { roleId: "r", secretId: "s" } })
        yield* until(() => calls("renew-self") > 0 && calls("approle/login") > 1)
        assert.deepStrictEqual(yield* vault.get("team:t1", "k"), Option.none())
      }),
    20_000
  )

  it.scopedLive("a token that was revoked is replaced by the call that notices, once for all calls", () =>
    Effect.gen(function*() {
      const server = yield* HashicorpVaultServer.make({ appRole: { roleId: "r", secretId: "s" } })
      const vault = yield* connect({ url: server.url, appRole: { roleId: "r", secretId: "s" } })
      yield* vault.set("team:t1", "k", secret("v"))
      server.revoke()
      const found = yield* Effect.all(Array.from({ length: 10 }, () => vault.get("team:t1", "k")), {
        concurrency: "unbounded"
      })
      assert.isTrue(found.every((one) => shown(one) === "v"))
      assert.lengthOf(server.requests.filter(({ url }) => url.endsWith("approle/login")), 2)
    }))

  it.scopedLive("a given token is renewed, and its end is told in the log and by the calls", () => {
    const logged: Array<string> = []
    return Effect.gen(function*() {
      const server = yield* HashicorpVaultServer.make()
      const token = server.issue({ ttl: 2, maxTtl: 60 })
      const brief = server.issue({ ttl: 2, renewable: false })
      const vault = yield* connect({ url: server.url, token })
      yield* until(() => server.requests.some(({ url }) => url.endsWith("renew-self")))
      yield* vault.get("team:t1", "k")
      const ending = yield* connect({ url: server.url, token: brief })
      const error = yield* eventually(Effect.flip(ending.get("team:t1", "k")))
      assert.strictEqual(error.reason, "Unauthorized")
      assert.notInclude(error.message, brief)
      assert.isTrue(logged.some((line) => line.includes("cannot be renewed")))
      assert.isFalse(logged.some((line) => line.includes(brief)))
    }).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => logged.push(String(message)))))
    )
  }, 20_000)

  it.scopedLive("says honestly why it cannot answer", () =>
    Effect.gen(function*() {
      const server = yield* HashicorpVaultServer.make({
        appRole: { roleId: "r", secretId: "s" },
        allow: (path) => !path.endsWith("user/ann")
      })
      const vault = yield* connect({ url: server.url, appRole: { roleId: "r", secretId: "s" } })
      const denied = yield* Effect.flip(vault.get("user:ann", "k"))
      assert.strictEqual(denied.reason, "Unauthorized")
      assert.lengthOf(server.requests.filter(({ url }) => url.endsWith("approle/login")), 1)
      server.limit(1)
      const limited = yield* Effect.flip(vault.get("team:t1", "k"))
      assert.strictEqual(limited.reason, "RateLimited")
      assert.isDefined(limited.retryAfter)
      server.seal(true)
      const sealed = yield* Effect.flip(vault.get("team:t1", "k"))
      assert.deepInclude(sealed, { reason: "Unavailable" })
      assert.include(sealed.message, "sealed")
    }))

  it.scopedLive("what is wrong with login, mount and address stops the start, and no secret is told", () =>
    Effect.gen(function*() {
      const { token, url } = yield* HashicorpVaultServer.make({ appRole: { roleId: "r", secretId: "s" } })
      const cases: ReadonlyArray<readonly [Settings, string, string]> = [
        [{ url, token: "hunter2" }, "Unauthorized", "permission denied"],
        [{ url, appRole: { roleId: "r", secretId: "hunter2" } }, "Unauthorized", "invalid role or secret ID"],
        [{ url, appRole: { roleId: "r", secretId: "s", mount: "other" } }, "NotFound", "auth/other"],
        [{ url, kubernetes: { role: "sre", jwtFile: "/nowhere" } }, "NotFound", "/nowhere"],
        [{ url, token, mount: "kv9" }, "BootError", "kv9"],
        [{ url, token, mount: "kv1" }, "BootError", "version 2"],
        [{ url, token, namespace: "unknown" }, "NotFound", "namespace"],
        [{ url }, "BootError", "exactly one of"],
        [{ url, token, appRole: { roleId: "r" } }, "BootError", "exactly one of"],
        [{ url: "http://127.0.0.1:1", token: "hunter2" }, "Unavailable", "127.0.0.1:1"],
        [{ url: "no url", token: "hunter2" }, "BootError", "url"]
      ]
      for (const [settings, kind, told] of cases) {
        const error = yield* Effect.flip(connect(settings))
        assert.strictEqual(error._tag === "ConnectorError" ? error.reason : error._tag, kind, error.message)
        assert.include(error.message, told)
        assert.notInclude(error.message, "hunter2")
      }
    }))

  it.scopedLive("is found, and used, by the variables its own tools use", () =>
    Effect.gen(function*() {
      const { token, url } = yield* HashicorpVaultServer.make({ appRole: { roleId: "r", secretId: "s" } })
      const vault = yield* connect({ url, token })
      yield* vault.set("team:everyone", "openai", secret("sk"))
      const ways: ReadonlyArray<ReadonlyArray<readonly [string, string]>> = [
        [["VAULT_TOKEN", token]],
        [["VAULT_ROLE_ID", "r"], ["VAULT_SECRET_ID", "s"]]
      ]
      for (const way of ways) {
        const environment = ConfigProvider.fromMap(
          new Map([["VAULT_ADDR", `${url}/`], ["SRE_VAULT_SHARED", "everyone"], ...way])
        )
        const found = yield* Effect.flatMap(Vault, (vault) => vault.get("openai")).pipe(
          Candidate.as(Candidate.user("ann")),
          Effect.provide(Layer.provide(Layer.fresh(HashicorpVaultLive), Layer.setConfigProvider(environment)))
        )
        assert.strictEqual(Redacted.value(found), "sk")
      }
    }))
})

/** A Vault of one's own: `SRE_TEST_VAULT_ADDR` and `SRE_TEST_VAULT_TOKEN`, with a KV engine of version 2 at `secret`. */
const own = process.env["SRE_TEST_VAULT_ADDR"]
if (own !== undefined) {
  suite(
    "HashicorpVault, on SRE_TEST_VAULT_ADDR",
    HashicorpVault.contract({
      url: own,
      token: process.env["SRE_TEST_VAULT_TOKEN"] ?? "",
      path: `sre-test-${randomUUID()}`
    }),
    { writable: true }
  )
}

suite(
  "HashicorpVault",
  Layer.unwrapScoped(
    Effect.map(HashicorpVaultServer.make(), ({ token, url }) => HashicorpVault.contract({ url, token }))
  ),
  { writable: true }
)

const token = "hvs.of-the-fault-suite"
faults.suite("HashicorpVault", {
  server: Effect.map(HashicorpVaultServer.make({ token }), ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    HashicorpVault.contract({ url: `http://127.0.0.1:${port}`, token, timeout: timeoutMillis }),
  read: Effect.flatMap(VaultConnector, (vault) => Effect.map(vault.get("team:t1", "k"), shown)),
  write: (value) => Effect.flatMap(VaultConnector, (vault) => vault.set("team:t1", "k", secret(value)))
})
