/** The Promise API. `SRE` starts the runtime, `SDK` holds what works on it. */
import { Agent } from "./Agent.ts"
import { Chat } from "./Chat.ts"
import { components } from "./Components.ts"
import { LLM } from "./LLM.ts"
import { Cache, Storage, Vault } from "./Services.ts"

export { Agent, type AgentSettings, type CallOptions, type PromptOptions } from "./Agent.ts"
export { Chat, type ChatOptions, type ChatPromptOptions } from "./Chat.ts"
export { Command } from "./Command.ts"
export { ComponentNode, type PortSettings, type Reference } from "./ComponentNode.ts"
export { components as Component, wrap, type Wrapper } from "./Components.ts"
export type { AgentData } from "./Draft.ts"
export { Emitter, type Events, type PromptEvent } from "./Emitter.ts"
export { LLM, type LLMPromptOptions } from "./LLM.ts"
export type { LLMSettings, ModelSettings } from "./Model.ts"
export { type As, localUser, type ObjectOptions, type RunOptions, SRE } from "./Runtime.ts"
export { Cache, Storage, Vault } from "./Services.ts"
export { SkillFailed, type SkillSettings } from "./Skill.ts"

/** Everything under one name, with a wrapper for every component: `SDK.FHash({ algorithm: "md5" }, agent)`. */
export const SDK = { ...components, Agent, Cache, Chat, LLM, Storage, Vault }
