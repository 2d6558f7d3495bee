/** The subsystems a component may ask for. */
import type { Vault } from "../security/Vault.ts"
import type { Outbound } from "../subsystems/io/Outbound.ts"
import type { Storage } from "../subsystems/io/Storage.ts"
import type { LLM } from "../subsystems/llm/LLM.ts"
import type { Models } from "../subsystems/llm/Models.ts"
import type { Cache } from "../subsystems/memory/Cache.ts"
import type { LLMContext } from "../subsystems/memory/LLMContext.ts"

export type Services =
  | Cache
  | LLM
  | LLMContext
  | Models
  | Outbound
  | Storage
  | Vault
