/**
 * Readers of documents that come from strangers, in threads: some bytes may be made for hours of work or for all of the memory,
 * and that ends with the thread. It is given to Node as the text of a function, since a thread starts from a file or a text, and
 * no file has the same place in the sources, in the build and in a bundle.
 */
import { Data, Effect, Pool, type Scope } from "effect"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { type MessagePort, Worker } from "node:worker_threads"

export interface Task {
  /** `pdf`, `word`: a page each. `markdown`: of HTML. `article`: title and HTML of a page of the web. */
  readonly reader: "pdf" | "word" | "markdown" | "article"
  readonly input: string | Uint8Array
  /** Of the page. */
  readonly url?: string
}

/** A reader gave nothing. */
export class Unread extends Data.TaggedError("Unread")<{
  readonly problem: string
  /** A package of the reader is not installed. */
  readonly isMissing: boolean
}> {}

export type Read = (task: Task) => Effect.Effect<ReadonlyArray<string>, Unread>

/** Half a minute is the time of one document, with its wait for a thread. The threads end with the scope. */
export const make: Effect.Effect<Read, never, Scope.Scope> = Effect.map(
  Pool.makeWithTTL({ acquire: Effect.suspend(() => thread), min: 0, max: 4, timeToLive: "1 minute" }),
  (pool): Read => (task) =>
    Effect.scoped(Effect.gen(function*() {
      const files = yield* Effect.try({
        try: () => filesFor(task),
        catch: (cause) => new Unread({ problem: String(cause), isMissing: true })
      })
      const ask = yield* Pool.get(pool)
      return yield* Effect.onError(ask(task, files), () => Pool.invalidate(pool, ask))
    })).pipe(
      Effect.timeoutFail({ duration: "30 seconds", onTimeout: () => unread("it takes too long") })
    )
)

type Files = Readonly<Record<string, string>>
type Answer = { readonly output: ReadonlyArray<string> } | { readonly problem: string }

const packages: Readonly<Record<Task["reader"], ReadonlyArray<string>>> = {
  pdf: ["unpdf"],
  word: ["mammoth", "turndown"],
  markdown: ["turndown"],
  article: ["happy-dom", "@mozilla/readability"]
}

const unread = (problem: string) => new Unread({ problem, isMissing: false })

/** Where the packages are. */
const filesFor = ({ reader }: Task): Files => {
  const { resolve } = createRequire(import.meta.url)
  return Object.fromEntries(packages[reader].map((name) => [name, pathToFileURL(resolve(name)).href]))
}

const thread = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const worker = new Worker(source, {
        eval: true,
        env: {},
        stdout: true,
        stderr: true,
        resourceLimits: { maxOldGenerationSizeMb: 1024 }
      })
      // An idle thread keeps no process alive, and may end.
      worker.unref()
      worker.on("error", () => {})
      worker.stdout.resume()
      worker.stderr.resume()
      return worker
    }),
    (worker) => Effect.promise(() => worker.terminate())
  ),
  (worker) => (task: Task, files: Files) =>
    Effect.async<ReadonlyArray<string>, Unread>((resume) => {
      const stop = () => {
        worker.off("message", answered).off("error", ended).off("exit", ended)
        worker.unref()
      }
      const settle = (result: Effect.Effect<ReadonlyArray<string>, Unread>) => {
        stop()
        resume(result)
      }
      const answered = (answer: Answer) =>
        settle("output" in answer ? Effect.succeed(answer.output) : Effect.fail(unread(answer.problem)))
      const ended = () => settle(Effect.fail(unread("its reader has ended")))
      worker.ref()
      worker.on("message", answered).on("error", ended).on("exit", ended)
      worker.postMessage({ task, files })
      return Effect.sync(stop)
    })
)

/** Uses nothing from outside of itself. */
const serve = (port: MessagePort, load: (file: string | undefined) => Promise<any>): void => { // eslint-disable-line @typescript-eslint/no-explicit-any -- packages by their places
  const toMarkdown = async (html: string, files: Files): Promise<ReadonlyArray<string>> => {
    const { default: Turndown } = await load(files["turndown"])
    const turndown = new Turndown({ headingStyle: "atx", codeBlockStyle: "fenced", bulletListMarker: "-", hr: "---" })
    turndown.remove(["head", "title", "script", "style", "noscript", "template", "iframe"])
    turndown.remove((node: { readonly nodeName: string }) => node.nodeName === "SVG" || node.nodeName === "svg")
    return [turndown.turndown(html).replace(/\n{3,}/g, "\n\n").trim()]
  }

  const readers = {
    pdf: async ({ input }: Task, files: Files) => (await (await load(files["unpdf"])).extractText(input)).text,
    word: async ({ input }: Task, files: Files) => {
      const { default: mammoth } = await load(files["mammoth"])
      return toMarkdown((await mammoth.convertToHtml({ buffer: Buffer.from(input as Uint8Array) })).value, files)
    },
    markdown: ({ input }: Task, files: Files) => toMarkdown(input as string, files),
    /** No script runs, nothing is loaded. */
    article: async ({ input, url }: Task, files: Files) => {
      const { Window } = await load(files["happy-dom"])
      const { Readability } = (await load(files["@mozilla/readability"])).default
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
    }
  }

  port.on("message", ({ files, task }: { readonly task: Task; readonly files: Files }) => {
    void readers[task.reader](task, files).then(
      (output) => port.postMessage({ output }),
      (error) => port.postMessage({ problem: String(error) })
    )
  })
}

/** Some build tools name functions with a helper of theirs, which the text alone does not bring along. */
const source = `globalThis.__name = (fn) => fn
;(${serve.toString()})(require("node:worker_threads").parentPort, (file) => import(file))`
