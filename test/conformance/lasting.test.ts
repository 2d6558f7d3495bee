/** Every connector whose data outlive its process, and those whose data do not, by name: a new one is asked which it is. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { LocalStorageCache } from "../../src/connectors/cache/LocalStorageCache.ts"
import { RedisCache } from "../../src/connectors/cache/RedisCache.ts"
import { S3Cache } from "../../src/connectors/cache/S3Cache.ts"
import { TieredCache } from "../../src/connectors/cache/TieredCache.ts"
import { JSONFileManagedVault } from "../../src/connectors/managedvault/JSONFileManagedVault.ts"
import { SecretsManagerManagedVault } from "../../src/connectors/managedvault/SecretsManagerManagedVault.ts"
import { SQLManagedVault } from "../../src/connectors/managedvault/SQLManagedVault.ts"
import { LocalNKV } from "../../src/connectors/nkv/LocalNKV.ts"
import { RedisNKV } from "../../src/connectors/nkv/RedisNKV.ts"
import { SQLNKV } from "../../src/connectors/nkv/SQLNKV.ts"
import { dependents, subsystems } from "../../src/connectors/registry.ts"
import { LocalScheduler } from "../../src/connectors/scheduler/LocalScheduler.ts"
import { SQLScheduler } from "../../src/connectors/scheduler/SQLScheduler.ts"
import { LocalStorage } from "../../src/connectors/storage/LocalStorage.ts"
import { S3Storage } from "../../src/connectors/storage/S3Storage.ts"
import { SmythStorage } from "../../src/connectors/storage/SmythStorage.ts"
import { HashicorpVault } from "../../src/connectors/vault/HashicorpVault.ts"
import { JSONFileVault } from "../../src/connectors/vault/JSONFileVault.ts"
import { SecretsManagerVault } from "../../src/connectors/vault/SecretsManagerVault.ts"
import { SmythVault } from "../../src/connectors/vault/SmythVault.ts"
import { Milvus } from "../../src/connectors/vectordb/Milvus.ts"
import { Pinecone } from "../../src/connectors/vectordb/Pinecone.ts"
import { PostgresVec } from "../../src/connectors/vectordb/PostgresVec.ts"
import { RAMVec } from "../../src/connectors/vectordb/RAMVec.ts"
import { SmythManagedVectorDB } from "../../src/connectors/vectordb/SmythManagedVectorDB.ts"
import { SQLiteVec } from "../../src/connectors/vectordb/SQLiteVec.ts"
import * as lasting from "../../src/testing/conformance/lasting.ts"
import { databases } from "../fixtures/Databases.ts"
import * as HashicorpVaultServer from "../fixtures/HashicorpVaultServer.ts"
import { managedHost } from "../fixtures/managed.ts"
import * as MilvusServer from "../fixtures/MilvusServer.ts"
import { perFile } from "../fixtures/PerFile.ts"
import * as PgVectorServer from "../fixtures/PgVectorServer.ts"
import * as PineconeServer from "../fixtures/PineconeServer.ts"
import { hasRedis, redisServer } from "../fixtures/RedisServer.ts"
import { conditionalS3Server } from "../fixtures/S3Server.ts"
import * as SecretsManagerServer from "../fixtures/SecretsManagerServer.ts"
import { hasSwift, swiftServer } from "../fixtures/SwiftServer.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const host = perFile(managedHost)
const redis = perFile(redisServer())
const s3 = perFile(conditionalS3Server)
const key = randomBytes(32).toString("hex")
const aws = (endpoint: string) => ({
  region: "eu-central-1",
  ...SecretsManagerServer.credentials,
  endpoint
})

lasting.storage("Local", Effect.map(tempFolder, (folder) => LocalStorage.contract({ folder })))
lasting.storage("S3", Effect.map(s3, ({ settings }) => S3Storage.contract(settings)))
lasting.storage(
  "SmythStorage",
  Effect.map(host, ({ team, token, url }) => SmythStorage.contract({ url, team, token }))
)

lasting.cache("LocalStorage", Effect.map(tempFolder, (folder) => LocalStorageCache.contract({ folder })))
lasting.cache("S3", Effect.map(s3, ({ settings }) => S3Cache.contract(settings)))

lasting.nkv("LocalStorage", Effect.map(tempFolder, (folder) => LocalNKV.contract({ folder })))

lasting.vectorDB(
  "SQLiteVec",
  Effect.map(tempFolder, (folder) => SQLiteVec.contract({ file: join(folder, "vectors.sqlite") }))
)
lasting.vectorDB("RAMVec with a folder", Effect.map(tempFolder, (folder) => RAMVec.contract({ folder })))
lasting.vectorDB("PostgresVec", Effect.map(PgVectorServer.make, ({ url }) => PostgresVec.contract({ url })))
lasting.vectorDB(
  "Pinecone",
  Effect.map(
    PineconeServer.make({ name: "test", dimension: 64 }),
    ({ url }) => Pinecone.contract({ apiKey: PineconeServer.apiKey, indexName: "test", controllerHostUrl: url })
  ),
  { dimensions: 64 }
)
lasting.vectorDB(
  "Milvus",
  Effect.map(MilvusServer.make, ({ url }) => Milvus.contract({ address: url, token: MilvusServer.token }))
)
lasting.vectorDB(
  "SmythManaged",
  Effect.map(host, ({ team, token, url }) => SmythManagedVectorDB.contract({ url, team, token }))
)

lasting.vault(
  "JSONFileVault",
  Effect.map(tempFolder, (folder) => JSONFileVault.contract({ file: join(folder, "vault.json") }))
)
lasting.vault(
  "HashicorpVault",
  Effect.map(HashicorpVaultServer.make(), ({ token, url }) => HashicorpVault.contract({ url, token }))
)
lasting.vault(
  "SecretsManagerVault",
  Effect.map(SecretsManagerServer.make(), ({ url }) => SecretsManagerVault.contract(aws(url)))
)
lasting.vault("SmythVault", Effect.map(host, ({ team, token, url }) => SmythVault.contract({ url, team, token })))

lasting.managedVault(
  "JSONFileManagedVault",
  Effect.map(tempFolder, (folder) => JSONFileManagedVault.contract({ file: join(folder, "managed-vault.json") }))
)
lasting.managedVault(
  "SecretsManagerManagedVault",
  Effect.map(SecretsManagerServer.make(), ({ url }) => SecretsManagerManagedVault.contract(aws(url)))
)

lasting.scheduler(
  "LocalScheduler",
  Effect.map(tempFolder, (folder) => LocalScheduler.contract({ file: join(folder, "jobs.sqlite"), runJobs: false }))
)

for (const [name, database] of databases) {
  lasting.nkv(`SQLNKV on ${name}`, Effect.map(database, (url) => SQLNKV.contract({ url })))
  lasting.managedVault(
    `SQLManagedVault on ${name}`,
    Effect.map(database, (url) => SQLManagedVault.contract({ url, key }))
  )
  lasting.scheduler(
    `SQLScheduler on ${name}`,
    Effect.map(database, (url) => SQLScheduler.contract({ url, runJobs: false }))
  )
}

if (hasRedis()) {
  lasting.cache("Redis", Effect.map(redis, ({ url }) => RedisCache.contract({ url })))
  lasting.cache(
    "Tiered",
    Effect.map(
      redisServer(),
      ({ url }) => TieredCache.contract({ tiers: [{ Connector: "RAM" }, { Connector: "Redis", Settings: { url } }] })
    )
  )
  lasting.nkv("Redis", Effect.map(redis, ({ url }) => RedisNKV.contract({ url })))
} else {
  it.skip("Redis: there is no redis-server on this machine", () => {})
}

if (hasSwift()) {
  lasting.storage("S3 (Swift)", Effect.map(swiftServer, ({ settings }) => S3Storage.contract(settings)))
} else {
  it.skip("S3 (Swift): there is no Swift on this machine", () => {})
}

describe("connectors whose data do not last", () => {
  const tested = [
    [subsystems.storage, [LocalStorage, S3Storage, SmythStorage], ["Memory"]],
    [subsystems.cache, [LocalStorageCache, S3Cache, RedisCache, TieredCache], ["RAM"]],
    [subsystems.nkv, [LocalNKV, SQLNKV, RedisNKV], ["RAM"]],
    [subsystems.vault, [JSONFileVault, HashicorpVault, SecretsManagerVault, SmythVault], ["Env", "NullVault"]],
    [
      subsystems.managedVault,
      [JSONFileManagedVault, SQLManagedVault, SecretsManagerManagedVault],
      ["NullManagedVault"]
    ],
    [subsystems.scheduler, [LocalScheduler, SQLScheduler], []],
    [dependents.vectorDB, [SQLiteVec, RAMVec, PostgresVec, Pinecone, Milvus, SmythManagedVectorDB], []]
  ] as const

  it("are these", () => {
    for (const [{ connectors }, last, others] of tested) {
      assert.sameMembers(connectors.map(({ name }) => name), [...last.map(({ name }) => name), ...others])
    }
  })
})
