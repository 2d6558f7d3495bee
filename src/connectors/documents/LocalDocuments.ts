/** Documents read in this process: PDF by unpdf, Word by mammoth, HTML by turndown, CSV by csv-parse, other office files by fflate. */
import { Effect, Schema } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { DocumentsConnector, DocumentUnreadable, layer } from "../../subsystems/io/Documents.ts"
import type { LoadedFile } from "../../subsystems/io/Files.ts"
import * as HtmlText from "../HtmlText.ts"
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
  make: Effect.fnUntraced(function*({ maxUnpackedBytes: maxBytes }) {
    const reading = yield* ReaderThreads.make
    const inThread = (taskOf: (file: LoadedFile) => ReaderThreads.Task): Reader => (file) =>
      Effect.mapError(reading(taskOf(file)), (unread) => toError(file, unread))
    const html = inThread(({ bytes }) => ({ reader: "markdown", input: HtmlText.decoded(bytes) }))
    const readers: Readonly<Record<string, Reader>> = {
      "application/pdf": inThread(({ bytes }) => ({ reader: "pdf", input: new Uint8Array(bytes) })),
      "application/vnd.openxmlformats-officedocument.wordprocessingml.document": inThread(({ bytes }) => ({
        reader: "word",
        input: bytes,
        maxBytes
      })),
      "text/html": html,
      "application/xhtml+xml": html,
      "text/csv": inThread(({ bytes }) => ({ reader: "csv", input: bytes, maxChars: maxBytes })),
      ...Object.fromEntries(
        Object.entries(OfficeText.kinds).map(([type, kind]): [string, Reader] => [
          type,
          inThread(({ bytes }) => ({ reader: "office", input: bytes, kind, maxBytes }))
        ])
      ),
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

const plain: Reader = ({ bytes }) => Effect.sync(() => [new TextDecoder().decode(bytes)])

const toError = ({ mediaType, name }: LoadedFile, { problem, reason }: ReaderThreads.Unread) =>
  reason === "Missing"
    ? new ConnectorError({
      connector: "Local",
      method: "text",
      reason: "Unsupported",
      detail: `a package for ${mediaType} is not installed: npm install unpdf mammoth turndown csv-parse fflate`
    })
    : reason === "TooLarge"
    ? new DocumentUnreadable({ name, mediaType, reason, detail: problem })
    : new DocumentUnreadable({
      name,
      mediaType,
      reason: "Malformed",
      detail: "it is not what its type says, or broken"
    })
