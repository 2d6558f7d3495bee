/** Asks another agent, which answers with its own tools, model and identity. */
import { Effect, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import { AgentCalls } from "../AgentCalls.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Completion from "./Completion.ts"
import * as Talk from "./Talk.ts"

export const AgentPlugin = Component.make("AgentPlugin", {
  description: "Asks another agent that this one may call; outputs that are declared are asked for by name.",
  category: "ai",
  config: Schema.Struct({
    ...Talk.settings,
    agentId: Settings.text({ max: 200 }),
    /** Of old. An agent is loaded once, and is asked as it is: `same-as-parent`, `dev-latest` and `prod-latest` are all the same. */
    version: Settings.text({ max: 100, default: "" })
  }),
  inputs: Schema.Struct({ Prompt: Port.Any }),
  outputs: Schema.Struct({ Response: Port.Any }),
  openInputs: true,
  openOutputs: true,
  check: ({ version }) =>
    ["", "latest", "same-as-parent", "dev-latest", "prod-latest"].includes(version)
      ? []
      : [{
        setting: "version",
        problem: `it has no effect: the agent that is loaded is asked, whether it is "${version}" or not`
      }],
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const agents = yield* AgentCalls
    const model = config.model ?? config.openAiModel
    // The other agent keeps its own system prompt: what it refuses must not be for others to change.
    const message = [step.render(config.descForModel), Json.toText(inputs.Prompt)].filter((one) => one !== "").join(
      "\n\n"
    )
    const events = agents.ask({
      agent: config.agentId,
      message: Completion.enhance(message, Completion.customOutputs(step)),
      model,
      run: step.run
    })
    const text = yield* Talk.follow(events, { model: model ?? config.agentId, passthrough: config.passthrough, step })
    return { Response: Completion.replyOf(text) }
  })
})
