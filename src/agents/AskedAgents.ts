/** How agents answer the components of others. */
import { type Context, Effect, Stream } from "effect"
import type { AgentCalls } from "../components/AgentCalls.ts"
import type * as Access from "../security/Access.ts"
import type { AgentNotFound } from "../subsystems/io/AgentData.ts"
import type { NKV } from "../subsystems/io/NKV.ts"
import type { VectorDB } from "../subsystems/io/VectorDB.ts"
import type { LLM } from "../subsystems/llm/LLM.ts"
import type { Models } from "../subsystems/llm/Models.ts"
import type { LLMContext } from "../subsystems/memory/LLMContext.ts"
import { AgentsTooDeep } from "./AgentErrors.ts"
import type { Process } from "./Process.ts"
import * as Talks from "./Talks.ts"

export const make = ({ find, maxDepth, runTool, services }: {
  /** An agent that the asker may call. */
  readonly find: (id: string) => Effect.Effect<Process, AgentNotFound | Access.AccessError>
  readonly runTool: Talks.RunTool
  readonly services: Context.Context<LLM | LLMContext | Models | NKV | VectorDB>
  readonly maxDepth: number
}): typeof AgentCalls.Service => ({
  ask: ({ agent, message, model, run }) =>
    Stream.provideSomeContext(
      Stream.unwrap(Effect.gen(function*() {
        const process = yield* find(agent)
        const depth = (run.depth ?? 0) + 1
        if (depth > maxDepth) return yield* new AgentsTooDeep({ agent, maxDepth })
        return yield* Talks.open(process, runTool, { message, model }, { depth, workflowId: run.workflowId })
      })),
      services
    )
})
