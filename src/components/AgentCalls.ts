/** AgentCalls: other agents, as a component may ask them. The process table answers; it stands above components. */
import { Context, type Stream } from "effect"
import type { ConversationEvent } from "../subsystems/llm/Conversation.ts"
import type { RunInfo } from "./Component.ts"

export interface Question {
  /** Id of the agent that is asked. */
  readonly agent: string
  readonly message: string
  /** Instead of the agent's own model. */
  readonly model?: string | undefined
  /** The run that asks. */
  readonly run: Pick<RunInfo, "depth" | "workflowId">
}

export class AgentCalls extends Context.Tag("effect-sre/AgentCalls")<AgentCalls, {
  /**
   * A turn of a conversation without memory, whose tools are the agent's exposed endpoints. Whoever asks must be one who may
   * call the agent; what it does then it does with its own identity. Agents that ask agents are bounded in depth.
   */
  readonly ask: (question: Question) => Stream.Stream<ConversationEvent, { readonly message: string }>
}>() {}
