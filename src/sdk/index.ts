/** The Promise API. `SRE` starts the runtime, `SDK` holds what works on it. */
import { Agent } from "./Agent.ts"
import { Chat } from "./Chat.ts"
import { components } from "./Components.ts"
import { LLM } from "./LLM.ts"
import { Cache, Storage, Vault } from "./Services.ts"

export { Agent, type AgentSettings, type PromptOptions } from "./Agent.ts"
export { Chat, type ChatOptions } from "./Chat.ts"
export { Command } from "./Command.ts"
export { ComponentNode, type PortSettings, type Reference } from "./ComponentNode.ts"
export { components as Component } from "./Components.ts"
export { Emitter } from "./Emitter.ts"
export { LLM } from "./LLM.ts"
export type { ModelSettings } from "./Model.ts"
export { type As, localUser, SRE } from "./Runtime.ts"
export { Cache, Storage, Vault } from "./Services.ts"
export { SkillFailed, type SkillSettings } from "./Skill.ts"

/** Everything under one name, with a wrapper for every component: `SDK.FHash({ algorithm: "md5" }, agent)`. */
export const SDK = { ...components, Agent, Cache, Chat, LLM, Storage, Vault }
