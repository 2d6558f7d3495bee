/** The text of an HTML page in the form asked for: that of its article, or of all of it where no article is found. */
import { Effect } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import type { Page, PageRequest } from "../../subsystems/io/WebPages.ts"
import type { Read } from "../ReaderThreads.ts"

export const read = (
  reading: Read,
  html: string,
  url: string,
  format: PageRequest["format"]
): Effect.Effect<Page, ConnectorError> =>
  Effect.gen(function*() {
    const [title = "", article = ""] = yield* reading({ reader: "article", input: html, url })
    const [content = ""] = format === "html" ? [article] : yield* reading({ reader: "markdown", input: article })
    return { url, title: title.trim(), content: format === "text" ? plain(content) : content }
  }).pipe(Effect.mapError((cause) =>
    new ConnectorError({
      connector: "WebPages",
      method: "read",
      cause,
      ...(cause.reason === "Missing"
        ? {
          reason: "Unsupported",
          detail: "a package is missing. Install all of them: npm install @mozilla/readability happy-dom turndown"
        }
        : { reason: "Protocol", detail: "the page is no HTML anybody could read" })
    })
  ))

/** Markdown without its signs. */
const plain = (markdown: string) =>
  markdown.replace(/!?\[([^\]\n]*)\]\([^()\n]*\)/g, "$1").replace(/^(#{1,6}|>|-) +/gm, "").replace(/[*_`]{1,3}/g, "")
