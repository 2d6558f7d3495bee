/** What happens in a run, as data: one schema for every face. Numbered from 0 without gaps. */
import { Schema } from "effect"
import * as Prompt from "../subsystems/llm/Prompt.ts"

const step = {
  /** Stable over replays: component id, and the iteration path inside loops. */
  key: Schema.String,
  componentId: Schema.String,
  /** Registry name. */
  component: Schema.String,
  title: Schema.String
}

const bodies = [
  Schema.TaggedStruct("RunStarted", {
    agentId: Schema.String,
    /** `POST digest`, `job A1`, `component H1`. */
    what: Schema.String,
    endpoint: Schema.String,
    method: Schema.String
  }),
  Schema.TaggedStruct("StepStarted", step),
  Schema.TaggedStruct("StepEnded", {
    ...step,
    /** The outputs that fired, with about the bytes each takes as JSON; never the values. */
    outputs: Schema.Array(Schema.Struct({ name: Schema.String, bytes: Schema.Int }))
  }),
  Schema.TaggedStruct("StepFailed", { ...step, error: Schema.String }),
  /** Not run, and why: which required input got no value, or that no value arrived at all. */
  Schema.TaggedStruct("StepSkipped", { ...step, reason: Schema.String }),
  Schema.TaggedStruct("RoundStarted", { round: Schema.Int, heads: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("LoopProgressed", { ...step, ended: Schema.Int, items: Schema.Int }),
  /** A job of this run; its own events stand under its id. */
  Schema.TaggedStruct("JobStarted", { ...step, jobId: Schema.String }),
  Schema.TaggedStruct("JobEnded", { jobId: Schema.String, failed: Schema.Boolean }),
  /** No step begins until it goes on; its state is data. */
  Schema.TaggedStruct("RunPaused", { next: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("RunResumed", {}),
  Schema.TaggedStruct("Logged", {
    ...step,
    level: Schema.Literal("debug", "info", "warning", "error"),
    message: Schema.String
  }),
  /** Model output of a passthrough component. */
  Schema.TaggedStruct("Content", { ...step, kind: Schema.Literal("content", "thinking"), text: Schema.String }),
  /** What one call of a model took. */
  Schema.TaggedStruct("Usage", { ...step, model: Schema.String, usage: Prompt.Usage }),
  Schema.TaggedStruct("RunEnded", { answer: Schema.Unknown, failed: Schema.Boolean }),
  /** The run could not go on: stopped, timed out, too many rounds. */
  Schema.TaggedStruct("RunFailed", { error: Schema.String, message: Schema.String })
] as const

export const AgentEventBody = Schema.Union(...bodies)
export type AgentEventBody = typeof AgentEventBody.Type

export const AgentEvent = Schema.Struct({
  seq: Schema.Int,
  /** Milliseconds since 1970. */
  time: Schema.Int,
  runId: Schema.String,
  event: Schema.Union(
    ...bodies,
    /** A subscriber was too slow: events before the next one are gone. */
    Schema.TaggedStruct("Gap", { missed: Schema.Int })
  )
})
export type AgentEvent = typeof AgentEvent.Type
