import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, TestClock } from "effect"
import { FileStore } from "../../../src/components/storage/FileStore.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { PublicUrls } from "../../../src/subsystems/io/PublicUrls.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { runComponent } from "../harness.ts"

const services = (allow: ReadonlyArray<string> = []) =>
  Layer.mergeAll(
    MemoryStorage.layer({}),
    UndiciOutbound.layer({ allow })
  )

const agent = <A, E, R>(effect: Effect.Effect<A, E, R>) => Candidate.as(effect, Candidate.agent("a1"))

const store = (Data: unknown, settings: Readonly<Record<string, unknown>> = {}) =>
  Effect.map(
    runComponent(FileStore, { settings: { name: "", ...settings }, inputs: { Data } }),
    ({ Url }) => String(Url)
  )

/** The stored object behind a URL. */
const stored = Effect.fnUntraced(function*(url: string) {
  const storage = yield* Storage
  const { contentType, expires } = yield* storage.info(url)
  return { text: Buffer.from(yield* storage.read(url)).toString(), contentType, expires }
})

describe("FileStore", () => {
  it.effect("cuts long names between letters, whatever their size", () =>
    Effect.gen(function*() {
      const url = yield* store("x", { name: `a${"\u{20000}".repeat(120)}` })
      assert.include(decodeURIComponent(url), `.a${"\u{20000}".repeat(99)}.txt`)
    }).pipe(agent, Effect.provide(services())))

  it.effect("keeps data of any kind under its own type and gives a URL of it", () =>
    Effect.gen(function*() {
      for (
        const [data, text, contentType, extension] of [
          ["just text", "just text", "text/plain", "txt"],
          ["data:text/csv;base64,YSxi", "a,b", "text/csv", "csv"],
          [new TextEncoder().encode("%PDF-1.7"), "%PDF-1.7", "application/pdf", "pdf"]
        ] as const
      ) {
        const url = yield* store(data)
        assert.match(url, new RegExp(`^smythfs://a1\\.agent/components_data/file-[0-9a-f]{32}\\.${extension}$`))
        const file = yield* stored(url)
        assert.strictEqual(file.text, text)
        assert.strictEqual(file.contentType, contentType)
      }
    }).pipe(agent, Effect.provide(services())))

  it.scopedLive("fetches a URL and reads a file of the agent", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) => {
        response.writeHead(200, { "content-type": "text/csv" }).end("a,b")
      })
      const { first, second } = yield* Effect.gen(function*() {
        const first = yield* store(`${server.url}/x`)
        const second = yield* store(first)
        assert.notStrictEqual(first, second)
        return { first: yield* stored(first), second: yield* stored(second) }
      }).pipe(agent, Effect.provide(services([server.rule])))
      assert.strictEqual(first.text, "a,b")
      assert.strictEqual(first.contentType, "text/csv")
      assert.strictEqual(second.text, "a,b")
    }))

  it.effect("puts a harmless form of the name into the path", () =>
    Effect.gen(function*() {
      const name = (url: string) => decodeURIComponent(url).replace(/^.*\/file-[0-9a-f]{32}/, "")
      assert.strictEqual(name(yield* store("x", { name: "My Report" })), ".My_Report.txt")
      assert.strictEqual(name(yield* store("x", { name: "report.txt" })), ".report.txt")
      assert.strictEqual(name(yield* store("x", { name: "report" })), ".report.txt")
      assert.strictEqual(name(yield* store("x", { name: "../../etc/passwd" })), "._.._etc_passwd.txt")
      assert.strictEqual(name(yield* store("x", { name: "日本 ü" })), ".日本_ü.txt")
      assert.strictEqual(name(yield* store("x", { name: ".." })), ".txt")
      assert.strictEqual(name(yield* store("x", { name: "a".repeat(1000) })), `.${"a".repeat(100)}.txt`)
    }).pipe(agent, Effect.provide(services())))

  it.effect("keeps the file as long as the setting says, a day by default", () =>
    Effect.gen(function*() {
      const day = yield* stored(yield* store("x"))
      assert.deepStrictEqual(day.expires, Option.some(86_400_000))
      const url = yield* store("x", { ttl: "60" })
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual((yield* Effect.flip(stored(url)))._tag, "ObjectNotFound")
    }).pipe(agent, Effect.provide(services())))

  it.effect("gives the public URL of the server, which learns how long it may live", () =>
    Effect.gen(function*() {
      const url = yield* Effect.provideService(store("x", { ttl: 60 }), PublicUrls, {
        make: ({ home, path }, timeToLive) => Effect.succeed(`https://x/${home.id}/${path.length > 0}/${timeToLive}`)
      })
      assert.strictEqual(url, "https://x/a1/true/Duration(1m)")
    }).pipe(agent, Effect.provide(services())))

  it.effect("fails without a file of another agent, or with nobody asking", () =>
    Effect.gen(function*() {
      const url = yield* agent(store("secret"))
      const error = yield* Effect.flip(Candidate.as(store(url), Candidate.agent("a2")))
      assert.include(error.message, "may not")
      assert.include((yield* Effect.flip(store("x"))).message, "no identity")
    }).pipe(Effect.provide(services())))
})
