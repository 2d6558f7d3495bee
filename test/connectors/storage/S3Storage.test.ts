import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Option, Stream } from "effect"
import { S3Storage, S3StorageLive } from "../../../src/connectors/storage/S3Storage.ts"
import * as Acl from "../../../src/security/Acl.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { concat } from "../../../src/subsystems/Guarded.ts"
import { layer as guarded, type ObjectHead, Storage, StorageConnector } from "../../../src/subsystems/io/Storage.ts"
import { suite } from "../../../src/testing/conformance/storage.ts"
import { suite as faults } from "../../conformance/faults.ts"
import { perFile } from "../../fixtures/PerFile.ts"
import { conditionalS3Server, s3Server } from "../../fixtures/S3Server.ts"

const plain = perFile(s3Server)
const conditional = perFile(conditionalS3Server)

type Settings = Parameters<typeof S3Storage.contract>[0]
const connect = (settings: Settings) =>
  Effect.map(Layer.build(Layer.provideMerge(guarded, S3Storage.contract(settings))), (context) => ({
    connector: Context.get(context, StorageConnector),
    storage: Context.get(context, Storage)
  }))

const ann = Candidate.user("ann")
const asAnn = Candidate.as(ann)
const none = Option.none<string>()
const text = (value: string) => new TextEncoder().encode(value)
const head: ObjectHead = {
  acl: Acl.ownedBy(ann),
  contentType: "text/plain",
  metadata: {},
  expires: Option.none()
}

