/** The key `Agents` of a configuration: bounds of the process table. */
import { Effect } from "effect"
import { AgentSettings } from "../agents/AgentSettings.ts"
import * as Section from "./Section.ts"

export const key = "Agents"

/** What it says, and the configuration without it. */
export const split = (config: unknown) =>
  Effect.map(Section.split(config, key, AgentSettings), ({ rest, settings = {} }) => ({ rest, settings }))
