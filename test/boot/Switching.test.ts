/** Swap the connectors, keep the code: the work of `examples/switching.ts` on systems whose connectors differ. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option, Schema } from "effect"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { embedded, work } from "../../examples/switching.ts"
import * as Configuration from "../../src/boot/Configuration.ts"
import { Teams } from "../../src/connectors/account/AccountData.ts"
import { write } from "../../src/connectors/account/SQLAccount.ts"
import * as ElasticsearchServer from "../fixtures/ElasticsearchServer.ts"
import * as HashicorpVaultServer from "../fixtures/HashicorpVaultServer.ts"
import type * as HttpServer from "../fixtures/HttpServer.ts"
import { managedHost } from "../fixtures/managed.ts"
import * as OpenAIServer from "../fixtures/OpenAIServer.ts"
import * as OtlpSink from "../fixtures/OtlpSink.ts"
import * as PgVectorServer from "../fixtures/PgVectorServer.ts"
import { hasPostgres, postgresServer } from "../fixtures/PostgresServer.ts"
import { hasRedis, redisCluster, redisServer } from "../fixtures/RedisServer.ts"
import { conditionalS3Server } from "../fixtures/S3Server.ts"
import { hasSwift, swiftServer } from "../fixtures/SwiftServer.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const expected: Effect.Effect.Success<typeof work> = {
  stored: "Sales are up.",
  listed: ["reports/monday"],
  cached: Option.some("1.08"),
  kept: Option.some({ dark: true }),
  found: [{ id: "leave", text: Option.some("Everybody has thirty days of holiday a year.") }],
  secret: "s3cret",
  secrets: [true, false],
  remembered: { id: "R", name: "MemoryReadKeyVal", result: { Value: "call Bob" } },
  said: "Good morning!",
  bobReads: "AccessDenied",
  bobFinds: false
}

const teams = {
  sales: { users: { ann: {} }, agents: { clerk: {} } },
  others: { users: { bob: {} } }
}

/** What the embedded default keeps in the data folder. */
const embeddedFiles = ["log", "nkv", "storage", "vault.json", "vectors.sqlite"]

/** Boots, works and ends; the data folder tells what of it was done by embedded connectors. */
const workOn = (config: Configuration.SreConfig) =>
  Effect.gen(function*() {
    const folder = yield* tempFolder
    const environment = ConfigProvider.fromMap(new Map([["SRE_DATA", folder], ["SRE_VAULT_KEY", "0".repeat(64)]]))
    const system = Layer.provide(Configuration.layerFromConfig(config), Layer.setConfigProvider(environment))
    assert.deepStrictEqual(yield* Effect.provide(work, system), expected)
    return { folder, files: embeddedFiles.filter((name) => existsSync(join(folder, name))) }
  })

const linesIn = (folder: string) =>
  readdirSync(folder, { withFileTypes: true }).filter((one) => one.isFile())
    .flatMap(({ name }) => readFileSync(join(folder, name), "utf8").split("\n"))

const lastText = ({ body }: HttpServer.Received) => {
  const { messages } = JSON.parse(body) as { readonly messages: ReadonlyArray<{ readonly content: unknown }> }
  const content = messages.at(-1)?.content
  return Array.isArray(content) ? content.map(({ text }: { readonly text: string }) => text).join("") : String(content)
}

/** A model on a server, which says what it is told, too. */
const openAI = Effect.map(OpenAIServer.make(lastText), ({ baseURL }) => ({
  ModelsProvider: {
    Connector: "JSONModels",
    Settings: { models: { house: { provider: "OpenAI", modelId: "gpt-4o", baseURL, credentials: "none" } } }
  }
}))

describe("one program, the connectors chosen by data", () => {
  it.scopedLive("works embedded", () =>
    Effect.gen(function*() {
      const { files, folder } = yield* workOn(embedded)
      assert.deepStrictEqual(files, embeddedFiles)
      assert.isTrue(linesIn(join(folder, "log")).some((line) => line.includes("the work is done")))
    }), 90_000)

  if (hasRedis() && hasPostgres()) {
    it.scopedLive(
      "works on Redis, S3 and PostgreSQL",
      () =>
        Effect.gen(function*() {
          const elasticsearch = yield* ElasticsearchServer.make()
          const [redis, s3, postgres, pgvector] = yield* Effect.all(
            [redisServer(), conditionalS3Server, postgresServer, PgVectorServer.make],
            { concurrency: "unbounded" }
          )
          const url = postgres.url()
          yield* write({ url }, yield* Schema.decode(Teams)(teams))
          const { files } = yield* workOn({
            ...(yield* openAI),
            Account: { Connector: "SQLAccount", Settings: { url } },
            Cache: { Connector: "Redis", Settings: { url: redis.url } },
            Log: { Connector: "SmythLog", Settings: { destination: "elasticsearch", url: elasticsearch.url } },
            NKV: { Connector: "SQL", Settings: { url } },
            Storage: { Connector: "S3", Settings: s3.settings },
            VectorDB: { Connector: "PostgresVec", Settings: { url: pgvector.url } }
          })
          assert.deepStrictEqual(files, ["vault.json"])
          assert.isTrue(Array.from(elasticsearch.documents.values()).some((line) => line.includes("the work is done")))
        }),
      180_000
    )
  } else {
    it.skip("works on Redis, S3 and PostgreSQL: there is no redis-server or no PostgreSQL on this machine", () => {})
  }

  if (hasRedis() && hasSwift()) {
    it.scopedLive(
      "works on a Redis Cluster, Swift and HashiCorp Vault",
      () =>
        Effect.gen(function*() {
          const collector = yield* OtlpSink.make()
          const vault = yield* HashicorpVaultServer.make()
          const [{ nodes }, swift] = yield* Effect.all([redisCluster, swiftServer], { concurrency: "unbounded" })
          const { files } = yield* workOn({
            ...(yield* openAI),
            Cache: { Connector: "Redis", Settings: { cluster: nodes } },
            Log: { Connector: "SmythLog", Settings: { destination: "otlp", url: collector.url } },
            NKV: { Connector: "Redis", Settings: { cluster: nodes } },
            Storage: { Connector: "S3", Settings: swift.settings },
            Vault: { Connector: "HashicorpVault", Settings: { url: vault.url, token: vault.token } },
            VectorDB: { Connector: "RAMVec" }
          })
          assert.deepStrictEqual(files, [])
          assert.include(collector.logs().map(({ body }) => body), "the work is done")
        }),
      180_000
    )
  } else {
    it.skip("works on a Redis Cluster, Swift and HashiCorp Vault: there is no redis-server or no Swift on this machine", () => {})
  }

  it.scopedLive("works on the services of another system", () =>
    Effect.gen(function*() {
      const host = yield* managedHost
      const { folder, team, token, url } = host
      const { files } = yield* workOn({
        ...(yield* openAI),
        Cache: {
          Connector: "Tiered",
          Settings: { tiers: [{ Connector: "RAM" }, { Connector: "LocalStorage" }] }
        },
        Log: {
          Connector: "SmythLog",
          Settings: { destination: "http", url: `${url}/smyth/v1/teams/${team}/log/records`, token }
        },
        NKV: { Connector: "RAM" },
        Storage: { Connector: "SmythStorage", Settings: { url, team, token } },
        Vault: { Connector: "SmythVault", Settings: { url, team, token } },
        VectorDB: { Connector: "SmythManaged", Settings: { url, team, token } }
      })
      assert.deepStrictEqual(files, [])
      assert.isTrue(linesIn(join(folder, "log")).some((line) => line.includes("the work is done")))
    }), 90_000)
})
