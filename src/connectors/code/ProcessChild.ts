/** A process with one task: its cage, what it says, and its end, which is also the end of all it started. */
import { Duration, Effect, Option, Schema, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { dirname } from "node:path"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { type Limits, LogLine } from "../../subsystems/compute/Code.ts"
import { Answer } from "./CallMain.ts"
import { runner, type Task } from "./ProcessRunner.ts"

/** How it ended; `answer` is what the code returned or threw, if it came that far. */
export interface Ended {
  readonly answer: Answer | undefined
  readonly isTooMuch: boolean
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

/** Runs the program with its input; lines of the log go into `logs` as they come. Interruption ends it. */
export const converse = (
  command: ReadonlyArray<string>,
  folder: string,
  task: Task,
  limits: Limits,
  logs: Array<LogLine>
): Effect.Effect<Ended, ConnectorError> =>
  Effect.scoped(Effect.flatMap(start(command, folder), (child) => exchange(child, task, limits, logs)))

const start = ([program = "", ...args]: ReadonlyArray<string>, folder: string): Effect.Effect<
  ChildProcess,
  never,
  Scope.Scope
> =>
  Effect.acquireRelease(
    // A group of its own, so that what it starts ends with it.
    Effect.sync(() =>
      spawn(program, args, { cwd: folder, detached: true, env: { DENO_DIR: folder, NO_COLOR: "1" }, stdio: "pipe" })
    ),
    (child) =>
      Effect.async<void>((resume) => {
        // Closed by the last that has its output: what it started in a cage ends after itself.
        const isClosed = child.stdout?.closed !== false && child.stderr?.closed !== false
        if (isClosed || child.pid === undefined) return resume(Effect.void)
        child.once("close", () => resume(Effect.void))
        kill(child)
      }).pipe(Effect.timeout("5 seconds"), Effect.ignore)
  )

/** With all it started. It may have ended by itself, and what it wrote still be on its way. */
const kill = ({ pid }: ChildProcess) => {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL")
  } catch {
    // Nobody is left.
  }
}

const exchange = (child: ChildProcess, task: Task, limits: Limits, logs: Array<LogLine>) =>
  Effect.async<Ended, ConnectorError>((resume) => {
    // The answer is text within JSON, in which a character may take six.
    let left = 6 * limits.outputBytes + 6 * limits.logBytes + 65_536
    /** Of a line that has not ended. */
    let parts: Array<string> = []
    let stderr = ""
    let answer: Answer | undefined
    let isTooMuch = false

    const read = (line: string) => {
      if (!line.startsWith(task.mark)) return
      const message = Option.getOrUndefined(parse(line.slice(task.mark.length)))
      if (message === undefined) return
      if ("log" in message) logs.push(message.log)
      else answer = message
    }
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      left -= text.length
      if (left < 0) {
        isTooMuch = true
        return kill(child)
      }
      const lines = text.split("\n")
      const last = lines.pop() ?? ""
      if (lines.length === 0) return parts.push(last)
      lines[0] = parts.join("") + lines[0]
      parts = [last]
      lines.forEach(read)
    })
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(0, 16_384)
    })
    // It may end before it has read its input.
    child.stdin?.on("error", () => {})
    child.on("error", (cause) =>
      resume(Effect.fail(
        new ConnectorError({
          connector: "Process",
          method: "run",
          reason: "Unavailable",
          detail: "the process cannot be started",
          cause
        })
      )))
    child.on("close", (exitCode, signal) => resume(Effect.succeed({ answer, isTooMuch, exitCode, signal, stderr })))
    child.stdin?.end(JSON.stringify(task))
  })

/** The code may have made it up: what is no message of the runner is none. */
const parse = Schema.decodeOption(Schema.parseJson(Schema.Union(Schema.Struct({ log: LogLine }), Answer)))

/* ------------------------------------------------------------------------------------------------------------------
 * Commands
 * ---------------------------------------------------------------------------------------------------------------- */

const mebibytes = (bytes: number) => Math.max(1, Math.floor(bytes / 2 ** 20))

/** Remote modules and packages are refused by name; whatever else is asked for, no permission is there to give it. */
export const denoArguments = ({ memoryBytes }: Limits): ReadonlyArray<string> => [
  "run",
  "--quiet",
  "--no-prompt",
  "--no-remote",
  "--no-npm",
  "--no-config",
  "--no-lock",
  `--v8-flags=--max-old-space-size=${mebibytes(memoryBytes)}`,
  `data:application/javascript;base64,${Buffer.from(runner).toString("base64")}`
]

export const nodeArguments = ({ memoryBytes }: Limits): ReadonlyArray<string> => [
  "--no-warnings",
  "--experimental-permission",
  `--max-old-space-size=${mebibytes(memoryBytes)}`,
  "--input-type=module",
  "--eval",
  runner
]

/** What an engine needs beside the heap of the code, in memory that can be written. */
const engineBytes = 768 * 2 ** 20

/** Bounds of the system, which also hold for memory outside of the heap: https://man7.org/linux/man-pages/man1/prlimit.1.html */
export const limited = (prlimit: string, { cpu, memoryBytes }: Limits): ReadonlyArray<string> => {
  const seconds = cpu === undefined ? undefined : Math.ceil(Duration.toSeconds(cpu))
  return [
    prlimit,
    `--data=${memoryBytes + engineBytes}`,
    "--core=0",
    ...(seconds === undefined ? [] : [`--cpu=${seconds}:${seconds + 1}`]),
    "--"
  ]
}

/** Nothing but the program, what it is linked with, and an empty folder: https://github.com/containers/bubblewrap */
export const caged = (bwrap: string, program: string): ReadonlyArray<string> => [
  bwrap,
  "--unshare-all",
  "--die-with-parent",
  "--new-session",
  ...["/usr", "/lib", "/lib64", "/bin"].flatMap((folder) => ["--ro-bind-try", folder, folder]),
  "--proc",
  "/proc",
  "--dev",
  "/dev",
  "--tmpfs",
  "/tmp",
  "--ro-bind",
  dirname(program),
  "/engine",
  "--chdir",
  "/tmp",
  "--setenv",
  "DENO_DIR",
  "/tmp/deno",
  "--"
]
