/** The task `conversational` as documents have it, over chat completions, which took its place at the vendor. */
import { Effect, Either, Schema } from "effect"
import * as Json from "../../../kernel/Json.ts"
import { ComponentFailed } from "../../Component.ts"

interface Message {
  readonly role: "user" | "assistant"
  readonly content: string
}

/** What was said before: the same number of both, the oldest first; as lists or their JSON text, and not needed. */
export const of = (inputs: Readonly<Record<string, unknown>>) => {
  const said = textsOf(inputs["Past_user_inputs"])
  const answered = textsOf(inputs["Generated_responses"])
  const text = Json.toText(inputs["Text"])
  return {
    messages: [
      ...said.flatMap((content, at): ReadonlyArray<Message> => [
        { role: "user", content },
        ...answered.slice(at, at + 1).map((content): Message => ({ role: "assistant", content }))
      ]),
      { role: "user", content: text } satisfies Message
    ],
    /** What the next call takes stands in `conversation`. */
    read: (answer: unknown) =>
      Either.match(decode(answer), {
        onLeft: () => Effect.fail(new ComponentFailed({ message: "The model answered with no text" })),
        onRight: ({ choices: [{ message: { content } }] }) =>
          Effect.succeed({
            generated_text: content,
            conversation: { past_user_inputs: [...said, text], generated_responses: [...answered, content] }
          })
      })
  }
}

const decode = Schema.decodeUnknownEither(Schema.Struct({
  choices: Schema.NonEmptyArray(Schema.Struct({ message: Schema.Struct({ content: Schema.String }) }))
}))

const textsOf = (value: unknown): ReadonlyArray<string> => {
  const list = typeof value === "string" ? Json.extract(value) : value
  return (Array.isArray(list) ? list : list === undefined || list === null || list === "" ? [] : [list]).map(
    Json.toText
  )
}
