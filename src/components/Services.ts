/** The subsystems a component may ask for. */
import type { Vault } from "../security/Vault.ts"
import type { Code } from "../subsystems/compute/Code.ts"
import type { Computer } from "../subsystems/compute/Computer.ts"
import type { ApiDocuments } from "../subsystems/io/ApiDocuments.ts"
import type { Documents } from "../subsystems/io/Documents.ts"
import type { Mcp } from "../subsystems/io/Mcp.ts"
import type { NKV } from "../subsystems/io/NKV.ts"
import type { OAuthTokens } from "../subsystems/io/OAuthTokens.ts"
import type { Outbound } from "../subsystems/io/Outbound.ts"
import type { Storage } from "../subsystems/io/Storage.ts"
import type { VectorDB } from "../subsystems/io/VectorDB.ts"
import type { WebPages } from "../subsystems/io/WebPages.ts"
import type { WebSearch } from "../subsystems/io/WebSearch.ts"
import type { Embeddings } from "../subsystems/llm/Embeddings.ts"
import type { Images } from "../subsystems/llm/Images.ts"
import type { Inference } from "../subsystems/llm/Inference.ts"
import type { LLM } from "../subsystems/llm/LLM.ts"
import type { Models } from "../subsystems/llm/Models.ts"
import type { Speech } from "../subsystems/llm/Speech.ts"
import type { Cache } from "../subsystems/memory/Cache.ts"
import type { LLMContext } from "../subsystems/memory/LLMContext.ts"
import type { AgentCalls } from "./AgentCalls.ts"

export type Services =
  | AgentCalls
  | ApiDocuments
  | Cache
  | Code
  | Computer
  | Documents
  | Embeddings
  | Images
  | Inference
  | LLM
  | LLMContext
  | Mcp
  | Models
  | NKV
  | OAuthTokens
  | Outbound
  | Speech
  | Storage
  | Vault
  | VectorDB
  | WebPages
  | WebSearch
