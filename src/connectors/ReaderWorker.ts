/** What is in the thread of a reader. Functions that use nothing from outside of themselves: the thread gets them as text. */
import type { MessagePort } from "node:worker_threads"
import type { references } from "./apidocuments/References.ts"
import type { Kind, officeText } from "./documents/OfficeText.ts"

export type Task =
  /** A page each. */
  | { readonly reader: "pdf"; readonly input: Uint8Array }
  /** `maxBytes`: when it is unpacked; a small file may hold a thousand times its size. */
  | { readonly reader: "word"; readonly input: Uint8Array; readonly maxBytes: number }
  | { readonly reader: "office"; readonly input: Uint8Array; readonly kind: Kind; readonly maxBytes: number }
  | { readonly reader: "csv"; readonly input: Uint8Array; readonly maxChars: number }
  /** Of HTML. */
  | { readonly reader: "markdown"; readonly input: string }
  /** Title and HTML of a page of the web. */
  | { readonly reader: "article"; readonly input: string; readonly url: string }
  /** An OpenAPI document, to JSON of a tree without references. */
  | { readonly reader: "api"; readonly input: string; readonly maxValues: number }

/** Packages by name, to the places of their files. */
export type Files = Readonly<Record<string, string>>

export interface Asked {
  readonly task: Task
  readonly files: Files
}

export type Answer =
  | { readonly output: ReadonlyArray<string> }
  | { readonly problem: string; readonly isTooLarge: boolean }

export interface Parts {
  readonly office: typeof officeText
  readonly references: typeof references
}

export const worker = (
  port: MessagePort,
  load: (file: string | undefined) => Promise<any>, // eslint-disable-line @typescript-eslint/no-explicit-any -- packages by their places
  parts: Parts
): void => {
  const tooLarge = (problem: string) => Object.assign(new Error(problem), { name: "TooLarge" })
  const office = parts.office(tooLarge)
  const { withBounds, withoutReferences } = parts.references()
  /** Some packages are modules, others are what a module has as its default. */
  const open = async (files: Files, name: string) => {
    const loaded = await load(files[name])
    return loaded.default ?? loaded
  }
  type Of<R extends Task["reader"]> = Extract<Task, { readonly reader: R }>

  const toMarkdown = async (html: string, files: Files): Promise<ReadonlyArray<string>> => {
    const Turndown = await open(files, "turndown")
    const turndown = new Turndown({ headingStyle: "atx", codeBlockStyle: "fenced", bulletListMarker: "-", hr: "---" })
    turndown.remove(["head", "title", "script", "style", "noscript", "template", "iframe"])
    turndown.remove((node: { readonly nodeName: string }) => node.nodeName === "SVG" || node.nodeName === "svg")
    return [turndown.turndown(html).replace(/\n{3,}/g, "\n\n").trim()]
  }

  /** A line for each record, with the names of its fields, so that a part of the table still says what it is about. */
  const linesOf = (rows: ReadonlyArray<ReadonlyArray<string>>, maxChars: number): ReadonlyArray<string> => {
    const [names = [], ...records] = rows
    let left = maxChars
    const lines = records.map((record) => {
      const named = record.flatMap((value, n) => value === "" ? [] : [`${names[n] ?? `column ${n + 1}`}: ${value}`])
      left -= named.reduce((sum, { length }) => sum + length, 0)
      if (left < 0) throw tooLarge(`with its names it is longer than ${maxChars} characters`)
      return named.join("; ")
    })
    return [records.length === 0 ? names.join("; ") : lines.join("\n")]
  }

  const readers = {
    pdf: async ({ input }: Of<"pdf">, files: Files): Promise<ReadonlyArray<string>> =>
      (await (await load(files["unpdf"])).extractText(input)).text,
    word: async ({ input, maxBytes }: Of<"word">, files: Files) => {
      const { unzipSync, zipSync } = await open(files, "fflate")
      const buffer = Buffer.from(office.repacked(input, unzipSync, zipSync, maxBytes))
      const mammoth = await open(files, "mammoth")
      return toMarkdown((await mammoth.convertToHtml({ buffer })).value, files)
    },
    office: async ({ input, kind, maxBytes }: Of<"office">, files: Files) =>
      office.read(kind, input, (await open(files, "fflate")).unzipSync, maxBytes),
    csv: async ({ input, maxChars }: Of<"csv">, files: Files) => {
      const { parse } = await open(files, "csv-parse/sync")
      const rows = parse(Buffer.from(input), {
        bom: true,
        delimiter: [",", ";", "\t"],
        relax_column_count: true,
        skip_empty_lines: true,
        trim: true
      })
      return linesOf(rows, maxChars)
    },
    markdown: ({ input }: Of<"markdown">, files: Files) => toMarkdown(input, files),
    /** No script runs, nothing is loaded. */
    article: async ({ input, url }: Of<"article">, files: Files): Promise<ReadonlyArray<string>> => {
      const { Window } = await load(files["happy-dom"])
      const { Readability } = await open(files, "@mozilla/readability")
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
        const document = new window.DOMParser().parseFromString(input, "text/html")
        const { title } = document
        const found = new Readability(document, { charThreshold: 200 }).parse()
        return [found?.title || title, found?.content || input]
      } finally {
        await window.happyDOM.close()
      }
    },
    /** Written out before it is judged: the parser itself would follow references without bound. */
    api: async ({ input, maxValues }: Of<"api">, files: Files) => {
      const parser = await open(files, "@apidevtools/swagger-parser")
      // It wants to know where a document is; there is nothing but what was given.
      const given = { order: 1, canRead: true, read: () => input }
      const document = await parser.parse("document", { resolve: { file: false, http: false, given } })
      const tree = withoutReferences(document, maxValues)
      await parser.validate(structuredClone(tree))
      return [JSON.stringify(withBounds(tree))]
    }
  }

  const problemOf = (error: unknown): Answer => {
    const { message, name } = error instanceof Error ? error : new Error(String(error))
    return { problem: message, isTooLarge: name === "TooLarge" }
  }

  port.on("message", ({ files, task }: Asked) => {
    void (readers[task.reader] as (task: Task, files: Files) => Promise<ReadonlyArray<string>>)(task, files).then(
      (output) => port.postMessage({ output } satisfies Answer),
      (error) => port.postMessage(problemOf(error))
    )
  })
}
