import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3"
import { assert, describe, it } from "@effect/vitest"
import { Context, type Duration, Effect, Layer, Option, Schedule, Stream } from "effect"
import { createHash, createHmac } from "node:crypto"
import { S3Storage } from "../../../src/connectors/storage/S3Storage.ts"
import * as Acl from "../../../src/security/Acl.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { concat } from "../../../src/subsystems/Guarded.ts"
import { Storage, StorageConnector } from "../../../src/subsystems/io/Storage.ts"
import { suite } from "../../../src/testing/conformance/storage.ts"
import * as FaultProxy from "../../fixtures/FaultProxy.ts"
import { perFile } from "../../fixtures/PerFile.ts"
import { hasSwift, swiftServer } from "../../fixtures/SwiftServer.ts"

type Settings = Parameters<typeof S3Storage.layer>[0]

const asAnn = Candidate.as(Candidate.user("ann"))
const connect = (settings: Settings) => Effect.map(Layer.build(S3Storage.layer(settings)), Context.get(Storage))

const answered = (url: string) => Effect.promise((signal) => fetch(url, { signal }))
const got = (url: string) =>
  Effect.flatMap(
    answered(url),
    (answer) => Effect.promise(async () => ({ status: answer.status, text: await answer.text() }))
  )

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
const signedWith = (secret: string, address: string) => {
  const bare = address.replace(/&X-Amz-Signature=\w+/, "")
  const { host, pathname, search } = new URL(bare)
  const date = /X-Amz-Date=(\w+)/.exec(search)?.[1] ?? ""
  const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`
  const query = search.slice(1).split("&").sort().join("&")
  const request = ["GET", pathname, query, `host:${host}`, "", "host", "UNSIGNED-PAYLOAD"].join("\n")
  const text = ["AWS4-HMAC-SHA256", date, scope, createHash("sha256").update(request).digest("hex")].join("\n")
  const mac = (key: string | Buffer, value: string) => createHmac("sha256", key).update(value).digest()
  const signature = mac(scope.split("/").reduce(mac, Buffer.from(`AWS4${secret}`)), text).toString("hex")
  return address.replace(/(X-Amz-Signature=)\w+/, `$1${signature}`)
}

const copies = (
  { accessKeyId, secretAccessKey, ...where }: Record<
    "accessKeyId" | "secretAccessKey" | "bucket" | "endpoint" | "region",
    string
  >,
  Prefix: string
) =>
  Effect.promise(async () => {
    const client = new S3Client({ ...where, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: where.bucket, Prefix }))
    client.destroy()
    return Contents.length
  })

if (hasSwift()) {
  const swift = perFile(swiftServer)

  describe("S3Storage on a server that checks signatures", () => {
    it.scopedLive("wrong credentials are refused at the start, and not told", () =>
      Effect.gen(function*() {
        const { settings } = yield* swift
        for (const more of [{}, { conditionalWrites: true }]) {
          const wrong = S3Storage.contract({ ...settings, ...more, secretAccessKey: "hunter2" })
          const error = yield* Effect.flip(Layer.build(wrong))
          assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unauthorized" })
          assert.notInclude(error.message, "hunter2")
        }
      }), 120_000)

    it.scopedLive(
      "a change of what is beside a large object does not send its bytes again, and keeps them",
      () =>
        Effect.gen(function*() {
          const { port, settings } = yield* swift
          const proxy = yield* FaultProxy.make(port)
          const endpoint = `http://127.0.0.1:${proxy.port}`
          const contract = S3Storage.contract({ ...settings, endpoint, partSize: "5mb" })
          const connector = Context.get(yield* Layer.build(contract), StorageConnector)
          const bytes = Uint8Array.from({ length: 7_000_000 }, (_, n) => (n * 31) & 255)
          const body = Stream.range(0, 6).pipe(Stream.map((n) => bytes.subarray(n * 1_000_000, (n + 1) * 1_000_000)))
          const key = "user:ann/sums 100%+é?#"
          const head = {
            acl: Acl.ownedBy(Candidate.user("ann")),
            contentType: "text/plain",
            metadata: {},
            expires: Option.none()
          }
          yield* connector.put(key, { ...head, body }, Option.none())
          yield* proxy.set("pass")
          const { version } = Option.getOrThrow(yield* connector.head(key))
          yield* connector.update(key, { metadata: { title: "Grüße" } }, version)
          assert.isBelow(proxy.sent().length, 100_000)
          const opened = Option.getOrThrow(yield* connector.open(key))
          assert.notStrictEqual(opened.version, version)
          assert.deepStrictEqual([opened.metadata, opened.sizeBytes], [{ title: "Grüße" }, 7_000_000])
          assert.strictEqual(Buffer.compare(concat(yield* Stream.runCollect(opened.body)), bytes), 0)
        }),
      120_000
    )

    it.scopedLive("a URL for others works until its time is over, and only as it is", () =>
      Effect.gen(function*() {
        const { settings } = yield* swift
        const storage = yield* connect({ ...settings, prefix: "urls/", publicUrlTime: 60_000 })
        yield* asAnn(storage.write("note.txt", new TextEncoder().encode("for all")))
        yield* asAnn(storage.write("page.html", new TextEncoder().encode("<script>alert(1)</script>")))
        const make = (key: string, time: Duration.DurationInput) =>
          Effect.map(asAnn(storage.publicUrl(key, time)), Option.getOrThrow)
        const url = yield* make("note.txt", "1 minute")
        const brief = yield* make("note.txt", "1 second")
        const page = yield* make("page.html", "1 minute")
        assert.deepStrictEqual(yield* got(url), { status: 200, text: "for all" })
        assert.match((yield* answered(page)).headers.get("content-disposition") ?? "", /^attachment/)
        const changed = [
          new URL(new URL(page).pathname + new URL(url).search, url).href,
          url.replace("/urls/~shared/", "/urls/user:ann/").replace(/~shared\/.*?\?/, "note.txt?"),
          url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
          url.replace(/(X-Amz-Signature=)(.)/, (_, name, sign) => `${name}${sign === "0" ? "1" : "0"}`),
          url.replace(/\?.*/, "")
        ]
        for (const other of changed) {
          assert.notStrictEqual(other, url)
          const { status, text } = yield* got(other)
          assert.include([400, 403], status, other)
          assert.notInclude(text, "for all")
        }
        yield* Effect.sleep("2 seconds")
        assert.strictEqual((yield* got(brief)).status, 403)
        // It is of what was there, and nobody had to be asked for longer than the setting allows.
        yield* asAnn(storage.remove("note.txt"))
        assert.strictEqual((yield* got(url)).text, "for all")
        assert.deepStrictEqual(yield* asAnn(storage.publicUrl("page.html", "61 seconds")), Option.none())
      }), 120_000)

    it.scopedLive("a URL that somebody without the key signs is refused", () =>
      Effect.gen(function*() {
        const { settings } = yield* swift
        const storage = yield* connect({ ...settings, publicUrlTime: 60_000 })
        yield* asAnn(storage.write("mine", new TextEncoder().encode("mine")))
        const url = Option.getOrThrow(yield* asAnn(storage.publicUrl("mine", "1 minute")))
        assert.strictEqual(signedWith(settings.secretAccessKey, url), url)
        assert.strictEqual((yield* got(signedWith("hunter2", url))).status, 403)
      }))

    it.scopedLive(
      "a large object is copied within the server, and copies whose time is over are taken away",
      () =>
        Effect.gen(function*() {
          const { port, settings } = yield* swift
          const proxy = yield* FaultProxy.make(port)
          const storage = yield* connect({
            ...settings,
            endpoint: `http://127.0.0.1:${proxy.port}`,
            prefix: "large/",
            publicUrlTime: 60_000
          })
          const bytes = Uint8Array.from({ length: 6_000_000 }, (_, n) => (n * 31) & 255)
          yield* asAnn(storage.write("large.bin", bytes))
          yield* proxy.set("pass")
          const url = Option.getOrThrow(yield* asAnn(storage.publicUrl("large.bin", "2 seconds")))
          assert.isBelow(proxy.sent().length, 100_000)
          const answer = yield* answered(url)
          assert.strictEqual(Buffer.compare(Buffer.from(yield* Effect.promise(() => answer.arrayBuffer())), bytes), 0)
          yield* Effect.sleep("2500 millis")
          yield* asAnn(storage.publicUrl("large.bin", "1 minute"))
          yield* Effect.repeat(copies(settings, "large/~shared/"), {
            until: (count) => count === 1,
            schedule: Schedule.spaced("100 millis")
          })
        }),
      120_000
    )
  })

  suite(
    "S3 (Swift)",
    Layer.unwrapEffect(Effect.map(swift, ({ settings }) => S3Storage.contract({ ...settings, publicUrlTime: 60_000 })))
  )
} else {
  it.skip("S3Storage on Swift: there is no Swift on this machine", () => {})
}
