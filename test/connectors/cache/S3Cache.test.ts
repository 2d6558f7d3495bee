import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Duration, Effect, Layer, Option } from "effect"
import { S3Cache, S3CacheLive } from "../../../src/connectors/cache/S3Cache.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Cache, CacheConnector } from "../../../src/subsystems/memory/Cache.ts"
import { suite } from "../../../src/testing/conformance/cache.ts"
import { suite as faults } from "../../conformance/faults.ts"
import { perFile } from "../../fixtures/PerFile.ts"
import { conditionalS3Server, s3Server } from "../../fixtures/S3Server.ts"

const plain = perFile(s3Server)
const conditional = perFile(conditionalS3Server)

const connect = (settings: Parameters<typeof S3Cache.contract>[0]) =>
  Effect.map(Layer.build(S3Cache.contract(settings)), Context.get(CacheConnector))
const none = Option.none<string>()

describe("S3Cache", () => {
  it.scopedLive("the same value set again is another version", () =>
    Effect.gen(function*() {
      const { settings } = yield* conditional
      const cache = yield* connect(settings)
      yield* cache.set("user:ann/x", "same", Duration.infinity, none)
      const { version } = Option.getOrThrow(yield* cache.get("user:ann/x"))
      yield* cache.set("user:ann/x", "same", Duration.infinity, Option.some(version))
      const lost = yield* Effect.flip(cache.set("user:ann/x", "same", Duration.infinity, Option.some(version)))
      assert.strictEqual(lost.reason, "Conflict")
    }))

  it.scopedLive("what something else put into the bucket is corrupted, not absent", () =>
    Effect.gen(function*() {
      const { settings } = yield* plain
      const cache = yield* connect({ ...settings, prefix: "foreign/" })
      const { accessKeyId, secretAccessKey } = settings
      const client = new S3Client({ ...settings, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
      yield* Effect.promise(() =>
        client.send(new PutObjectCommand({ Bucket: "bucket", Key: "foreign/user:ann/x", Body: "text" }))
      )
      assert.strictEqual((yield* Effect.flip(cache.get("user:ann/x"))).reason, "Corrupted")
    }))

  it.scopedLive("takes bucket, server and credentials from the environment", () =>
    Effect.gen(function*() {
      const { settings } = yield* plain
      const environment = ConfigProvider.fromMap(
        new Map([
          ["S3_BUCKET", settings.bucket],
          ["S3_ENDPOINT", settings.endpoint],
          ["AWS_ACCESS_KEY_ID", settings.accessKeyId],
          ["AWS_SECRET_ACCESS_KEY", settings.secretAccessKey],
          ["S3_CACHE_PREFIX", "c/"]
        ])
      )
      yield* Effect.flatMap(Cache, (cache) => cache.set("x", "1")).pipe(
        Candidate.as(Candidate.user("ann")),
        Effect.provide(Layer.provide(S3CacheLive, Layer.setConfigProvider(environment)))
      )
      const found = yield* Effect.flatMap(connect({ ...settings, prefix: "c/" }), (cache) => cache.get("user:ann/x"))
      assert.isTrue(Option.isSome(found))
    }))
})

faults("S3Cache", {
  server: Effect.map(plain, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    S3Cache.contract({
      bucket: "bucket",
      endpoint: `http://127.0.0.1:${port}`,
      accessKeyId: "S3RVER",
      secretAccessKey: "S3RVER",
      timeout: timeoutMillis,
      conditionalWrites: true
    }),
  read: Effect.flatMap(
    CacheConnector,
    (cache) => Effect.map(cache.get("user:ann/k"), Option.map(({ value }) => value))
  ),
  write: (value) =>
    Effect.flatMap(
      CacheConnector,
      (cache) =>
        Effect.flatMap(cache.get("user:ann/k"), (found) =>
          cache.set("user:ann/k", value, Duration.infinity, Option.map(found, ({ version }) => version)))
    )
})

suite("S3", Layer.unwrapEffect(Effect.map(conditional, ({ settings }) => S3Cache.contract(settings))))
suite(
  "S3 without conditional writes",
  Layer.unwrapEffect(Effect.map(plain, ({ settings }) => S3Cache.contract(settings)))
)
