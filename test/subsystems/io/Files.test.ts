import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FastCheck, Layer, Option, TestClock } from "effect"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Files from "../../../src/subsystems/io/Files.ts"
import * as MediaType from "../../../src/subsystems/io/MediaType.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const services = Layer.merge(MemoryStorage.layer({}), UndiciOutbound.layer({ allow: ["127.0.0.1"] }))
const asAnn = Candidate.as(Candidate.user("ann"))
const text = (value: string) => new TextEncoder().encode(value)
const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 1])

const loaded = (value: unknown, options?: Files.LoadOptions) =>
  Effect.map(Files.load(value, options), ({ bytes, mediaType }) => [new TextDecoder().decode(bytes), mediaType])

const refused = (value: unknown, options?: Files.LoadOptions) =>
  Effect.flatMap(
    Effect.flip(Files.load(value, options)),
    (error) => error._tag === "FileUnreadable" ? Effect.succeed(error.reason) : Effect.die(error)
  )

describe("conversations", () => {
  it.effect("are no files: who may have an agent load a URL may not have it read what others said", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      yield* storage.write("conversations/user:bob 1", text("secret"))
      yield* storage.write("conversation.txt", text("open"))
      const urls = [
        "smythfs://ann.user/conversations/user:bob 1",
        "smythfs://ann.user/conversations/user%3Abob%201",
        "smythfs://ann.user/conversations%2Fuser%3Abob%201",
        "smythfs://ann.user/%63onversations/user:bob%201"
      ]
      for (const url of urls) {
        assert.strictEqual(yield* refused(url), "Refused")
        assert.strictEqual(yield* refused({ url, mimetype: "application/pdf" }), "Refused")
      }
      assert.deepStrictEqual(yield* loaded("smythfs://ann.user/conversation.txt"), ["open", "text/plain"])
    }).pipe(asAnn, Effect.provide(services)))
})

describe("load", () => {
  it.effect("text is text, also when it looks like base64, unless it is declared as such", () =>
    Effect.gen(function*() {
      for (const word of ["abcd", "male", "aGVsbG8=", "", "a: b", "data"]) {
        assert.deepStrictEqual(yield* loaded(word), [word, "text/plain"])
      }
      assert.deepStrictEqual(yield* loaded("aGVs\nbG8", { encoding: "base64" }), ["hello", "text/plain"])
      assert.strictEqual(yield* refused("a b!", { encoding: "base64" }), "Malformed")
    }).pipe(asAnn, Effect.provide(services)))

  it.effect("data URLs, bytes, blobs and file objects", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* loaded("data:,a%20b"), ["a b", "text/plain"])
      assert.deepStrictEqual(yield* loaded("data:text/csv;charset=utf-8;base64,YSxi"), ["a,b", "text/csv"])
      assert.strictEqual(yield* refused("data:text/csv;base64"), "Malformed")
      assert.strictEqual(yield* refused("data:text/csv;base64,%%%"), "Malformed")
      assert.strictEqual(yield* refused("data:,%ff"), "Malformed")
      assert.strictEqual((yield* Files.load(png)).mediaType, "image/png")
      assert.match((yield* Files.load(png)).name, /^file-[0-9a-f]{32}\.png$/)
      assert.strictEqual((yield* Files.load(png.buffer)).mediaType, "image/png")
      const blob = yield* Files.load(new File(["a,b"], "t.csv", { type: "text/csv;charset=utf-8" }))
      assert.deepStrictEqual([blob.mediaType, blob.name], ["text/csv", "t.csv"])
      const object = { mimetype: "image/x-own", size: 3, url: "data:text/plain,abc", name: "x.y" }
      const file = yield* Files.load(object)
      assert.deepInclude(file, { mediaType: "image/x-own", name: "x.y" })
      assert.deepStrictEqual(yield* Files.load(file), file)
      assert.strictEqual((yield* Files.load(png, { name: "photo" })).name, "photo.png")
    }).pipe(asAnn, Effect.provide(services)))

  it.effect("what is no file is refused with what would be one", () =>
    Effect.gen(function*() {
      for (const value of [null, undefined, 7, true, {}, [], { url: "file:///etc/passwd" }, { url: 7 }]) {
        assert.strictEqual(yield* refused(value), "Unrecognized")
      }
      for (const value of [new Uint8Array(11), "x".repeat(11), "data:,12345678901", new Blob(["12345678901"])]) {
        assert.strictEqual(yield* refused(value, { maxBytes: 10 }), "TooLarge")
      }
      assert.strictEqual(yield* refused(`data:;base64,${"A".repeat(4000)}`, { maxBytes: 10 }), "TooLarge")
    }).pipe(asAnn, Effect.provide(services)))

  it.scopedLive("URLs of the web: type of the answer, name of the path, a bound, and failures that say so", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((request, response) => {
        if (request.url === "/missing") response.writeHead(404).end("no")
        else if (request.url === "/a/photo%20one") {
          response.writeHead(200, { "content-type": "application/octet-stream" }).end(png)
        } else response.writeHead(200, { "content-type": "text/csv; charset=utf-8" }).end("a,b")
      })
      yield* Effect.gen(function*() {
        const csv = yield* Files.load(`${server.url}/data/table.csv?x=1`)
        assert.deepInclude(csv, { mediaType: "text/csv", name: "table.csv" })
        assert.deepInclude(yield* Files.load(`${server.url}/a/photo%20one`), {
          mediaType: "image/png",
          name: "photo one.png"
        })
        assert.strictEqual(yield* refused(`${server.url}/missing`), "Refused")
        assert.strictEqual(
          (yield* Effect.flip(Files.load(`${server.url}/x`, { maxBytes: 2 })))._tag,
          "ResponseTooLarge"
        )
      }).pipe(asAnn, Effect.provide(services))
    }))
})

