/** Keeps data as a file of the agent and gives its URL. */
import { Duration, Effect, Schema } from "effect"
import * as Ids from "../../kernel/Ids.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Files from "../../subsystems/io/Files.ts"
import * as MediaType from "../../subsystems/io/MediaType.ts"
import { PublicUrls } from "../../subsystems/io/PublicUrls.ts"
import { Storage } from "../../subsystems/io/Storage.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

export const FileStore = Component.make("FileStore", {
  description: "Stores a file and gives a URL for it.",
  category: "storage",
  config: Schema.Struct({
    /** Put into the name of the file; its extension follows from what the data is. */
    name: Settings.template({ max: 1000, default: "" }),
    /** Seconds until the file and its URL are gone. */
    ttl: Settings.integer({ min: 1, default: 86_400 })
  }),
  inputs: Schema.Struct({ Data: Port.Binary }),
  outputs: Schema.Struct({ Url: Port.Text }),
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const storage = yield* Storage
    const urls = yield* PublicUrls
    const home = yield* Candidate.current
    const { bytes, mediaType } = yield* Files.load(inputs.Data)
    const id = yield* Ids.make("file")
    const name = safeName(step.render(config.name))
    const file = MediaType.withExtension(name === "" ? id : name, mediaType)
    const path = `components_data/${name === "" ? file : `${id}.${file}`}`
    const timeToLive = Duration.seconds(config.ttl)
    yield* storage.write(path, bytes, { contentType: mediaType, timeToLive })
    return { Url: yield* urls.make({ home, path }, timeToLive) }
  })
})

/** Letters, digits, `.`, `_` and `-`, at most 100 of them, no dot at either end: one plain segment of a path. */
const safeName = (name: string) =>
  Array.from(name.replace(/[^\p{L}\p{N}._-]+/gu, "_")).slice(0, 100).join("").replace(/^\.+|\.+$/g, "")
