/** Every component an agent may use. */
import { AgentPlugin } from "./ai/AgentPlugin.ts"
import { Classifier } from "./ai/Classifier.ts"
import { ComputerUse } from "./ai/ComputerUse.ts"
import { GenAILLM } from "./ai/GenAILLM.ts"
import { HuggingFace } from "./ai/HuggingFace.ts"
import { ImageGenerator } from "./ai/ImageGenerator.ts"
import { LLMAssistant } from "./ai/LLMAssistant.ts"
import { MCPClient } from "./ai/MCPClient.ts"
import { MultimodalLLM } from "./ai/MultimodalLLM.ts"
import { OpenAPI } from "./ai/OpenAPI.ts"
import { PromptGenerator } from "./ai/PromptGenerator.ts"
import { VisionLLM } from "./ai/VisionLLM.ts"
import { ECMASandbox } from "./code/ECMASandbox.ts"
import { ServerlessCode } from "./code/ServerlessCode.ts"
import type * as Component from "./Component.ts"
import { FEncDec } from "./data/FEncDec.ts"
import { FHash } from "./data/FHash.ts"
import { FSign } from "./data/FSign.ts"
import { FTimestamp } from "./data/FTimestamp.ts"
import { JSONFilter } from "./data/JSONFilter.ts"
import { APICall } from "./external/APICall.ts"
import { WebScrape } from "./external/WebScrape.ts"
import { WebSearch } from "./external/WebSearch.ts"
import { ZapierAction } from "./external/ZapierAction.ts"
import { Async } from "./logic/Async.ts"
import { Await } from "./logic/Await.ts"
import { ForEach } from "./logic/ForEach.ts"
import { FSleep } from "./logic/FSleep.ts"
import { LogicAND } from "./logic/LogicAND.ts"
import { LogicAtLeast } from "./logic/LogicAtLeast.ts"
import { LogicAtMost } from "./logic/LogicAtMost.ts"
import { LogicNOT } from "./logic/LogicNOT.ts"
import { LogicOR } from "./logic/LogicOR.ts"
import { LogicXNOR } from "./logic/LogicXNOR.ts"
import { LogicXOR } from "./logic/LogicXOR.ts"
import { DataSourceCleaner } from "./rag/DataSourceCleaner.ts"
import { DataSourceIndexer } from "./rag/DataSourceIndexer.ts"
import { DataSourceLookup } from "./rag/DataSourceLookup.ts"
import { FileStore } from "./storage/FileStore.ts"
import { MemoryDeleteKeyVal } from "./storage/MemoryDeleteKeyVal.ts"
import { MemoryReadKeyVal } from "./storage/MemoryReadKeyVal.ts"
import { MemoryWriteKeyVal } from "./storage/MemoryWriteKeyVal.ts"
import { MemoryWriteObject } from "./storage/MemoryWriteObject.ts"
import { APIEndpoint } from "./system/APIEndpoint.ts"
import { APIOutput } from "./system/APIOutput.ts"
import { ComponentHost } from "./system/ComponentHost.ts"
import { Note } from "./system/Note.ts"
import { GmailTrigger } from "./trigger/GmailTrigger.ts"
import { JobSchedulerTrigger } from "./trigger/JobSchedulerTrigger.ts"
import { WebhookTrigger } from "./trigger/WebhookTrigger.ts"
import { WhatsAppTrigger } from "./trigger/WhatsAppTrigger.ts"

export const builtIn = [
  AgentPlugin,
  APICall,
  APIEndpoint,
  APIOutput,
  Async,
  Await,
  Classifier,
  ComponentHost,
  ComputerUse,
  DataSourceCleaner,
  DataSourceIndexer,
  DataSourceLookup,
  ECMASandbox,
  FEncDec,
  FHash,
  FileStore,
  ForEach,
  FSign,
  FSleep,
  FTimestamp,
  GenAILLM,
  GmailTrigger,
  HuggingFace,
  ImageGenerator,
  JobSchedulerTrigger,
  JSONFilter,
  LLMAssistant,
  LogicAND,
  LogicAtLeast,
  LogicAtMost,
  LogicNOT,
  LogicOR,
  LogicXNOR,
  LogicXOR,
  MCPClient,
  MemoryDeleteKeyVal,
  MemoryReadKeyVal,
  MemoryWriteKeyVal,
  MemoryWriteObject,
  MultimodalLLM,
  Note,
  OpenAPI,
  PromptGenerator,
  ServerlessCode,
  WebhookTrigger,
  WebScrape,
  WebSearch,
  WhatsAppTrigger,
  ZapierAction,
  VisionLLM
] as const satisfies ReadonlyArray<Component.Any>
