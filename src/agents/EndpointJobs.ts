/** Jobs that call agents: `{ kind: "endpoint", data: { agent, endpoint, body } }`. A job calls as its owner, who must be allowed to. */
import { Data, Effect, type Layer, Schema } from "effect"
import { toText } from "../kernel/Json.ts"
import * as Scheduler from "../subsystems/compute/Scheduler.ts"
import { Agents } from "./Agents.ts"

const Call = Schema.Struct({
  /** Id of the agent. */
  agent: Schema.NonEmptyString,
  endpoint: Schema.NonEmptyString,
  /** Default: whichever the endpoint has, `POST` before `GET`. */
  method: Schema.optional(Schema.Literal("GET", "POST")),
  body: Schema.optional(Schema.Unknown),
  query: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})

/** The run came to its end with a failure of a component. */
class EndpointFailed extends Data.TaggedError("EndpointFailed")<{ readonly message: string }> {}

export const layer: Layer.Layer<never, never, Agents | Scheduler.JobKinds> = Scheduler.handler(
  "endpoint",
  Call,
  Effect.fnUntraced(function*({ agent, ...request }) {
    const agents = yield* Agents
    const { answer, failed } = yield* agents.call(agent, request)
    return failed ? yield* new EndpointFailed({ message: toText(answer).slice(0, 1000) }) : answer
  })
)
