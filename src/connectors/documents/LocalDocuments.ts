/** Documents read in this process: PDF by unpdf, Word by mammoth, HTML by turndown, CSV by csv-parse, other office files by fflate. */
import { Effect, Schema } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { DocumentsConnector, DocumentUnreadable, layer } from "../../subsystems/io/Documents.ts"
import type { LoadedFile } from "../../subsystems/io/Files.ts"
import * as HtmlText from "../HtmlText.ts"
import * as Markup from "../Markup.ts"
import * as ReaderThreads from "../ReaderThreads.ts"
import * as OfficeText from "./OfficeText.ts"

const LocalDocumentsSettings = Schema.Struct({
  /** Of an office file when it is unpacked; a small one may hold a thousand times its size. */
  maxUnpackedBytes: Schema.optionalWith(ByteSize, { default: () => 200 * 2 ** 20 })
})

export const LocalDocuments = Connector.make({
  name: "Local",
  contract: DocumentsConnector,
  service: layer,
  settings: LocalDocumentsSettings,
  make: Effect.fnUntraced(function*({ maxUnpackedBytes }) {
    const reading = yield* ReaderThreads.make
    const inThread = (reader: ReaderThreads.Task["reader"], file: LoadedFile, input: string | Uint8Array) =>
      Effect.mapError(reading({ reader, input }), ({ isMissing }) => isMissing ? missing(file) : malformed(file))
    const html: Reader = (file) => inThread("markdown", file, HtmlText.decoded(file.bytes))
    const readers: Readonly<Record<string, Reader>> = {
      "application/pdf": (file) => inThread("pdf", file, new Uint8Array(file.bytes)),
      "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (file) =>
        Effect.flatMap(repacked(file, maxUnpackedBytes), (bytes) => inThread("word", file, bytes)),
      "text/html": html,
      "application/xhtml+xml": html,
      "text/csv": csv(maxUnpackedBytes),
      ...Object.fromEntries(OfficeText.mediaTypes.map((type): [string, Reader] => [
        type,
        (file) =>
          attempt(
            file,
            async () => OfficeText.read(type, file.bytes, (await import("fflate")).unzipSync, maxUnpackedBytes)
          )
      ])),
      "application/json": plain,
      "application/xml": plain,
      "application/yaml": plain,
      "text/*": plain
    }
    return DocumentsConnector.of({
      mediaTypes: Object.keys(readers),
      text: (file) => Effect.map((readers[file.mediaType] ?? plain)(file), (pages) => ({ pages }))
    })
  })
})

export const LocalDocumentsLive = LocalDocuments.layer({})

/** Packages are loaded with the first document of their kind. */
type Reader = (file: LoadedFile) => Effect.Effect<ReadonlyArray<string>, DocumentUnreadable | ConnectorError>

const attempt = <A>(file: LoadedFile, evaluate: () => Promise<A>) =>
  Effect.tryPromise({ try: evaluate, catch: (cause) => toError(file, cause) })

const plain: Reader = ({ bytes }) => Effect.sync(() => [new TextDecoder().decode(bytes)])

/** A Word file as it was unpacked within the bounds: mammoth itself knows none. */
const repacked = (file: LoadedFile, maxUnpackedBytes: number) =>
  attempt(file, async () => {
    const { unzipSync, zipSync } = await import("fflate")
    return zipSync(OfficeText.unpacked(file.bytes, unzipSync, () => true, maxUnpackedBytes), { level: 0 })
  })

/** A line for each record, with the names of its fields, so that a part of the table still says what it is about. */
const csv = (maxChars: number): Reader => (file) =>
  attempt(file, async () => {
    const { parse } = await import("csv-parse/sync")
    const rows: ReadonlyArray<ReadonlyArray<string>> = parse(Buffer.from(file.bytes), {
      bom: true,
      delimiter: [",", ";", "\t"],
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true
    })
    const [names = [], ...records] = rows
    let left = maxChars
    const lines = records.map((record) => {
      const named = record.flatMap((value, n) => value === "" ? [] : [`${names[n] ?? `column ${n + 1}`}: ${value}`])
      left -= named.reduce((sum, { length }) => sum + length, 0)
      if (left < 0) throw new Markup.TooLarge(`with its names it is longer than ${maxChars} characters`)
      return named.join("; ")
    })
    return [records.length === 0 ? names.join("; ") : lines.join("\n")]
  })

const toError = (file: LoadedFile, cause: unknown) =>
  cause instanceof Markup.TooLarge
    ? new DocumentUnreadable({ name: file.name, mediaType: file.mediaType, reason: "TooLarge", detail: cause.message })
    : isMissing(cause)
    ? missing(file, cause)
    : malformed(file)

const missing = ({ mediaType }: LoadedFile, cause?: unknown) =>
  new ConnectorError({
    connector: "Local",
    method: "text",
    reason: "Unsupported",
    detail: `a package for ${mediaType} is not installed: npm install unpdf mammoth turndown csv-parse fflate`,
    cause
  })

const malformed = ({ mediaType, name }: LoadedFile) =>
  new DocumentUnreadable({ name, mediaType, reason: "Malformed", detail: "it is not what its type says, or broken" })

const isMissing = (cause: unknown) => cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND"
