/** A chat that remembers: the agent keeps what each user said in each conversation. */
import { Duration, Effect, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import { Cache } from "../../subsystems/memory/Cache.ts"
import { LLMContext } from "../../subsystems/memory/LLMContext.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Completion from "./Completion.ts"
import * as Talk from "./Talk.ts"

export const LLMAssistant = Component.make("LLMAssistant", {
  description: "Answers a user with what was said before in mind; outputs that are declared are asked for by name.",
  category: "ai",
  config: Schema.Struct({
    ...Completion.settings,
    /** The system prompt. */
    behavior: Settings.template({ max: 30_000, default: "" }),
    /** Seconds without a message after which a conversation is forgotten. Default: never. */
    ttl: Settings.optional(Settings.integer({ min: 1 }))
  }),
  inputs: Schema.Struct({
    UserInput: Port.Any,
    UserId: Schema.optional(Port.Any),
    ConversationId: Schema.optional(Port.Any)
  }),
  outputs: Schema.Struct({ Response: Port.Any }),
  openInputs: true,
  openOutputs: true,
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const model = yield* Completion.choose(config)
    const outputs = model.isEcho ? [] : Completion.customOutputs(step)
    const history = historyOf(inputs.UserId, inputs.ConversationId, step)
    if (history !== undefined && config.ttl !== undefined) yield* forgetIfOld(history, Duration.seconds(config.ttl))
    const text = yield* Talk.ask({
      config,
      system: step.render(config.behavior),
      prompt: Completion.enhance(Json.toText(inputs.UserInput), outputs),
      tools: [],
      parameters: Completion.parametersOf(config, outputs.length > 0),
      history,
      step
    })
    return { Response: Completion.replyOf(text) }
  })
})

/** Without a user and a conversation there is nothing to remember by. */
const historyOf = (user: unknown, conversation: unknown, { component }: Component.Step): string | undefined => {
  const [userId, conversationId] = [user, conversation].map((id) =>
    id === undefined || id === null ? "" : Json.toText(id)
  )
  return userId === "" && conversationId === ""
    ? undefined
    : [component.id, userId, conversationId].map((one) => encodeURIComponent(one!)).join(" ")
}

/** A mark beside the conversation lasts as long as it; each message renews it. */
const forgetIfOld = Effect.fnUntraced(function*(history: string, timeToLive: Duration.Duration) {
  const cache = yield* Cache
  const context = yield* LLMContext
  const mark = `assistant ${history}`
  if (yield* cache.touch(mark, timeToLive)) return
  yield* context.clear(history)
  yield* cache.set(mark, "", { timeToLive })
})
