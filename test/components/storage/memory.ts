/** The memory components, run in sessions and workflows of one agent. */
import type { Effect } from "effect"
import type { RunInfo } from "../../../src/components/Component.ts"
import { MemoryDeleteKeyVal } from "../../../src/components/storage/MemoryDeleteKeyVal.ts"
import { MemoryReadKeyVal } from "../../../src/components/storage/MemoryReadKeyVal.ts"
import { MemoryWriteKeyVal } from "../../../src/components/storage/MemoryWriteKeyVal.ts"
import { MemoryWriteObject } from "../../../src/components/storage/MemoryWriteObject.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { runComponent } from "../harness.ts"

type Values = Readonly<Record<string, unknown>>

export const run = (sessionId = "s1", workflowId = "w1"): RunInfo => ({
  id: "r1",
  sessionId,
  workflowId,
  conversationId: undefined,
  request: { method: "POST", endpoint: "go", headers: {}, body: {}, query: {} }
})

export const write = (settings: Values, inputs: Values = {}, place = run()) =>
  runComponent(MemoryWriteKeyVal, {
    settings: { memoryName: "m", key: "k", value: "v", ...settings },
    inputs,
    step: { run: place }
  })
export const read = (settings: Values = {}, place = run()) =>
  runComponent(MemoryReadKeyVal, { settings: { memoryName: "m", key: "k", ...settings }, step: { run: place } })
export const remove = (settings: Values = {}, place = run()) =>
  runComponent(MemoryDeleteKeyVal, { settings: { memoryName: "m", key: "k", ...settings }, step: { run: place } })
export const writeObject = (Data: unknown, settings: Values = {}) =>
  runComponent(MemoryWriteObject, { settings: { memoryName: "m", ...settings }, inputs: { Data } })

export const agent = <A, E, R>(effect: Effect.Effect<A, E, R>) => Candidate.as(effect, Candidate.agent("a1"))
export const missing = { _warning: `The memory "m" holds nothing under "k" for this run` }
