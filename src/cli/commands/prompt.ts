/** `sre prompt`: one message to an agent; its answer as it is said. */
import * as Terminal from "@effect/platform/Terminal"
import { Console, Effect, Option, Stream } from "effect"
import { Agents } from "../../agents/Agents.ts"
import * as Json from "../../kernel/Json.ts"
import * as Candidate from "../../security/Candidate.ts"
import type { ConversationEvent } from "../../subsystems/llm/Conversation.ts"
import * as Documents from "../Documents.ts"
import * as Session from "../Session.ts"

interface Options {
  readonly file: string
  readonly text: string
  readonly model: Option.Option<string>
  readonly conversation: Option.Option<string>
  readonly as: Candidate.Candidate
  readonly config: Option.Option<string>
  readonly json: boolean
}

export const run = Effect.fnUntraced(function*(options: Options) {
  const definition = yield* Documents.read(options.file)
  const terminal = yield* Terminal.Terminal
  const say = options.json ? (event: ConversationEvent) => Console.log(Json.stringify(event)) : inWords(terminal)
  yield* Effect.gen(function*() {
    const agents = yield* Agents
    yield* agents.load(definition)
    const problem = Option.isSome(options.model) ? Option.none() : yield* Session.missingKey(definition)
    if (Option.isSome(problem)) yield* Console.error(problem.value)
    const model = Option.orElse(options.model, () => Option.as(problem, Session.echo))
    yield* Stream.runForEach(
      agents.prompt(definition.id, {
        message: options.text,
        ...Option.match(model, { onNone: () => ({}), onSome: (model) => ({ model }) }),
        ...Option.match(options.conversation, { onNone: () => ({}), onSome: (conversationId) => ({ conversationId }) })
      }),
      say
    )
  }).pipe(Candidate.as(options.as), Effect.provide(Session.layer(options.config)))
})

/** Content on standard output as it comes; what happens meanwhile, a line each, on standard error. */
const inWords = (terminal: Terminal.Terminal) => (event: ConversationEvent) => {
  switch (event.type) {
    case "content":
      return terminal.display(event.text)
    case "toolCall":
      return Console.error(`${event.status}: ${event.name} ${Json.preview(event.params, 120)}`)
    case "toolResult":
      return event.isFailure ? Console.error(`${event.name} failed: ${Json.preview(event.result, 200)}`) : Effect.void
    case "interrupted":
      return Console.error(`the answer is not complete: ${event.reason}`)
    case "end":
      return terminal.display("\n")
    default:
      return Effect.void
  }
}
