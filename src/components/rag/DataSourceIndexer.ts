/** Puts a text or a file where similar texts are found. */
import { Effect, Option, Predicate, Schema } from "effect"
import { createHash } from "node:crypto"
import * as Json from "../../kernel/Json.ts"
import { Documents } from "../../subsystems/io/Documents.ts"
import * as Files from "../../subsystems/io/Files.ts"
import { VectorDB } from "../../subsystems/io/VectorDB.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as DataSource from "./DataSource.ts"

export const DataSourceIndexer = Component.make("DataSourceIndexer", {
  description:
    "Indexes a text or a file (PDF, Word, slides, sheets, HTML, Markdown, CSV) under an id, for DataSourceLookup.",
  category: "data",
  config: Schema.Struct({
    /** Made when it is not there yet; a team's is `smythfs://<id>.team/<namespace>`. */
    namespace: Settings.text({ max: 200 }),
    /** What was indexed under it before is replaced. */
    id: DataSource.id,
    name: Settings.template({ max: 50, default: "Untitled" }),
    /** An object as JSON; goes with everything found of it. */
    metadata: Settings.template({ max: 10_000, default: "" }),
    /** Characters of a piece, at most. */
    chunkSize: Settings.integer({ min: 1, max: 100_000, default: 512 }),
    /** Characters a piece repeats of the one before it. */
    chunkOverlap: Settings.integer({ min: 0, max: 50_000, default: 100 })
  }),
  inputs: Schema.Struct({ Source: Port.Any }),
  outputs: Schema.Struct({ Success: Port.Record }),
  openInputs: true,
  check: ({ chunkOverlap, chunkSize }) =>
    chunkOverlap < chunkSize ? [] : [{ setting: "chunkOverlap", problem: "it must be less than chunkSize" }],
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const vectors = yield* VectorDB
    const id = yield* DataSource.idOf(config.id, step)
    const label = step.render(config.name, { missing: "drop" })
    const given = metadataOf(step.render(config.metadata, { encode: "json", missing: "drop" }))
    const pages = yield* pagesOf(inputs.Source)
    const { chunkOverlap, chunkSize } = config
    const hash = createHash("sha256").update(JSON.stringify([pages, label, given, chunkSize, chunkOverlap])).digest(
      "hex"
    )

    return yield* DataSource.withNamespace(config.namespace, (namespace) =>
      Effect.gen(function*() {
        if (!(yield* vectors.namespaceExists(namespace))) {
          yield* Effect.catchTag(vectors.createNamespace(namespace), "NamespaceExists", () => Effect.void)
        }
        const before = yield* vectors.getDatasource(namespace, id)
        if (Option.exists(before, ({ metadata }) => metadata[DataSource.hashKey] === hash)) {
          return { Success: { result: "unchanged", id } }
        }
        const { chunks } = yield* vectors.createDatasource(namespace, {
          id,
          label,
          text: pages,
          chunkSize,
          chunkOverlap,
          metadata: { ...given, [DataSource.hashKey]: hash },
          replace: true
        })
        step.log("debug", `${chunks} pieces of "${id}" indexed`)
        return { Success: { result: Option.isSome(before) ? "replaced" : "indexed", id } }
      }))
  })
})

const metadataOf = (text: string): Readonly<Record<string, unknown>> => {
  const read = Json.extract(text)
  return Predicate.isRecord(read) ? read as Readonly<Record<string, unknown>> : text.trim() === "" ? {} : { text }
}

/** A file, a URL of one, or text; a value that is none of these is indexed as JSON. */
const pagesOf = Effect.fnUntraced(function*(source: unknown) {
  if (typeof source === "string" && !/^(data:|https?:\/\/|smythfs:\/\/)\S+$/i.test(source.trim())) return [source]
  if (!isFile(source)) return [Json.toText(source)]
  const documents = yield* Documents
  const file = yield* Files.load(typeof source === "string" ? source.trim() : source, { maxBytes: 50 * 2 ** 20 })
  return (yield* documents.text(file)).pages
})

const isFile = (source: unknown) =>
  typeof source === "string" || source instanceof Uint8Array || source instanceof Blob ||
  (Predicate.isRecord(source) && typeof source["url"] === "string")
