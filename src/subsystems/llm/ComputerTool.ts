/**
 * The computer as a tool of models: what a provider's own words for it become, and what goes back. In a conversation its calls
 * and results are those of a tool, so that a provider that has no such tool can still read them.
 */
import { Either, ParseResult, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import { Action } from "../compute/ComputerAction.ts"
import { FilePart, type ToolCallPart, type ToolResultPart } from "./Prompt.ts"

/** Of the calls of models. */
export const name = "computer"

/** A doubt of the provider, which a person is to clear. */
export const SafetyCheck = Schema.Struct({
  id: Schema.String,
  code: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null }),
  message: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null })
})
export type SafetyCheck = typeof SafetyCheck.Type

/** The arguments of a call: actions to be done one after the other. */
export const Call = Schema.Struct({
  actions: Schema.Array(Action),
  checks: Schema.Array(SafetyCheck),
  /** Why the call cannot be followed as a whole, for the model; then it has no actions. */
  problem: Schema.optional(Schema.String),
  /** The call as its provider wrote it, sealed; it goes back as it came. */
  original: Schema.String
})
export type Call = typeof Call.Type

/** The arguments of a call, of what a provider's words mean; `original` is what it wrote, sealed. */
export const argumentsOf = (
  said: Either.Either<Pick<Call, "actions" | "checks">, ParseResult.ParseIssue | string>,
  original: string
): string =>
  JSON.stringify(Either.match(Either.flatMap(said, validated), {
    onRight: (call) => ({ ...call, original }),
    onLeft: (issue) => ({
      actions: [],
      checks: [],
      problem: typeof issue === "string" ? issue : problemOf(issue),
      original
    })
  }))

const problemOf = (issue: ParseResult.ParseIssue): string =>
  ParseResult.ArrayFormatter.formatIssueSync(issue).slice(0, 3)
    .map(({ message, path }) => path.length === 0 ? message : `${path.join(".")}: ${message}`).join("; ").slice(0, 500)

/** Instead of all there is to know about actions. */
export const noAction = (
  { actual }: ParseResult.ParseIssue
): { readonly message: string; readonly override: true } => ({
  message: `it is none of the actions there are, or lacks a part: ${Json.preview(actual, 300)}`,
  override: true
})

/** Within the bounds of actions. */
const validated = ParseResult.validateEither(
  Schema.Struct({ actions: Call.fields.actions, checks: Call.fields.checks })
)

export const callOf = Schema.decodeUnknownOption(Call)

const isCall = Schema.is(Schema.Struct({ original: Schema.String }))

/** What its provider wrote, sealed, if the part is a call of the computer. */
export const originalOf = ({ name: called, params }: ToolCallPart): string | undefined =>
  called === name && isCall(params) ? params.original : undefined

const Shown = Schema.Tuple(
  Schema.Struct({
    type: Schema.Literal("text"),
    text: Schema.String,
    /** Those that a person cleared. */
    acknowledged: Schema.Array(SafetyCheck)
  }),
  FilePart
)

/** What came of a call: a note to the model, empty where there is nothing to say, and the screen after it. */
export interface Result {
  readonly note: string
  readonly screenshot: FilePart
  readonly acknowledged: ReadonlyArray<SafetyCheck>
}

export const result = (
  { id }: Pick<ToolCallPart, "id">,
  { acknowledged, note, screenshot }: Result
): ToolResultPart => {
  const shown: typeof Shown.Type = [{ type: "text", text: note, acknowledged }, screenshot]
  return { type: "tool-result", id, name, result: shown, isFailure: false }
}

const isShown = Schema.is(Shown)

export const resultOf = ({ name: called, result }: ToolResultPart): Result | undefined =>
  called === name && isShown(result)
    ? { note: result[0].text, acknowledged: result[0].acknowledged, screenshot: result[1] }
    : undefined
