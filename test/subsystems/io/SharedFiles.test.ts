import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { S3Storage } from "../../../src/connectors/storage/S3Storage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Files from "../../../src/subsystems/io/Files.ts"
import * as SharedFiles from "../../../src/subsystems/io/SharedFiles.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import { perFile } from "../../fixtures/PerFile.ts"
import { s3Server } from "../../fixtures/S3Server.ts"

const bucket = perFile(s3Server)

const ann = Candidate.user("ann")
const uri = "smythfs://ann.user/note.txt"

const on = <E>(storage: Layer.Layer<Storage, E>) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(
      SharedFiles.layer.pipe(Layer.provideMerge(Layer.merge(storage, RAMCache.layer({}))))
    )
    yield* Context.get(context, Storage).write("note.txt", new TextEncoder().encode("for all"))
    return {
      files: Context.get(context, SharedFiles.SharedFiles),
      share: (timeToLive: `${number} minutes`) => Effect.provide(Files.share(uri, timeToLive), context)
    }
  })

const onBucket = Effect.flatMap(bucket, ({ settings }) => on(S3Storage.layer({ ...settings, publicUrlTime: 600_000 })))
const asAnn = Candidate.as(ann)
const fetched = (url: string) => Effect.promise(async (signal) => (await fetch(url, { signal })).text())

describe("SharedFiles", () => {
  it.scopedLive("an address is the storage's own where it gives one, also without a server", () =>
    Effect.gen(function*() {
      const { port } = yield* bucket
      const { files, share } = yield* onBucket
      const url = yield* share("1 minutes")
      assert.strictEqual(new URL(url).port, String(port))
      assert.strictEqual(yield* fetched(url), "for all")
      yield* files.servedAt(Effect.succeed("http://served.test"))
      assert.strictEqual(new URL(yield* share("10 minutes")).port, String(port))
    }).pipe(asAnn))

  it.scopedLive("it is this system's where the storage gives none for so long, and none without a server", () =>
    Effect.gen(function*() {
      const { files, share } = yield* onBucket
      assert.deepInclude(yield* Effect.flip(share("11 minutes")), { _tag: "FileUnreadable", reason: "Refused" })
      yield* files.servedAt(Effect.succeed("http://served.test"))
      const url = yield* share("11 minutes")
      const [, role = "", id = "", file = ""] = /^http:\/\/served\.test\/storage\/(\w+)\/(\w+)\/(.*)$/.exec(url) ?? []
      const opened = Option.getOrThrow(yield* files.open({ role, id, file }))
      const text = yield* Stream.mkString(Stream.decodeText(opened.body))
      assert.deepStrictEqual([opened.sizeBytes, text], [7, "for all"])
    }).pipe(asAnn))

  it.scopedLive("nobody shares what they may not read", () =>
    Effect.gen(function*() {
      for (const system of [asAnn(onBucket), asAnn(on(MemoryStorage.layer({})))]) {
        const { share } = yield* system
        const refused = yield* Effect.flip(Candidate.as(share("1 minutes"), Candidate.user("bob")))
        assert.strictEqual(refused._tag, "AccessDenied")
      }
    }))
})
