/** Calls of tools as models write them. Each ends with one result, whatever becomes of it: providers refuse a history otherwise. */
import { Cause, Duration, Effect, Option } from "effect"
import * as Json from "../../kernel/Json.ts"
import { didYouMean } from "../../kernel/Nearest.ts"
import type * as Prompt from "./Prompt.ts"
import { estimateTokens } from "./Tokenizer.ts"

export interface ConversationTool<R = never> {
  readonly tool: Prompt.Tool
  /** What to tell a person while it runs. */
  readonly status: string
  /** A failure is told to the model by its message. What the tool says goes to whoever is listening, not to the model. */
  readonly run: (
    params: Readonly<Record<string, unknown>>,
    say: Say
  ) => Effect.Effect<unknown, { readonly message: string }, R>
}

export type Say = (kind: "content" | "thinking", text: string) => void

export type Tools<R> = ReadonlyMap<string, ConversationTool<R>>

export interface Call {
  /** As the history keeps it: unreadable arguments are none. */
  readonly part: Prompt.ToolCallPart
  /** What the model wrote, where that is no object. */
  readonly unreadable: string | undefined
}

/** No text at all means no arguments. */
export const read = (call: Prompt.ToolCall): Call => {
  const params = call.arguments.trim() === "" ? {} : Json.extract(call.arguments)
  const readable = typeof params === "object" && params !== null && !Array.isArray(params) &&
    !Json.isDeeper(params, maxDepth)
  return {
    part: {
      type: "tool-call",
      id: call.id,
      name: call.name,
      params: readable ? params as Readonly<Record<string, unknown>> : {}
    },
    unreadable: readable ? undefined : call.arguments
  }
}

/** Levels of arguments within each other; what is much deeper cannot be written into the history. */
const maxDepth = 200

export interface Limits {
  readonly timeout: Duration.DurationInput
  /** A larger result is not shown to the model. */
  readonly maxResultTokens: number
}

/** Does not fail. A tool that dies fails alone, as one that fails does. */
export const run = <R>(
  { part, unreadable }: Call,
  tools: Tools<R>,
  { maxResultTokens, timeout }: Limits,
  say: Say
): Effect.Effect<Prompt.ToolResultPart, never, R> => {
  const found = tools.get(part.name)
  if (found === undefined) {
    return Effect.succeed(failure(
      part,
      `There is no tool "${part.name}".${didYouMean(part.name, tools.keys())} Tools: ${
        Array.from(tools.keys()).join(", ") || "none"
      }`
    ))
  }
  if (unreadable !== undefined) {
    return Effect.succeed(failure(
      part,
      `The tool was not run: its arguments must be one JSON object with the properties ${
        propertiesOf(found.tool).join(", ") || "of its parameters"
      }. Got: ${Json.preview(unreadable, 200)}`
    ))
  }
  return Effect.suspend(() => found.run(part.params, say)).pipe(
    Effect.timeoutFail({
      duration: timeout,
      onTimeout: () => ({ message: `the tool did not answer within ${Duration.format(Duration.decode(timeout))}` })
    }),
    Effect.map((value) => {
      const result = plain(value)
      const tokens = estimateTokens(Json.stringify(result))
      return tokens <= maxResultTokens ? answer(part, result, false) : failure(
        part,
        `The result is too large to be shown: about ${tokens} tokens, at most ${maxResultTokens} are. Ask for less`
      )
    }),
    Effect.catchAllCause((cause) =>
      Option.match(Cause.failureOption(cause), {
        onSome: ({ message }) => Effect.succeed(failure(part, message)),
        onNone: () =>
          Effect.as(
            Effect.logError(`tool "${part.name}" crashed`, cause),
            failure(part, "The tool crashed: this is a mistake in the tool, not in the call")
          )
      })
    )
  )
}

/** The result of a call that no budget is left for. */
export const pending = ({ part }: Call): Prompt.ToolResultPart =>
  failure(part, "pending: not run, because no more tool calls are allowed in this turn")

const failure = (part: Prompt.ToolCallPart, message: string) => answer(part, message, true)

const answer = ({ id, name }: Prompt.ToolCallPart, result: unknown, isFailure: boolean): Prompt.ToolResultPart => ({
  type: "tool-result",
  id,
  name,
  result,
  isFailure
})

/** As JSON keeps it. */
const plain = (value: unknown): unknown =>
  value === undefined ? null : typeof value === "object" && value !== null ? Json.extract(Json.stringify(value)) : value

const propertiesOf = ({ parameters }: Prompt.Tool): ReadonlyArray<string> => {
  const { properties } = parameters
  return typeof properties === "object" && properties !== null ? Object.keys(properties) : []
}
