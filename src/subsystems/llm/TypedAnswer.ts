/**
 * Answers in the form of a schema. The model is told the schema, and held to it where its provider can; what it says is read,
 * repaired where it is nearly JSON, and decoded. What is wrong with an answer is told to the model, which may answer once more.
 */
import { Effect, Either, JSONSchema, ParseResult, Schema } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { issuesOf } from "../../kernel/Issues.ts"
import * as Json from "../../kernel/Json.ts"
import type { Answer } from "./AnswerStream.ts"
import type { LLMError, Request } from "./LLM.ts"
import * as Prompt from "./Prompt.ts"

/** What the form of the answer is not to be said by twice, or what would not be an answer. */
export type TypedRequest = Omit<Request, "computer" | "responseFormat" | "responseSchema" | "toolChoice" | "tools">

export class InvalidAnswer extends Schema.TaggedError<InvalidAnswer>()("InvalidAnswer", {
  model: Schema.String,
  /** `CutOff` at the bound of the answer; `Refused` by the model or its provider; `NotJson`; JSON, but `NotAsAsked`. */
  reason: Schema.Literal("CutOff", "NotAsAsked", "NotJson", "Refused"),
  problem: Schema.String,
  /** What the model said, last. */
  text: Schema.String
}) {
  override get message(): string {
    return `"${this.model}" gave no answer in the form that was asked for: ${this.problem}`
  }
}

/** The decoded answer of what `generate` asks. */
export const ask = Effect.fnUntraced(function*<A, I, R>(
  generate: (request: Request) => Effect.Effect<Answer, LLMError>,
  request: TypedRequest,
  schema: Schema.Schema<A, I, R>
) {
  const { decode, responseSchema } = yield* formOf(schema)
  const model = typeof request.model === "string" ? request.model : `${request.model.provider} ${request.model.modelId}`
  const attempt = Effect.fnUntraced(function*(messages: Request["messages"]) {
    const { reason, text } = yield* generate({ ...request, messages, responseSchema })
    const invalid = (reason: InvalidAnswer["reason"], problem: string) =>
      new InvalidAnswer({ model, reason, problem, text })
    if (reason === "content-filter") return yield* invalid("Refused", "the answer was refused or withheld")
    const value = Json.extract(text)
    if (typeof value === "object" && value !== null) {
      const decoded = yield* Effect.either(decode(value))
      if (Either.isRight(decoded)) return decoded.right
      // Of half an answer, what is missing is not the model's mistake.
      if (reason !== "length") return yield* invalid("NotAsAsked", described(decoded.left))
    }
    return yield* reason === "length"
      ? invalid("CutOff", "it was cut off where answers have to end; raise maxTokens, or ask for less")
      : invalid("NotJson", "it is not JSON")
  })

  return yield* attempt(request.messages).pipe(
    Effect.catchIf(isMendable, (error) => attempt([...request.messages, ...toldAbout(error)]))
  )
})

/** An answer that was refused or cut off would be so again. */
const isMendable = (error: InvalidAnswer | LLMError): error is InvalidAnswer =>
  error._tag === "InvalidAnswer" && (error.reason === "NotAsAsked" || error.reason === "NotJson")

const toldAbout = ({ problem, text }: InvalidAnswer): ReadonlyArray<Prompt.Message> => [
  ...(text.trim() === "" ? [] : [Prompt.assistant(text)]),
  Prompt.user(
    `This answer cannot be used: ${problem}. Answer again, with nothing but the JSON object that was asked for.`
  )
]

const described = (issue: ParseResult.ParseIssue): string => {
  const issues = issuesOf(issue)
  const told = issues.slice(0, maxIssues).map(({ message, path }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`
  )
  const more = issues.length > maxIssues ? [`and ${issues.length - maxIssues} more`] : []
  return Json.preview([...told, ...more].join("; "), maxProblem)
}
const maxIssues = 10
const maxProblem = 2000

/* ------------------------------------------------------------------------------------------------------------------
 * The form
 * ---------------------------------------------------------------------------------------------------------------- */

/** Answers are objects: anything else is asked for as the `result` in one. */
const formOf = <A, I, R>(schema: Schema.Schema<A, I, R>) =>
  Effect.map(jsonSchemaOf(schema), (bare) => {
    const options = { errors: "all" } as const
    if (bare["type"] === "object") {
      return { responseSchema: bare, decode: ParseResult.decodeUnknown(schema, options) }
    }
    const decode = ParseResult.decodeUnknown(Schema.Struct({ result: schema }), options)
    const { $defs, ...result } = bare
    const wrapped = { type: "object", properties: { result }, required: ["result"], additionalProperties: false }
    return {
      responseSchema: $defs === undefined ? wrapped : { ...wrapped, $defs },
      decode: (value: unknown) => Effect.map(decode(value), ({ result }) => result)
    }
  })

/** With what a name stands for at its root, since providers look for the type there. */
const jsonSchemaOf = (schema: Schema.Schema.Any): Effect.Effect<Readonly<Record<string, unknown>>, ConnectorError> =>
  Effect.try({
    try: () => {
      const { $defs = {}, $schema: _, ...root }: JSONSchema.JsonSchema7Root = JSONSchema.make(schema)
      const named = "$ref" in root ? $defs[decodeURIComponent(root.$ref.slice("#/$defs/".length))] : undefined
      return { ...(named ?? root), ...(Object.keys($defs).length === 0 ? {} : { $defs }) }
    },
    catch: (cause) =>
      new ConnectorError({
        connector: "LLM",
        method: "object",
        reason: "InvalidInput",
        detail: `the schema cannot be told to a model: ${
          cause instanceof Error ? cause.message : "it is no JSON Schema"
        }`
      })
  })
