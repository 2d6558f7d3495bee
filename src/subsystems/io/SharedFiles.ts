/**
 * Stored objects that anybody may fetch for a while who knows their address, which cannot be guessed. It is the Storage's own
 * where that gives one. Else it is of this system, and what it stands for is kept in the Cache of the object's home: with one
 * that lasts and is shared, addresses outlive the process and work at all of them.
 */
import { Context, Effect, Layer, Option, Ref, Schema, type Scope, type Stream } from "effect"
import * as Ids from "../../kernel/Ids.ts"
import { toUri } from "../../security/Address.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Cache } from "../memory/Cache.ts"
import { PublicUrls, type PublicUrlsService } from "./PublicUrls.ts"
import { type ObjectInfo, ObjectNotFound, Storage, type StorageError } from "./Storage.ts"

export interface SharedFile extends Pick<ObjectInfo, "contentType" | "sizeBytes"> {
  readonly body: Stream.Stream<Uint8Array, StorageError>
}

/** Where it is below the base: `agent`, `a1`, `file-….pdf`. */
export interface Place {
  readonly role: string
  readonly id: string
  readonly file: string
}

export class SharedFiles extends Context.Tag("effect-sre/SharedFiles")<SharedFiles, {
  /** Has addresses begin with `<base>/storage/` until the scope closes: whoever answers there asks {@link open}. */
  readonly servedAt: (base: Effect.Effect<string>) => Effect.Effect<void, never, Scope.Scope>
  /** None for an address that nobody made, or whose time is over. Nobody has to be known to ask. */
  readonly open: (place: Place) => Effect.Effect<Option.Option<SharedFile>, StorageError>
}>() {}

const make = Effect.gen(function*() {
  const cache = yield* Cache
  const storage = yield* Storage
  const bases = yield* Ref.make<ReadonlyArray<Effect.Effect<string>>>([])

  const urls: PublicUrlsService = {
    make: Effect.fnUntraced(function*({ home, path }, timeToLive) {
      const uri = toUri({ home, path })
      // As the asker: who may not read it may not share it.
      const direct = yield* storage.publicUrl(uri, timeToLive)
      if (Option.isSome(direct)) return direct.value
      const [base] = yield* Ref.get(bases)
      if (base === undefined) return uri
      const { modified } = yield* storage.info(uri)
      const file = yield* Ids.make("file")
      yield* Candidate.as(cache.set(`${folder}/${file}`, encode({ path, modified }), { timeToLive }), home)
      const extension = /\.\w{1,10}$/.exec(path)?.[0] ?? ""
      return `${yield* base}/storage/${home.role}/${encodeURIComponent(home.id)}/${file}${extension}`
    })
  }

  const opened = Effect.fnUntraced(function*(text: string) {
    const { modified, path } = yield* decode(text)
    const found = yield* storage.info(path)
    // What was written there since nobody has shared.
    if (found.modified !== modified) return yield* new ObjectNotFound({ key: path })
    return { contentType: found.contentType, sizeBytes: found.sizeBytes, body: yield* storage.readStream(path) }
  })

  const shared = SharedFiles.of({
    servedAt: (base) =>
      Effect.acquireRelease(
        Ref.update(bases, (all) => [...all, base]),
        () => Ref.update(bases, (all) => all.filter((one) => one !== base))
      ),
    open: ({ file, id, role }) =>
      Effect.suspend(() => {
        const home = { role, id }
        const name = /^(file-[0-9a-f]{32})(?:\.\w{1,10})?$/.exec(file)?.[1]
        if (name === undefined || !Schema.is(Candidate.Candidate)(home)) return Effect.succeedNone
        return Effect.flatMap(cache.get(`${folder}/${name}`), Effect.transposeMapOption(opened)).pipe(
          Effect.catchTags({
            NoSuchElementException: () => Effect.succeedNone,
            ObjectNotFound: () => Effect.succeedNone
          }),
          Candidate.as(home)
        )
      })
  })
  return Context.make(SharedFiles, shared).pipe(Context.add(PublicUrls, urls))
})

export const layer: Layer.Layer<SharedFiles, never, Cache | Storage> = Layer.effectContext(make)

const folder = "shared-files"

const Shared = Schema.parseJson(Schema.Struct({ path: Schema.String, modified: Schema.Number }))
const decode = Schema.decodeOption(Shared)
const encode = Schema.encodeSync(Shared)