describe("S3Storage", () => {
  it.scopedLive("two processes that change one object lose no change where the server honours conditions", () =>
    Effect.gen(function*() {
      const { settings } = yield* conditional
      const processes = yield* Effect.all([connect(settings), connect(settings), connect(settings)])
      yield* asAnn(processes[0].storage.write("merged", text("")))
      yield* asAnn(Effect.forEach(Array.from({ length: 12 }, (_, n) => n), (n) => {
        const { storage } = processes[n % 3]!
        return Effect.all([
          storage.share("merged", Candidate.user(`u${n}`), ["read"]),
          storage.setMetadata("merged", { [`m${n}`]: n }),
          storage.modify("merged", (bytes) => Effect.succeed(concat([Option.getOrThrow(bytes), Uint8Array.of(65 + n)])))
        ], { concurrency: "unbounded" })
      }, { concurrency: "unbounded" }))
      const { storage } = processes[0]
      assert.strictEqual((yield* asAnn(storage.acl("merged"))).grants.length, 13)
      assert.strictEqual(Object.keys((yield* asAnn(storage.info("merged"))).metadata).length, 12)
      const letters = new TextDecoder().decode(yield* asAnn(storage.read("merged")))
      assert.sameMembers(Array.from(letters), Array.from("ABCDEFGHIJKL"))
    }))

  it.scopedLive("the version is new with every write, also of the same bytes, and so is that of a change of the list", () =>
    Effect.gen(function*() {
      const { settings } = yield* conditional
      const { connector } = yield* connect(settings)
      const seen = new Set<string>()
      for (let n = 0; n < 6; n++) {
        const current = Option.map(yield* connector.head("user:ann/x"), ({ version }) => version)
        yield* n % 2 === 0
          ? connector.put("user:ann/x", { ...head, body: text("same") }, current)
          : connector.update("user:ann/x", {}, Option.getOrThrow(current))
        seen.add(Option.getOrThrow(yield* connector.head("user:ann/x")).version)
      }
      assert.strictEqual(seen.size, 6)
    }))

  it.scopedLive("a change of what is beside a large object keeps its bytes, also where the server cannot copy parts", () =>
    Effect.gen(function*() {
      const { settings } = yield* plain
      const { connector } = yield* connect(settings)
      const bytes = Uint8Array.from({ length: 11_000_000 }, (_, n) => (n * 31) & 255)
      yield* connector.put("user:ann/large", { ...head, body: bytes }, none)
      const { version } = Option.getOrThrow(yield* connector.head("user:ann/large"))
      yield* connector.update("user:ann/large", { metadata: { a: 1 } }, version)
      const opened = Option.getOrThrow(yield* connector.open("user:ann/large"))
      assert.deepStrictEqual(opened.metadata, { a: 1 })
      assert.strictEqual(Buffer.compare(concat(yield* Stream.runCollect(opened.body)), bytes), 0)
    }))

  it.scopedLive("what S3 has no room for is refused and says how much there is", () =>
    Effect.gen(function*() {
      const { settings } = yield* plain
      const { connector } = yield* connect({ ...settings, prefix: "deep/" })
      const put = (key: string, changed: Partial<ObjectHead>) =>
        Effect.flip(connector.put(key, { ...head, ...changed, body: text("x") }, none))
      const tooMuch = yield* put("user:ann/x", { metadata: { long: "é".repeat(400) } })
      assert.deepInclude(tooMuch, { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.include(tooMuch.message, "2048")
      const tooLong = yield* put(`user:ann/${"k".repeat(1015)}`, {})
      assert.deepInclude(tooLong, { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.include(tooLong.message, "1024")
      assert.deepInclude(yield* put("user:ann/x", { contentType: "text/ü" }), { reason: "InvalidInput" })
      assert.deepStrictEqual((yield* connector.list("user:ann/", { after: none, limit: 10 })).items, [])
    }))

  it.scopedLive("an object that something else put into the bucket is nobody's, and hides no other", () =>
    Effect.gen(function*() {
      const { settings } = yield* plain
      const { storage } = yield* connect({ ...settings, prefix: "foreign/" })
      const { accessKeyId, secretAccessKey } = settings
      const client = new S3Client({ ...settings, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
      yield* Effect.promise(() =>
        client.send(new PutObjectCommand({ Bucket: "bucket", Key: "foreign/user:ann/theirs", Body: "x" }))
      )
      yield* asAnn(storage.write("mine", text("x")))
      assert.deepInclude(yield* Effect.flip(asAnn(storage.read("theirs"))), { reason: "Corrupted" })
      const listed = yield* asAnn(Stream.runCollect(Stream.unwrap(storage.list(""))))
      assert.deepStrictEqual(Array.from(listed, ({ key }) => key), ["mine"])
    }))

  it.scopedLive("takes bucket, server and credentials from the environment, and prefixes share a bucket without meeting", () =>
    Effect.gen(function*() {
      const { settings } = yield* plain
      const environment = ConfigProvider.fromMap(
        new Map([
          ["S3_BUCKET", settings.bucket],
          ["S3_ENDPOINT", settings.endpoint],
          ["AWS_ACCESS_KEY_ID", settings.accessKeyId],
          ["AWS_SECRET_ACCESS_KEY", settings.secretAccessKey],
          ["S3_PREFIX", "one/"]
        ])
      )
      yield* Effect.flatMap(Storage, (storage) => storage.write("x", text("1"))).pipe(
        asAnn,
        Effect.provide(Layer.provide(S3StorageLive, Layer.setConfigProvider(environment)))
      )
      const one = yield* connect({ ...settings, prefix: "one/" })
      const two = yield* connect({ ...settings, prefix: "two/" })
      assert.isTrue(yield* asAnn(one.storage.exists("x")))
      assert.isFalse(yield* asAnn(two.storage.exists("x")))
    }))

  it.scopedLive("a bucket that is not there, a server that is not there and half a credential are errors of the start", () =>
    Effect.gen(function*() {
      const { settings } = yield* plain
      const start = (changed: Partial<Settings>) => Effect.flip(connect({ ...settings, ...changed }))
      assert.deepInclude(yield* start({ bucket: "absent" }), { _tag: "ConnectorError", reason: "NotFound" })
      assert.deepInclude(yield* start({ endpoint: "http://127.0.0.1:1" }), { reason: "Unavailable" })
      const { accessKeyId: _, ...half } = settings
      assert.deepInclude(yield* Effect.flip(connect(half)), { _tag: "BootError" })
      assert.deepInclude(yield* start({ partSize: "1mb" }), { _tag: "BootError", path: "Storage.Settings.partSize" })
      const longer = yield* start({ publicUrlTime: week + 1 })
      assert.deepInclude(longer, { _tag: "BootError", path: "Storage.Settings.publicUrlTime" })
    }))
})

const key = "user:ann/faults"
faults("S3Storage", {
  server: Effect.map(plain, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    S3Storage.contract({
      bucket: "bucket",
      endpoint: `http://127.0.0.1:${port}`,
      accessKeyId: "S3RVER",
      secretAccessKey: "S3RVER",
      timeout: timeoutMillis,
      conditionalWrites: true
    }),
  read: Effect.scoped(
    Effect.flatMap(
      StorageConnector,
      (store) =>
        Effect.flatMap(store.open(key), (found) =>
          Option.isNone(found) ? Effect.succeed("") : Effect.map(
            Stream.runCollect(found.value.body),
            (chunks) => new TextDecoder().decode(concat(chunks))
          ))
    )
  ),
  write: (value) =>
    Effect.flatMap(
      StorageConnector,
      (store) =>
        Effect.flatMap(store.head(key), (found) =>
          store.put(key, { ...head, body: text(value) }, Option.map(found, ({ version }) => version)))
    )
})

const week = 7 * 24 * 60 * 60 * 1000
suite(
  "S3",
  Layer.unwrapEffect(
    Effect.map(conditional, ({ settings }) => S3Storage.contract({ ...settings, publicUrlTime: week }))
  )
)
