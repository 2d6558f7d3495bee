/** `sre run`: one call of an endpoint. */
import { Console, Effect, Option, Schema, Stream } from "effect"
import type { AgentEvent } from "../../agents/AgentEvents.ts"
import { Agents, type CallRequest } from "../../agents/Agents.ts"
import * as Json from "../../kernel/Json.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Documents from "../Documents.ts"
import * as Input from "../Input.ts"
import * as Session from "../Session.ts"

interface Options {
  readonly file: string
  readonly endpoint: string
  readonly input: Option.Option<string>
  readonly method: Option.Option<"GET" | "POST">
  readonly events: boolean
  readonly as: Candidate.Candidate
  readonly config: Option.Option<string>
  readonly json: boolean
}

/** Every part that could answer failed, or the run could not go on. */
export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", {
  endpoint: Schema.String,
  problem: Schema.String,
  answer: Schema.optional(Schema.Unknown)
}) {
  override get message(): string {
    const answer = this.answer === undefined ? "" : `\n${show(this.answer)}`
    return `${this.endpoint} failed: ${this.problem}${answer}`
  }
}

export const run = Effect.fnUntraced(function*(options: Options) {
  // What can be refused is refused before anything is started.
  const definition = yield* Documents.read(options.file)
  const input = yield* Input.read(options.input)
  const request: CallRequest = {
    endpoint: options.endpoint,
    ...Option.match(options.method, { onNone: () => ({}), onSome: (method) => ({ method }) }),
    body: input,
    query: input
  }
  const answer = yield* Effect.gen(function*() {
    const agents = yield* Agents
    yield* agents.load(definition)
    const { answer, failed } = yield* options.events
      ? followed(agents.stream(definition.id, request), options)
      : agents.call(definition.id, request)
    return failed
      ? yield* new RunFailed({ endpoint: options.endpoint, problem: "no part could answer", answer })
      : answer
  }).pipe(Candidate.as(options.as), Effect.provide(Session.layer(options.config)))
  yield* Console.log(options.json ? Json.stringify(answer) : show(answer))
})

/** The events as they come, on standard error; the answer when it is there. */
const followed = <E, R>(events: Stream.Stream<AgentEvent, E, R>, { endpoint, json }: Options) =>
  Effect.gen(function*() {
    const last = yield* Stream.runLast(
      Stream.tap(events, (event) => Console.error(json ? Json.stringify(event) : line(event)))
    )
    const event = Option.getOrUndefined(last)?.event
    return event?._tag === "RunEnded" ? event : yield* new RunFailed({
      endpoint,
      problem: event?._tag === "RunFailed" ? event.message : "the run ended without an answer"
    })
  })

export const line = ({ event, seq }: AgentEvent): string => {
  const { _tag, ...fields } = event
  const place = "key" in fields ? ` ${fields.key} (${fields.component})` : ""
  const { component: _, componentId: __, key: ___, title: ____, ...rest } = {
    component: "",
    componentId: "",
    key: "",
    title: "",
    ...fields
  }
  return `#${seq} ${_tag}${place}${Object.keys(rest).length === 0 ? "" : ` ${Json.preview(rest, 200)}`}`
}

/** Text as it is, anything else as JSON. */
export const show = (answer: unknown): string =>
  typeof answer === "string" ? answer : JSON.stringify(answer, undefined, 2) ?? Json.stringify(answer)
