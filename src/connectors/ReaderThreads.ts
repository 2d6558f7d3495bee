/**
 * Readers of documents that come from strangers, in threads: some bytes may be made for hours of work or for all of the memory,
 * and that ends with the thread. It is given to Node as the text of a function, since a thread starts from a file or a text, and
 * no file has the same place in the sources, in the build and in a bundle.
 */
import { Data, Effect, Pool, type Scope } from "effect"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import * as Tenants from "../security/Tenants.ts"
import { references } from "./apidocuments/References.ts"
import { officeText } from "./documents/OfficeText.ts"
import { type Answer, type Asked, type Files, type Task, worker } from "./ReaderWorker.ts"

export type { Task } from "./ReaderWorker.ts"

/** A reader gave nothing. */
export class Unread extends Data.TaggedError("Unread")<{
  readonly problem: string
  readonly reason: "Malformed" | "TooLarge" | "Late" | "Missing"
}> {}

export type Read = (task: Task) => Effect.Effect<ReadonlyArray<string>, Unread>

/** At once; half of them for one tenant. */
const threads = 4

/** Half a minute is the time of one document, with its wait for a thread. The threads end with the scope. */
export const make: Effect.Effect<Read, never, Scope.Scope> = Effect.zipWith(
  Tenants.places(threads),
  Pool.makeWithTTL({ acquire: Effect.suspend(() => thread), min: 0, max: threads, timeToLive: "1 minute" }),
  (place, pool): Read => (task) =>
    Effect.scoped(Effect.gen(function*() {
      const files = yield* Effect.try({
        try: () => filesFor(task),
        catch: (cause) => new Unread({ problem: String(cause), reason: "Missing" })
      })
      yield* place
      const ask = yield* Pool.get(pool)
      // A thread that was left before its answer is still at work, or has ended.
      const answer = yield* Effect.onError(ask({ task, files }), () => Pool.invalidate(pool, ask))
      if ("output" in answer) return answer.output
      return yield* new Unread({ problem: answer.problem, reason: answer.isTooLarge ? "TooLarge" : "Malformed" })
    })).pipe(
      Effect.timeoutFail({
        duration: "30 seconds",
        onTimeout: () => new Unread({ problem: "it takes too long", reason: "Late" })
      })
    )
)

/** What readers are made of, each installed by who needs it. */
const packages: Readonly<Record<Task["reader"], ReadonlyArray<string>>> = {
  pdf: ["unpdf"],
  word: ["fflate", "mammoth", "turndown"],
  office: ["fflate"],
  csv: ["csv-parse/sync"],
  markdown: ["turndown"],
  article: ["happy-dom", "@mozilla/readability"],
  api: ["@apidevtools/swagger-parser"]
}

/** Where the packages are. */
const filesFor = ({ reader }: Task): Files => {
  const { resolve } = createRequire(import.meta.url)
  return Object.fromEntries(packages[reader].map((name) => [name, pathToFileURL(resolve(name)).href]))
}

const thread = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const started = new Worker(source, {
        eval: true,
        env: {},
        stdout: true,
        stderr: true,
        resourceLimits: { maxOldGenerationSizeMb: 1024 }
      })
      // An idle thread keeps no process alive, and may end.
      started.unref()
      started.on("error", () => {})
      started.stdout.resume()
      started.stderr.resume()
      return started
    }),
    (started) => Effect.promise(() => started.terminate())
  ),
  (started) => (asked: Asked) =>
    Effect.async<Answer, Unread>((resume) => {
      const stop = () => {
        started.off("message", answered).off("error", ended).off("exit", ended)
        started.unref()
      }
      const settle = (result: Effect.Effect<Answer, Unread>) => {
        stop()
        resume(result)
      }
      const answered = (answer: Answer) => settle(Effect.succeed(answer))
      const ended = () => settle(new Unread({ problem: "its reader has ended", reason: "Malformed" }))
      started.ref()
      started.on("message", answered).on("error", ended).on("exit", ended)
      started.postMessage(asked)
      return Effect.sync(stop)
    })
)

/** Some build tools name functions with a helper of theirs, which the text alone does not bring along. */
const source = `globalThis.__name = (fn) => fn
;(${worker.toString()})(require("node:worker_threads").parentPort, (file) => import(file), {
  office: ${officeText.toString()},
  references: ${references.toString()}
})`
