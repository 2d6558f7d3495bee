/** What a service adds to the bare client of the same server: the check of who asks, the list in the record, retries, spans. */
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { Context, Duration, Effect, Layer, Runtime, type Scope } from "effect"
import { Redis } from "ioredis"
import { createRequire } from "node:module"
import { join } from "node:path"
import { RAMCache } from "../src/connectors/cache/RAMCache.ts"
import { RedisCache } from "../src/connectors/cache/RedisCache.ts"
import { SQLNKV } from "../src/connectors/nkv/SQLNKV.ts"
import { S3Storage } from "../src/connectors/storage/S3Storage.ts"
import { RAMVec } from "../src/connectors/vectordb/RAMVec.ts"
import { SQLiteVec } from "../src/connectors/vectordb/SQLiteVec.ts"
import * as Candidate from "../src/security/Candidate.ts"
import { NKV } from "../src/subsystems/io/NKV.ts"
import { Storage } from "../src/subsystems/io/Storage.ts"
import { VectorDB } from "../src/subsystems/io/VectorDB.ts"
import { Cache } from "../src/subsystems/memory/Cache.ts"
import { hasPostgres, postgresServer } from "../test/fixtures/PostgresServer.ts"
import { hasRedis, redisServer } from "../test/fixtures/RedisServer.ts"
import { bareS3Server } from "../test/fixtures/S3Server.ts"
import { tempFolder } from "../test/fixtures/TempFolder.ts"
import { inTurns, report, row, type Used } from "./measure.ts"

const asAnn = Candidate.as(Candidate.user("ann"))
const require = createRequire(import.meta.url)

/**
 * The two in turns, so that what else the machine does hits both, and each in the same loop in one fiber, as an app calls them:
 * what it costs to start a fiber (`Effect.runPromise`) is the cost of neither. Processor time is what hardly changes with load.
 */
const compare = <E>(
  what: string,
  alone: { readonly what: string; readonly turn: () => unknown },
  ours: Effect.Effect<unknown, E>,
  turns: number,
  runs = 9
) =>
  Effect.gen(function*() {
    const run = Runtime.runPromise(yield* Effect.runtime())
    const many = <E>(turn: Effect.Effect<unknown, E>) => {
      const loop = Effect.suspend(() => {
        let left = turns
        return Effect.whileLoop({ while: () => left-- > 0, body: () => turn, step: () => {} })
      })
      return () => run(asAnn(loop))
    }
    const bare = alone.turn() instanceof Promise
      ? Effect.promise(async () => alone.turn())
      : Effect.sync(alone.turn)
    const perTurn = ({ cpu, wall }: Used): Used => ({ cpu: cpu / turns, wall: wall / turns })
    const loops = yield* Effect.promise(() => inTurns(many(bare), many(ours), 1, runs))
    const pairs = loops.map(({ bare, ours }) => ({ bare: perTurn(bare), ours: perTurn(ours) }))
    report(row(`${what}: ${alone.what} alone`, "µs", pairs.map(({ bare }) => bare.wall)))
    report(row(`${what}: the service`, "µs", pairs.map(({ ours }) => ours.wall)))
    report(row(`${what}: added processor time`, "µs", pairs.map(({ bare, ours }) => ours.cpu - bare.cpu)))
  })

const built = <A, S, E>(tag: Context.Tag<A, S>, layer: Layer.Layer<A, E>): Effect.Effect<S, E, Scope.Scope> =>
  Effect.map(Layer.build(layer), Context.get(tag))

const text = "x".repeat(1000)

const ram = Effect.gen(function*() {
  const cache = yield* built(Cache, RAMCache.layer({}))
  yield* asAnn(cache.set("k", text))
  const map = new Map([["k", text]])
  yield* compare("RAM cache get", { what: "a Map", turn: () => map.get("k") }, cache.get("k"), 20_000)
})

const redis = Effect.gen(function*() {
  const { url } = yield* redisServer()
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (client) => Effect.sync(() => client.disconnect())
  )
  const cache = yield* built(Cache, RedisCache.layer({ url }))
  yield* asAnn(cache.set("k", text))
  yield* Effect.promise(() => client.set("bare", text))
  yield* compare("Redis get, 1 kB", { what: "ioredis", turn: () => client.get("bare") }, cache.get("k"), 2000)
  const timeToLive = Duration.minutes(1)
  yield* compare(
    "Redis set, 1 kB",
    { what: "ioredis", turn: () => client.set("bare", text, "PX", 60_000) },
    cache.set("k", text, { timeToLive }),
    1000
  )
})

const s3 = Effect.gen(function*() {
  const { settings } = yield* bareS3Server
  const { accessKeyId, bucket, secretAccessKey, ...where } = settings
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new S3Client({ ...where, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })),
    (client) => Effect.sync(() => client.destroy())
  )
  const storage = yield* built(Storage, S3Storage.layer({ ...settings, conditionalWrites: false }))
  const bytes = new Uint8Array(10_000)
  yield* asAnn(storage.write("k", bytes))
  const place = { Bucket: bucket, Key: "bare" }
  yield* Effect.promise(() => client.send(new PutObjectCommand({ ...place, Body: bytes })))
  yield* compare(
    "S3 get, 10 kB, s3rver",
    {
      what: "the AWS SDK",
      turn: async () => (await client.send(new GetObjectCommand(place))).Body?.transformToByteArray()
    },
    storage.read("k"),
    100
  )
})

