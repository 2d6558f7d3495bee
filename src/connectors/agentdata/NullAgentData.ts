/** AgentData without documents: for hosts whose agents are all built in code. */
import { Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as AgentData from "../../subsystems/io/AgentData.ts"

export const NullAgentData = Connector.make({
  name: "NullAgentData",
  aliases: ["Null"],
  contract: AgentData.AgentDataConnector,
  service: AgentData.layer,
  settings: Schema.Struct({}),
  make: () =>
    Effect.succeed(AgentData.AgentDataConnector.of({
      get: () => Effect.succeed(Option.none()),
      findByDomain: () => Effect.succeedNone,
      list: Effect.succeed([])
    }))
})
