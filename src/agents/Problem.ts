/** What is wrong with an agent document: all problems together, each with its place and what would be accepted there. */
import { Schema } from "effect"

export const Problem = Schema.Struct({
  /** An error keeps the agent from running; a warning does not. */
  severity: Schema.Literal("error", "warning"),
  /** Where in the document: `components[2].data.algorithm`. */
  path: Schema.String,
  /** Id of the component. */
  component: Schema.optional(Schema.String),
  /** Name of the port. */
  port: Schema.optional(Schema.String),
  /** One sentence: what is wrong and what to do. */
  problem: Schema.String,
  accepted: Schema.optional(Schema.Array(Schema.String))
})
export type Problem = typeof Problem.Type

export class InvalidAgent extends Schema.TaggedError<InvalidAgent>()("InvalidAgent", {
  agent: Schema.UndefinedOr(Schema.String),
  problems: Schema.Array(Problem)
}) {
  override get message(): string {
    const rest = this.problems.length - maxShown
    return [
      `Agent ${this.agent ?? "document"} is not valid:`,
      ...this.problems.slice(0, maxShown).map((one) => `  ${format(one)}`),
      ...(rest > 0 ? [`  and ${rest} more`] : [])
    ].join("\n")
  }
}

/** Problems in the message; all of them are in the field. */
const maxShown = 20

/** `error components[2].data.algorithm (H): …` */
export const format = ({ accepted, component, path, port, problem, severity }: Problem): string => {
  const place = [component, port].filter((part) => part !== undefined).join(".")
  return [
    `${severity} ${path === "" ? "(document)" : path}`,
    place === "" ? ": " : ` (${place}): `,
    problem,
    accepted === undefined || accepted.length === 0 ? "" : ` Accepted: ${accepted.join(", ")}`
  ].join("")
}
