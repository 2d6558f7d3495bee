/** The Promise API. `SRE` starts the runtime, `SDK` holds what works on it. */
import { Agent } from "./Agent.ts"
import { Chat } from "./Chat.ts"
import { type Components, components } from "./Components.ts"
import { LLM } from "./LLM.ts"
import { Cache, Storage, Vault } from "./Services.ts"

export { Agent, type AgentSettings, type CallOptions, type PromptOptions } from "./Agent.ts"
export { Chat, type ChatOptions, type ChatPromptOptions } from "./Chat.ts"
export { Command } from "./Command.ts"
export { ComponentNode, type PortSettings, type Reference } from "./ComponentNode.ts"
export { type Components, components as Component, type Make, wrap, type Wrapper } from "./Components.ts"
export type { AgentData } from "./Draft.ts"
export { Emitter, type Events, type PromptEvent } from "./Emitter.ts"
export { CallFailed, InvalidSettings, SkillExists, SkillFailed } from "./Errors.ts"
export { LLM, type LLMPromptOptions } from "./LLM.ts"
export type { LLMSettings, ModelSettings } from "./Model.ts"
export { type As, localUser, type ObjectOptions, type RunOptions, SRE } from "./Runtime.ts"
export { Cache, Storage, Vault } from "./Services.ts"
export type { SkillSettings } from "./Skill.ts"

/** Everything under one name, with a wrapper for every component: `SDK.FHash({ algorithm: "md5" }, agent)`. */
export const SDK: Sdk = { ...components, Agent, Cache, Chat, LLM, Storage, Vault }

export interface Sdk extends Components {
  readonly Agent: typeof Agent
  readonly Cache: typeof Cache
  readonly Chat: typeof Chat
  readonly LLM: typeof LLM
  readonly Storage: typeof Storage
  readonly Vault: typeof Vault
}