const postgres = Effect.gen(function*() {
  const url = (yield* postgresServer).url()
  const { Pool } = require("pg") as { readonly Pool: new(options: object) => PgPool }
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Pool({ connectionString: url })),
    (pool) => Effect.promise(() => pool.end())
  )
  const nkv = yield* built(NKV, SQLNKV.layer({ url }))
  yield* asAnn(nkv.set("ns", "k", { text }))
  const { rows: [row] } = yield* Effect.promise(() => pool.query("SELECT namespace, name FROM sre_nkv", []))
  const key = [row?.["namespace"], row?.["name"]]
  const find = "SELECT name, value, version FROM sre_nkv WHERE namespace = $1 AND name = $2"
  yield* compare(
    "PostgreSQL row, 1 kB",
    { what: "pg", turn: () => pool.query(find, key) },
    nkv.get("ns", "k"),
    1000
  )
})

interface PgPool {
  readonly query: (text: string, values: ReadonlyArray<unknown>) => Promise<{
    readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>
  }>
  readonly end: () => Promise<void>
}

/* ------------------------------------------------------------------------------------------------------------------
 * Vectors
 * ---------------------------------------------------------------------------------------------------------------- */

const count = 20_000
const dimensions = 384
const topK = 10

/** The same numbers in each run, of length 1. */
const numbers = (() => {
  const all = new Float32Array(count * dimensions)
  let state = 1
  for (let n = 0; n < all.length; n++) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    all[n] = state / 2 ** 30 - 1
  }
  for (let at = 0; at < all.length; at += dimensions) {
    const vector = all.subarray(at, at + dimensions)
    const length = Math.hypot(...vector)
    vector.forEach((value, n) => vector[n] = value / length)
  }
  return all
})()
const vectorAt = (index: number) => numbers.subarray(index * dimensions, (index + 1) * dimensions)
const query = vectorAt(4711)

/** The ten best by one loop over the numbers. */
const scan = () => {
  const best: Array<{ readonly index: number; readonly score: number }> = []
  for (let index = 0; index < count; index++) {
    const start = index * dimensions
    let score = 0
    for (let n = 0; n < dimensions; n++) score += numbers[start + n]! * query[n]!
    if (best.length === topK && score <= best[topK - 1]!.score) continue
    best.push({ index, score })
    best.sort((a, b) => b.score - a.score)
    best.length = Math.min(best.length, topK)
  }
  return best
}

const filled = (layer: Layer.Layer<VectorDB, unknown>) =>
  Effect.gen(function*() {
    const vectors = yield* built(VectorDB, layer)
    const items = Array.from({ length: count }, (_, n) => ({ id: `v${n}`, vector: vectorAt(n) }))
    yield* asAnn(Effect.zipRight(vectors.createNamespace("ns"), vectors.insert("ns", items)))
    return { search: vectors.search("ns", query, { topK }) }
  })

const sqlite = (folder: string) => {
  const Database = require("better-sqlite3") as new(file: string) => Sqlite
  const db = new Database(join(folder, "bare.sqlite"))
  const { load } = require("sqlite-vec") as { readonly load: (db: Sqlite) => void }
  load(db)
  db.exec(`CREATE VIRTUAL TABLE points USING vec0(vector float[${dimensions}] distance_metric=cosine)`)
  db.exec("BEGIN")
  const insert = db.prepare("INSERT INTO points (vector) VALUES (?)")
  for (let n = 0; n < count; n++) insert.run(vectorAt(n))
  db.exec("COMMIT")
  const nearest = db.prepare("SELECT rowid, distance FROM points WHERE vector MATCH ? AND k = ? ORDER BY distance")
  return () => nearest.all(query, topK)
}

interface Sqlite {
  readonly exec: (sql: string) => unknown
  readonly prepare: (sql: string) => {
    readonly run: (...values: ReadonlyArray<unknown>) => unknown
    readonly all: (...values: ReadonlyArray<unknown>) => ReadonlyArray<unknown>
  }
}

const vectors = Effect.gen(function*() {
  const what = `search of ${count.toLocaleString("en")} × ${dimensions}`
  const inMemory = yield* filled(RAMVec.layer({}))
  yield* compare(`${what}, RAM`, { what: "a loop", turn: scan }, inMemory.search, 10)
  const folder = yield* tempFolder
  const bare = sqlite(folder)
  const inFile = yield* filled(SQLiteVec.layer({ file: join(folder, "ours.sqlite") }))
  yield* compare(`${what}, SQLite`, { what: "sqlite-vec", turn: bare }, inFile.search, 10)
})

const parts = [ram, ...(hasRedis() ? [redis] : []), s3, ...(hasPostgres() ? [postgres] : []), vectors]
await Effect.runPromise(Effect.forEach(parts, Effect.scoped, { discard: true }))
process.exit(0)
