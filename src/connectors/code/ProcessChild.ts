/** A process with one task: its cage, what it says, and its end, which is also the end of all it started. */
import { Duration, Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { dirname } from "node:path"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import type { Limits, LogLine } from "../../subsystems/compute/Code.ts"
import type { Answer } from "./CallMain.ts"
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
        if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        process.kill(-child.pid, "SIGKILL")
      }).pipe(Effect.timeout("5 seconds"), Effect.ignore)
  )

const exchange = (child: ChildProcess, task: Task, limits: Limits, logs: Array<LogLine>) =>
  Effect.async<Ended, ConnectorError>((resume) => {
    // The answer is text within JSON, in which a character may take six.
    let left = 6 * limits.outputBytes + 6 * limits.logBytes + 65_536
    let rest = ""
    let stderr = ""
    let answer: Answer | undefined
    let isTooMuch = false

    const read = (line: string) => {
      if (!line.startsWith(task.mark)) return
      const message = parse(line.slice(task.mark.length))
      if (message?.log !== undefined) logs.push({ level: message.log.level, text: String(message.log.text) })
      else if (message !== undefined) answer = message
    }
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      left -= text.length
      if (left < 0) {
        isTooMuch = true
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
        return
      }
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
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

interface Message extends Answer {
  readonly log?: LogLine
}

const parse = (text: string): Message | undefined => {
  try {
    return JSON.parse(text) as Message
  } catch {
    return undefined
  }
}

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
