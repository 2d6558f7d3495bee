/** Documents read in this process: PDF by unpdf, Word by mammoth, HTML by turndown, CSV by csv-parse, other office files by fflate. */
import { Effect, Schema } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { DocumentsConnector, DocumentUnreadable, layer } from "../../subsystems/io/Documents.ts"
import type { LoadedFile } from "../../subsystems/io/Files.ts"
import * as HtmlText from "../HtmlText.ts"
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
  make: ({ maxUnpackedBytes }) => {
    const readers: Readonly<Record<string, Reader>> = {
      "application/pdf": pdf,
      "application/vnd.openxmlformats-officedocument.wordprocessingml.document": word,
      "text/html": html,
      "application/xhtml+xml": html,
      "text/csv": csv,
      ...Object.fromEntries(OfficeText.mediaTypes.map((type): [string, Reader] => [
        type,
        async ({ bytes }) => OfficeText.read(type, bytes, (await import("fflate")).unzipSync, maxUnpackedBytes)
      ])),
      "application/json": plain,
      "application/xml": plain,
      "application/yaml": plain,
      "text/*": plain
    }
    return Effect.succeed(DocumentsConnector.of({
      mediaTypes: Object.keys(readers),
      text: (file) =>
        Effect.map(
          Effect.tryPromise({
            try: () => (readers[file.mediaType] ?? plain)(file),
            catch: (cause) => toError(file, cause)
          }),
          (pages) => ({ pages })
        )
    }))
  }
})

export const LocalDocumentsLive = LocalDocuments.layer({})

/** Packages are loaded with the first document of their kind. */
type Reader = (file: LoadedFile) => Promise<ReadonlyArray<string>>

const plain: Reader = async ({ bytes }) => [new TextDecoder().decode(bytes)]

const pdf: Reader = async ({ bytes }) => {
  const { extractText } = await import("unpdf")
  // It takes the buffer away from whoever gives it.
  return (await extractText(new Uint8Array(bytes))).text
}

const word: Reader = async ({ bytes }) => {
  const mammoth = await import("mammoth")
  const { value } = await mammoth.default.convertToHtml({ buffer: Buffer.from(bytes) })
  return [await HtmlText.toMarkdown(value)]
}

const html: Reader = async ({ bytes }) => [await HtmlText.toMarkdown(HtmlText.decoded(bytes))]

/** A line for each record, with the names of its fields, so that a part of the table still says what it is about. */
const csv: Reader = async ({ bytes }) => {
  const { parse } = await import("csv-parse/sync")
  const rows: ReadonlyArray<ReadonlyArray<string>> = parse(Buffer.from(bytes), {
    bom: true,
    delimiter: [",", ";", "\t"],
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true
  })
  const [names = [], ...records] = rows
  const lines = records.map((record) =>
    record.flatMap((value, n) => value === "" ? [] : [`${names[n] ?? `column ${n + 1}`}: ${value}`]).join("; ")
  )
  return [records.length === 0 ? names.join("; ") : lines.join("\n")]
}

const toError = ({ mediaType, name }: LoadedFile, cause: unknown) =>
  cause instanceof OfficeText.TooLarge
    ? new DocumentUnreadable({ name, mediaType, reason: "TooLarge", detail: cause.message })
    : isMissing(cause)
    ? new ConnectorError({
      connector: "Local",
      method: "text",
      reason: "Unsupported",
      detail: `a package for ${mediaType} is not installed: npm install unpdf mammoth turndown csv-parse fflate`,
      cause
    })
    : new DocumentUnreadable({
      name,
      mediaType,
      reason: "Malformed",
      detail: "it is not what its type says, or broken"
    })

const isMissing = (cause: unknown) => cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND"
