/** Lines typed at a prompt, or piped in. */
import { Effect, Option } from "effect"
import { createInterface } from "node:readline"

/** The next line, none at the end of input; Ctrl-C and Ctrl-D at a terminal are its end. Kept in memory, the rest is not read. */
export const reader = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const isTerminal = process.stdin.isTTY && process.stdout.isTTY
      return {
        isTerminal,
        lines: createInterface({ input: process.stdin, output: process.stdout, terminal: isTerminal })
      }
    }),
    ({ lines }) => Effect.sync(() => lines.close())
  ),
  ({ isTerminal, lines }) => {
    const next = lines[Symbol.asyncIterator]()
    return (prompt: string): Effect.Effect<Option.Option<string>> =>
      Effect.suspend(() => {
        if (isTerminal) {
          lines.setPrompt(prompt)
          lines.prompt()
        }
        return Effect.map(
          Effect.promise(() => next.next()),
          ({ done, value }) => done === true ? Option.none() : Option.some(value)
        )
      })
  }
)
