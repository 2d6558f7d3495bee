/** Conversations with agents: an agent's exposed endpoints are the tools of its model. */
import { Data, Effect, Redacted } from "effect"
import type { RunInfo } from "../components/Component.ts"
import * as Ids from "../kernel/Ids.ts"
import { toText } from "../kernel/Json.ts"
import * as Candidate from "../security/Candidate.ts"
import * as Conversation from "../subsystems/llm/Conversation.ts"
import * as ConversationMemory from "../subsystems/llm/ConversationMemory.ts"
import type * as LLM from "../subsystems/llm/LLM.ts"
import type * as Prompt from "../subsystems/llm/Prompt.ts"
import type * as Recall from "../subsystems/llm/Recall.ts"
import type { Say } from "../subsystems/llm/ToolCalls.ts"
import * as LLMContext from "../subsystems/memory/LLMContext.ts"
import { NoModel } from "./AgentErrors.ts"
import type { RunFailure } from "./AgentRun.ts"
import { defaultModelOf, toolOf } from "./AgentTools.ts"
import type { RunResult } from "./Answer.ts"
import type { Process } from "./Process.ts"
import type { EndpointPlan } from "./Program.ts"

export interface PromptRequest {
  readonly message: string
  readonly files?: ReadonlyArray<Prompt.FilePart> | undefined
  /** Continues the caller's conversation of this id; absent: one message without memory. No slashes. */
  readonly conversationId?: string | undefined
  /** What the agent remembers of the caller beyond this conversation, which has an id then. */
  readonly memory?: ConversationMemory.Options | undefined
  /** Instead of the agent's own model. */
  readonly model?: string | LLM.ModelSpec | undefined
  /** Calls of tools in answer to this message. */
  readonly maxToolCalls?: number | undefined
}

/** The run of another agent that a conversation is part of. */
export type Within = Required<Pick<RunInfo, "depth" | "workflowId">>

/** Told to the model as the result of its call. */
class ToolFailed extends Data.TaggedError("ToolFailed")<{ readonly message: string }> {}

/** Runs an endpoint of the agent, telling what its components stream meanwhile. */
export type RunTool = (
  process: Process,
  plan: EndpointPlan,
  info: RunInfo,
  say: Say
) => Effect.Effect<RunResult, RunFailure>

/** Ids come from outside and are data: each caller has its own. A candidate has no space in it. */
export const ownOf = (caller: Candidate.Candidate, id: string): string => `${Candidate.format(caller)} ${id}`

export const callersOwn = (id: string) => Effect.map(Candidate.current, (caller) => ownOf(caller, id))

/** Nobody is known to be the same anyone twice: what they share is a conversation whose id they know. */
const callersPlace = (id: string): Effect.Effect<Recall.Place, Candidate.NoCandidate> =>
  Effect.map(Candidate.current, (caller) => {
    const conversation = ownOf(caller, id)
    return { conversation, owner: caller.role === "public" ? conversation : Candidate.format(caller) }
  })

/** A turn of a conversation with the agent. */
export const open = Effect.fnUntraced(function*(
  process: Process,
  runTool: RunTool,
  { conversationId, files, maxToolCalls, memory = {}, message, model: asked }: PromptRequest,
  within?: Within
) {
  const model = asked === undefined ? defaultModelOf(process.definition.document) : withoutVault(asked)
  if (model === undefined) return yield* new NoModel({ agent: process.id })
  const place = conversationId === undefined ? undefined : yield* callersPlace(conversationId)
  const kept = place?.conversation
  const conversation = yield* Conversation.make({
    model,
    system: process.program.agent.behavior,
    tools: toolsOf(process, runTool, kept, within),
    maxToolCalls,
    memory: yield* ConversationMemory.make(memory, place),
    history: kept === undefined ? undefined : { id: kept }
  }).pipe(Candidate.as(process.candidate))
  return Candidate.streamAs(conversation.prompt(message, files), process.candidate)
})

/** A call of a tool is a run of its own, within the conversation's agent. */
const toolsOf = (process: Process, runTool: RunTool, conversationId: string | undefined, within?: Within) =>
  Array.from(process.program.plans.values()).filter(({ endpoint }) => endpoint.exposed).map((plan) => ({
    tool: toolOf(plan.endpoint),
    status: plan.endpoint.statusMessage,
    run: Effect.fnUntraced(function*(params: Readonly<Record<string, unknown>>, say: Say) {
      const request = yield* plan.endpoint.prepare({ body: params, query: params })
      const runId = yield* Ids.make("run")
      const sessionId = conversationId ?? runId
      const info = { id: runId, sessionId, workflowId: runId, conversationId, request, ...within }
      const { answer, failed } = yield* runTool(process, plan, info, say)
      return failed ? yield* new ToolFailed({ message: toText(answer) }) : answer
    })
  }))

/** What was said in the caller's own conversation with an agent. */
export const history = (process: Process, conversationId: string) =>
  Effect.flatMap(
    callersPlace(conversationId),
    ({ conversation }) =>
      Effect.flatMap(LLMContext.LLMContext, (context) => context.load(conversation)).pipe(
        Candidate.as(process.candidate)
      )
  )

/** Also what other conversations would recall of it. */
export const forget = (process: Process, conversationId: string, what?: ConversationMemory.Forgetting) =>
  Effect.flatMap(
    callersPlace(conversationId),
    (place) =>
      Effect.flatMap(LLMContext.LLMContext, (context) => context.clear(place.conversation)).pipe(
        Effect.zipRight(ConversationMemory.forget(place, what)),
        Candidate.as(process.candidate)
      )
  )

/** The agent's keys go to no address that a caller names. */
const withoutVault = (model: string | LLM.ModelSpec): string | LLM.ModelSpec =>
  typeof model === "string" || model.baseURL === undefined ? model : { apiKey: noKey, ...model }

const noKey = Redacted.make("")
