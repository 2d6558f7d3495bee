/** What the components that run code have in common: limits, what the code says, and failures as a person reads them. */
import { Duration, Effect } from "effect"
import { Code, type CodeError, type Request } from "../../subsystems/compute/Code.ts"
import * as Main from "../../subsystems/compute/Main.ts"
import * as Component from "../Component.ts"

/** Of one call; code that waits for others may take longer than it may compute. */
const limits = { timeout: Duration.minutes(1), cpu: Duration.seconds(10), outputBytes: 8 * 2 ** 20 }

export const runCode = (
  step: Component.Step,
  request: Request
): Effect.Effect<{ readonly Output: unknown }, Component.ComponentFailed, Code> =>
  Effect.gen(function*() {
    const code = yield* Code
    const { logs, output, stats } = yield* Effect.mapError(code.run({ limits, ...request }), (error) => {
      if ("logs" in error) told(step, error.logs)
      return new Component.ComponentFailed({ message: messageOf(error), cause: error })
    })
    told(step, logs)
    step.log("debug", `the code took ${Duration.format(stats.elapsed)}`)
    return { Output: output }
  })

const told = (step: Component.Step, logs: ReadonlyArray<{ readonly level: string; readonly text: string }>) => {
  const levels = { warn: "warning", error: "error", debug: "debug" } as const
  for (const { level, text } of logs) step.log(levels[level as keyof typeof levels] ?? "info", text)
}

const messageOf = (error: CodeError) => error._tag === "CodeFailed" ? placed(error) : error.message

/** `SyntaxError: Unexpected token (line 2, column 3)` */
export const placed = ({ column, line, message }: Main.Problem): string =>
  line === undefined ? message : `${message} (line ${line}${column === undefined ? "" : `, column ${column}`})`

/** What keeps the code in a setting from being run, as it is told when a document is loaded. */
export const advise = (setting: string, code: string): ReadonlyArray<Component.Advice> => {
  const problem = Main.problemIn(code)
  return problem === undefined ? [] : [{ setting, problem: placed(problem) }]
}
