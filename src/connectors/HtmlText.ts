/** HTML as Markdown: all of it, or what Readability takes for the article. */

/** By the byte order mark or the first `charset` in it, else UTF-8. */
export const decoded = (bytes: Uint8Array, charset?: string): string => {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 2048)).toString("latin1")
  const label = charset ?? /<meta[^>]+charset\s*=\s*["']?([\w-]+)/i.exec(head)?.[1] ?? "utf-8"
  try {
    return new TextDecoder(label).decode(bytes)
  } catch {
    return new TextDecoder().decode(bytes)
  }
}

export const toMarkdown = async (html: string): Promise<string> => {
  const { default: Turndown } = await import("turndown")
  const turndown = new Turndown({ headingStyle: "atx", codeBlockStyle: "fenced", bulletListMarker: "-", hr: "---" })
  turndown.remove(["head", "title", "script", "style", "noscript", "template", "iframe"])
  // Not of HTML alone, so its types do not know it.
  turndown.remove((node) => node.nodeName === "SVG" || node.nodeName === "svg")
  return turndown.turndown(html).replace(/\n{3,}/g, "\n\n").trim()
}

export interface Article {
  readonly title: string
  readonly html: string
}

/** The page without what surrounds its text; all of it where no article is found. No script runs, nothing is loaded. */
export const article = async (html: string, url: string): Promise<Article> => {
  const { Window } = await import("happy-dom")
  const { Readability } = await import("@mozilla/readability")
  const window = new Window({
    url,
    settings: {
      disableJavaScriptEvaluation: true,
      disableJavaScriptFileLoading: true,
      disableCSSFileLoading: true,
      disableIframePageLoading: true
    }
  })
  try {
    const document = new window.DOMParser().parseFromString(html, "text/html")
    const title = document.title
    const found = new Readability(document as never, { charThreshold: 200 }).parse()
    return { title: found?.title || title, html: found?.content || html }
  } finally {
    await window.happyDOM.close()
  }
}