describe("store", () => {
  it.effect("gives a reference that loads as the same file, for its owner, until its time has passed", () =>
    Effect.gen(function*() {
      for (const name of ["report.csv", "../../up", "a/b\\c\n", "..", "", "日本 %41.csv", "x".repeat(500)]) {
        const file = { bytes: text("a,b"), mediaType: "text/csv", name }
        const reference = yield* asAnn(Files.store(file))
        assert.deepInclude(reference, { mimetype: "text/csv", size: 3, name })
        assert.match(reference.url, /^smythfs:\/\/ann\.user\/_temp\/file-[0-9a-f]{32}\/[^/]+$/)
        assert.deepInclude(yield* asAnn(Files.load(reference)), { bytes: file.bytes, mediaType: "text/csv" })
        const stranger = yield* Effect.flip(Candidate.as(Files.load(reference), Candidate.user("bob")))
        assert.strictEqual(stranger._tag, "AccessDenied")
        assert.strictEqual((yield* Effect.flip(Files.load(reference)))._tag, "NoCandidate")
      }
      const kept = yield* asAnn(
        Files.store({ bytes: png, mediaType: "image/png", name: "p" }, { timeToLive: "30 days" })
      )
      const gone = yield* asAnn(Files.store({ bytes: png, mediaType: "image/png", name: "p" }))
      yield* TestClock.adjust(Duration.days(2))
      assert.strictEqual((yield* Effect.flip(asAnn(Files.load(gone.url))))._tag, "ObjectNotFound")
      assert.strictEqual((yield* asAnn(Files.load(kept.url))).mediaType, "image/png")
      const storage = yield* Storage
      yield* asAnn(storage.write("large", new Uint8Array(100)))
      assert.strictEqual(yield* asAnn(refused("smythfs://ann.user/large", { maxBytes: 99 })), "TooLarge")
    }).pipe(Effect.provide(services)))
})

describe("MediaType", () => {
  it("goes by the name, then by the bytes", () => {
    assert.strictEqual(MediaType.detect("a.JPEG", png), "image/jpeg")
    assert.strictEqual(MediaType.detect("a", png), "image/png")
    assert.strictEqual(MediaType.detect("a.unknown", undefined), "application/octet-stream")
    const signatures: ReadonlyArray<readonly [string, string | undefined]> = [
      ["%PDF-1.7", "application/pdf"],
      ["GIF89a\u0001\u0000", "image/gif"],
      ["RIFF\u0001\u0000\u0000\u0000WEBPVP8 ", "image/webp"],
      ["RIFF\u0001\u0000\u0000\u0000WAVEfmt ", "audio/wav"],
      ["\u0000\u0000\u0000\u0018ftypmp42", "video/mp4"],
      ["PK\u0003\u0004", "application/zip"],
      ["BMW is a car", "text/plain"],
      ["ID3 is a tag", "text/plain"],
      ["grüße", "text/plain"],
      ["\u0000\u0001\u0002", undefined]
    ]
    for (const [start, type] of signatures) assert.strictEqual(MediaType.ofBytes(text(start)), type, start)
    const cut = text(`${"x".repeat(4095)}ü`)
    assert.strictEqual(MediaType.ofBytes(cut), "text/plain", "a character cut in two by the bound is still text")
  })

  it.prop("text is recognised as text", [FastCheck.string({ unit: "grapheme", maxLength: 200 })], ([value]) => {
    FastCheck.pre(!/\p{Cc}/u.test(value) && !value.startsWith("%PDF-") && !value.startsWith("{\\rtf"))
    assert.strictEqual(MediaType.ofBytes(text(value)), "text/plain")
  })

  it("a file gets the extension of its type unless it has one", () => {
    assert.strictEqual(MediaType.withExtension("a", "image/jpeg"), "a.jpg")
    assert.strictEqual(MediaType.withExtension("a.b", "image/jpeg"), "a.b")
    assert.strictEqual(MediaType.withExtension("a", "x/y"), "a")
    assert.deepStrictEqual(Option.fromNullable(MediaType.ofName("x.smyth")), Option.some("application/json"))
  })
})
