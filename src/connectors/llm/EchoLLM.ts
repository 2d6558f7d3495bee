/** A model that says what it was told: no server, no key, no tokens to count. For trying things out and for tests. */
import { Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import type { LLMEvent, Message } from "../../subsystems/llm/Prompt.ts"

export const EchoLLM = Connector.make({
  name: "Echo",
  contract: LLM.LLMConnector,
  service: LLM.standalone,
  settings: Schema.Struct({}),
  make: () =>
    Effect.succeed(LLM.LLMConnector.of({
      provider: "Echo",
      credentials: { environment: undefined, required: false },
      stream: ({ messages }) =>
        Pull.fromIterable<LLMEvent>([
          ...lastUserText(messages).split(/(?<= )/).filter((word) => word !== "").map((delta): LLMEvent => ({
            type: "text",
            delta
          })),
          { type: "finish", reason: "stop" }
        ])
    }))
})

export const EchoLLMLive = EchoLLM.layer({})

const lastUserText = (messages: ReadonlyArray<Message>): string => {
  const last = messages.findLast(({ role }) => role === "user")
  return last?.role !== "user"
    ? ""
    : last.content.flatMap((part) => part.type === "text" ? [part.text] : []).join("")
}
