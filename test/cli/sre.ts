/** The `sre` command as people start it: a process of its own, in a folder of its own, without keys. */
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { cp, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { tempFolder } from "../fixtures/TempFolder.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A folder with the example agents in it, where the command is started. */
export const workspace = Effect.gen(function*() {
  const folder = yield* tempFolder
  yield* Effect.promise(() => cp(join(root, "examples", "agents"), folder, { recursive: true }))

  const start = (args: ReadonlyArray<string>, input?: string) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(process.execPath, ["--import", loader, join(root, "src", "cli", "main.ts"), ...args], {
          cwd: folder,
          env: { PATH: process.env["PATH"], SRE_DATA: join(folder, "data") }
        })
        if (input !== undefined) child.stdin.end(input)
        return new Running(child)
      }),
      ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
    )

  return {
    folder,
    start,
    write: (name: string, content: string) => Effect.promise(() => writeFile(join(folder, name), content)),
    sre: (...args: ReadonlyArray<string>) => Effect.scoped(Effect.flatMap(start(args, ""), ({ ended }) => ended)),
    sreWith: (input: string, ...args: ReadonlyArray<string>) =>
      Effect.scoped(Effect.flatMap(start(args, input), ({ ended }) => ended))
  }
})

export class Running {
  out = ""
  err = ""
  readonly #ended: Promise<Ended>
  readonly child: ChildProcess

  constructor(child: ChildProcess) {
    this.child = child
    child.stdout!.setEncoding("utf8").on("data", (text: string) => this.out += text)
    child.stderr!.setEncoding("utf8").on("data", (text: string) => this.err += text)
    this.#ended = new Promise((resolve) => child.on("close", (code) => resolve({ code, out: this.out, err: this.err })))
  }

  get ended(): Effect.Effect<Ended> {
    return Effect.promise(() => this.#ended)
  }

  /** Waits until the standard output or error has such a text, and gives it. Fails when the process ends before. */
  readonly says = (text: RegExp): Effect.Effect<string> =>
    Effect.suspend(() => {
      const found = text.exec(this.out)?.[0] ?? text.exec(this.err)?.[0]
      return found !== undefined
        ? Effect.succeed(found)
        : this.child.exitCode !== null
        ? Effect.dieMessage(`ended without saying ${text}: ${this.out}${this.err}`)
        : Effect.zipRight(Effect.sleep("20 millis"), this.says(text))
    })
}
