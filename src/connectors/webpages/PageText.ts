/** The text of an HTML page in the form asked for: that of its article. */
import { Effect } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import type { Page, PageRequest } from "../../subsystems/io/WebPages.ts"
import * as HtmlText from "../HtmlText.ts"

export const read = (html: string, url: string, format: PageRequest["format"]): Effect.Effect<Page, ConnectorError> =>
  Effect.tryPromise({
    try: async () => {
      const article = await HtmlText.article(html, url)
      const content = format === "html" ? article.html : await HtmlText.toMarkdown(article.html)
      return { url, title: article.title.trim(), content: format === "text" ? plain(content) : content }
    },
    catch: (cause) =>
      new ConnectorError({
        connector: "WebPages",
        method: "read",
        cause,
        ...(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND"
          ? {
            reason: "Unsupported",
            detail: "a package is missing. Install all of them: npm install @mozilla/readability happy-dom turndown"
          }
          : { reason: "Protocol", detail: "the page is no HTML anybody could read" })
      })
  })

/** Markdown without its signs. */
const plain = (markdown: string) =>
  markdown.replace(/!?\[([^\]\n]*)\]\([^()\n]*\)/g, "$1").replace(/^(#{1,6}|>|-) +/gm, "").replace(/[*_`]{1,3}/g, "")
