import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { S3Storage } from "../../../src/connectors/storage/S3Storage.ts"
import * as Acl from "../../../src/security/Acl.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { concat } from "../../../src/subsystems/Guarded.ts"
import { StorageConnector } from "../../../src/subsystems/io/Storage.ts"
import { suite } from "../../../src/testing/conformance/storage.ts"
import * as FaultProxy from "../../fixtures/FaultProxy.ts"
import { perFile } from "../../fixtures/PerFile.ts"
import { hasSwift, swiftServer } from "../../fixtures/SwiftServer.ts"

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
  })

  suite("S3 (Swift)", Layer.unwrapEffect(Effect.map(swift, ({ settings }) => S3Storage.contract(settings))))
} else {
  it.skip("S3Storage on Swift: there is no Swift on this machine", () => {})
}
