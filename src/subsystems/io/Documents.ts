/** Documents: the text of files, by their type. Callers use {@link Documents}, connectors implement {@link DocumentsConnector}. */
import { Context, Effect, Layer, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Candidate from "../../security/Candidate.ts"
import type { LoadedFile } from "./Files.ts"
import * as MediaType from "./MediaType.ts"

/** The file has no text that can be read from it. */
export class DocumentUnreadable extends Schema.TaggedError<DocumentUnreadable>()("DocumentUnreadable", {
  name: Schema.String,
  mediaType: Schema.String,
  /** `Unsupported`: nobody here reads that type. `Malformed`: it is not what its type says. `Empty`: no text is in it. */
  reason: Schema.Literal("Unsupported", "Malformed", "TooLarge", "Empty"),
  detail: Schema.String
}) {
  override get message(): string {
    return `No text in "${this.name}" (${this.mediaType}): ${this.detail}`
  }
}

export type DocumentError = DocumentUnreadable | ConnectorError | Candidate.NoCandidate

/** The text of a document: its pages, slides or sheets where it has any, else one. Markdown as far as there is structure. */
export interface DocumentText {
  readonly pages: ReadonlyArray<string>
}

export class DocumentsConnector extends Context.Tag("effect-sre/DocumentsConnector")<DocumentsConnector, {
  /** `text/plain`, or with a star for all of a kind: `text/*`. */
  readonly mediaTypes: ReadonlyArray<string>
  readonly text: (file: LoadedFile) => Effect.Effect<DocumentText, DocumentUnreadable | ConnectorError>
}>() {}

export class Documents extends Context.Tag("effect-sre/Documents")<Documents, {
  /** What can be read, as above. */
  readonly mediaTypes: Effect.Effect<ReadonlyArray<string>, Candidate.NoCandidate>
  /** A page is never empty, and there is at least one. In a minute, or not at all. */
  readonly text: (file: LoadedFile) => Effect.Effect<DocumentText, DocumentError>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

const make = Effect.gen(function*() {
  const connector = yield* DocumentsConnector
  const guard = yield* Access.guard("Documents")
  const isRead = (type: string) =>
    connector.mediaTypes.some((one) => one.endsWith("/*") ? type.startsWith(one.slice(0, -1)) : one === type)

  return Documents.of({
    mediaTypes: Effect.as(guard.candidate("mediaTypes"), connector.mediaTypes),
    text: Effect.fnUntraced(function*(file) {
      yield* guard.candidate("text")
      const mediaType = MediaType.essence(file.mediaType)
      const failed = (reason: DocumentUnreadable["reason"], detail: string) =>
        new DocumentUnreadable({ name: file.name, mediaType, reason, detail })
      if (!isRead(mediaType)) {
        return yield* failed("Unsupported", `files of this type are not read; ${connector.mediaTypes.join(", ")} are`)
      }
      const { pages } = yield* Effect.timeoutFail(connector.text({ ...file, mediaType }), {
        duration: "1 minute",
        onTimeout: () =>
          new ConnectorError({ connector: "Documents", method: "text", reason: "Timeout", detail: "after a minute" })
      })
      const texts = pages.map((page) => page.trim()).filter((page) => page !== "")
      return texts.length > 0 ? { pages: texts } : yield* failed("Empty", "it holds no text; is it a scan?")
    }, traced("Documents.text"))
  })
})

export const layer: Layer.Layer<Documents, never, DocumentsConnector> = Layer.effect(Documents, make)
