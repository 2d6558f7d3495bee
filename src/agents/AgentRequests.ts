/** What can be asked of the process table, and how it refuses. */
import type * as Component from "../components/Component.ts"
import type * as Access from "../security/Access.ts"
import type { AgentNotFound } from "../subsystems/io/AgentData.ts"
import type * as Conversation from "../subsystems/llm/Conversation.ts"
import type { InvalidMemory } from "../subsystems/llm/ConversationMemory.ts"
import type { RuntimeContextError } from "../subsystems/memory/RuntimeContext.ts"
import type { EndpointNotFound, NoModel, RunNotFound } from "./AgentErrors.ts"
import type { RunFailure } from "./AgentRun.ts"
import type { RunResult } from "./Answer.ts"
import type { DebugOptions } from "./Debugger.ts"
import type * as Endpoint from "./Endpoint.ts"

/** `call` refused before anything ran, or ended without an answer. Failures of components are part of the answer. */
export type CallError = AgentNotFound | EndpointNotFound | Endpoint.BadInput | Access.AccessError | RunFailure

export interface CallRequest extends Endpoint.EndpointRequest {
  readonly endpoint: string
  /** Absent: whichever method the endpoint has, `POST` before `GET`. */
  readonly method?: "GET" | "POST" | undefined
  /** Groups runs for the `session` scope of memory components; private to the caller. */
  readonly sessionId?: string | undefined
  /** Conversation of the caller this run is a tool call of. */
  readonly conversationId?: string | undefined
}

export interface StartRequest extends CallRequest {
  /** For owners of the agent: what a debugged run got and gave can be seen, and changed. */
  readonly debug?: DebugOptions | undefined
}

export interface ComponentRequest {
  /** Id in the document, also of a component within a loop. */
  readonly component: string
  /** By port; they are made to fit as if they had come by a connection. */
  readonly inputs?: Readonly<Record<string, unknown>> | undefined
  readonly debug?: DebugOptions | undefined
}

export type PromptError =
  | AgentNotFound
  | InvalidMemory
  | NoModel
  | Access.AccessError
  | Conversation.ConversationError

export interface CallResult extends RunResult {
  readonly runId: string
}

/** A run, by its agent and its id. */
export interface RunRef {
  readonly agent: string
  readonly run: string
}

/** The run is unknown, another's, or was saved by a program that this one does not understand. */
export type RunError = AgentNotFound | RunNotFound | Access.AccessError | RuntimeContextError

/** What may be changed of a debugged run while it is held. */
export interface DebugChange {
  readonly breakpoints?: ReadonlyArray<string> | undefined
  /** Outputs for the next time a component has its turn, in its place. */
  readonly inject?: Readonly<Record<string, Component.Outputs>> | undefined
  /** The same every time. */
  readonly mocks?: Readonly<Record<string, Component.Outputs>> | undefined
}

export interface Counts {
  readonly agents: number
  /** Runs under way, those waiting for a place, those that are held. */
  readonly running: number
  readonly queued: number
  readonly paused: number
  readonly jobs: number
}
