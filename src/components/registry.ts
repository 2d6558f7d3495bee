/** Every component an agent may use. */
import { Classifier } from "./ai/Classifier.ts"
import { GenAILLM } from "./ai/GenAILLM.ts"
import { PromptGenerator } from "./ai/PromptGenerator.ts"
import type * as Component from "./Component.ts"
import { FEncDec } from "./data/FEncDec.ts"
import { FHash } from "./data/FHash.ts"
import { FSign } from "./data/FSign.ts"
import { FTimestamp } from "./data/FTimestamp.ts"
import { JSONFilter } from "./data/JSONFilter.ts"
import { APICall } from "./external/APICall.ts"
import { Async } from "./logic/Async.ts"
import { Await } from "./logic/Await.ts"
import { ForEach } from "./logic/ForEach.ts"
import { FSleep } from "./logic/FSleep.ts"
import { LogicAND } from "./logic/LogicAND.ts"
import { LogicAtLeast } from "./logic/LogicAtLeast.ts"
import { LogicAtMost } from "./logic/LogicAtMost.ts"
import { LogicOR } from "./logic/LogicOR.ts"
import { LogicXOR } from "./logic/LogicXOR.ts"
import { FileStore } from "./storage/FileStore.ts"
import { MemoryDeleteKeyVal } from "./storage/MemoryDeleteKeyVal.ts"
import { MemoryReadKeyVal } from "./storage/MemoryReadKeyVal.ts"
import { MemoryWriteKeyVal } from "./storage/MemoryWriteKeyVal.ts"
import { MemoryWriteObject } from "./storage/MemoryWriteObject.ts"
import { APIEndpoint } from "./system/APIEndpoint.ts"
import { APIOutput } from "./system/APIOutput.ts"
import { Note } from "./system/Note.ts"

export const builtIn = [
  APICall,
  APIEndpoint,
  APIOutput,
  Async,
  Await,
  Classifier,
  FEncDec,
  FHash,
  FileStore,
  ForEach,
  FSign,
  FSleep,
  FTimestamp,
  GenAILLM,
  JSONFilter,
  LogicAND,
  LogicAtLeast,
  LogicAtMost,
  LogicOR,
  LogicXOR,
  MemoryDeleteKeyVal,
  MemoryReadKeyVal,
  MemoryWriteKeyVal,
  MemoryWriteObject,
  Note,
  PromptGenerator
] as const satisfies ReadonlyArray<Component.Any>
