/**
 * List prices of well-known models by the provider's own name, in US dollars: compared with the public table of
 * https://models.dev of 2 July 2026, and where that has none written down from the price pages of the providers in early 2026
 * (platform.openai.com/docs/pricing, docs.anthropic.com/en/docs/about-claude/pricing, ai.google.dev/gemini-api/docs/pricing,
 * groq.com/pricing, docs.x.ai/docs/models, aws.amazon.com/bedrock/pricing). They change, and nothing here looks them up.
 * Where a model has several prices for the same tokens (long prompts, large pictures, regions) it is the highest, so that no
 * budget is exceeded by one; but sound in a prompt counts as its text does, and searches of the provider are not counted.
 * `prices` in an operator's registry replaces what has changed or was negotiated.
 */
import type { Prices } from "./Prices.ts"

/** For a million tokens: input, output, read from the provider's cache, written to it. */
type Row = readonly [input: number, output: number, cacheRead?: number, cacheWrite?: number]

const rows: Readonly<Record<string, Row>> = {
  "Echo": [0, 0],
  "deepseek-v4-pro": [0.435, 0.87, 0.003625],
  "deepseek-v4-flash": [0.14, 0.28, 0.0028],
  "deepseek-reasoner": [0.14, 0.28, 0.0028],
  "deepseek-chat": [0.14, 0.28, 0.0028],
  // Of prompts above 272 000 tokens.
  "gpt-5.5": [10, 45, 1],
  "gpt-5.4": [5, 22.5, 0.5],
  "gpt-5.4-mini": [0.75, 4.5, 0.075],
  "gpt-5.4-nano": [0.2, 1.25, 0.02],
  "gpt-5.2": [1.75, 14, 0.175],
  "gpt-5.1": [1.25, 10, 0.125],
  "gpt-5": [1.25, 10, 0.125],
  "gpt-5-mini": [0.25, 2, 0.025],
  "gpt-5-nano": [0.05, 0.4, 0.005],
  "gpt-4o-mini": [0.15, 0.6, 0.075],
  "gpt-4o-mini-2024-07-18": [0.15, 0.6, 0.075],
  "gpt-4.1-nano": [0.1, 0.4, 0.025],
  "gpt-4.1-mini": [0.4, 1.6, 0.1],
  "gpt-4.1": [2, 8, 0.5],
  "gpt-4.5-preview": [75, 150, 37.5],
  "gpt-4o-2024-08-06": [2.5, 10, 1.25],
  "o4-mini-2025-04-16": [1.1, 4.4, 0.275],
  "o3-2025-04-16": [2, 8, 0.5],
  "o3-mini-2025-01-31": [1.1, 4.4, 0.55],
  "o1-2024-12-17": [15, 60, 7.5],
  "o1-mini-2024-09-12": [1.1, 4.4, 0.55],
  "o1-preview-2024-09-12": [15, 60, 7.5],
  "gpt-4-turbo-2024-04-09": [10, 30],
  "gpt-4-0613": [30, 60],
  "gpt-3.5-turbo-0125": [0.5, 1.5],
  "text-embedding-ada-002": [0.1, 0],
  "text-embedding-3-large": [0.13, 0],
  "text-embedding-3-small": [0.02, 0],
  "gpt-image-1": [10, 40, 2.5],
  "gpt-4o-mini-tts": [0.6, 12],
  "gpt-4o-transcribe": [6, 10],
  "gpt-4o-mini-transcribe": [3, 5],
  "claude-fable-5": [10, 50, 1, 12.5],
  // From September 2026; before, a third less.
  "claude-sonnet-5": [3, 15, 0.3, 3.75],
  "claude-opus-4-8": [5, 25, 0.5, 6.25],
  "claude-opus-4-7": [5, 25, 0.5, 6.25],
  "claude-opus-4-5": [5, 25, 0.5, 6.25],
  "claude-sonnet-4-5": [3, 15, 0.3, 3.75],
  "claude-haiku-4-5": [1, 5, 0.1, 1.25],
  "claude-opus-4-1-20250805": [15, 75, 1.5, 18.75],
  "claude-opus-4-6": [5, 25, 0.5, 6.25],
  "claude-sonnet-4-6": [3, 15, 0.3, 3.75],
  "claude-opus-4-20250514": [15, 75, 1.5, 18.75],
  "claude-sonnet-4-20250514": [3, 15, 0.3, 3.75],
  "claude-3-7-sonnet-20250219": [3, 15, 0.3, 3.75],
  "claude-3-5-haiku-latest": [0.8, 4, 0.08, 1],
  "claude-3-5-sonnet-latest": [3, 15, 0.3, 3.75],
  "claude-3-5-sonnet-20240620": [3, 15, 0.3, 3.75],
  "claude-3-opus-20240229": [15, 75, 1.5, 18.75],
  "claude-3-sonnet-20240229": [3, 15, 0.3, 3.75],
  "claude-3-haiku-20240307": [0.25, 1.25, 0.03, 0.3],
  "gemini-3.5-flash": [1.5, 9, 0.15],
  "gemini-3.1-flash-lite": [0.25, 1.5, 0.025],
  "gemini-2.5-flash": [0.3, 2.5, 0.03],
  "gemini-2.0-flash": [0.1, 0.4, 0.025],
  "gemini-2.0-flash-lite": [0.075, 0.3],
  "gemini-2.5-flash-lite": [0.1, 0.4, 0.01],
  // Of prompts above 200 000 tokens.
  "gemini-2.5-pro": [2.5, 15, 0.25],
  "gemini-3.1-pro-preview": [4, 18, 0.4],
  "gemini-3-pro-preview": [4, 18, 0.4],
  "gemini-2.5-flash-image": [0.3, 30, 0.075],
  "gemini-embedding-001": [0.15, 0],
  "us.anthropic.claude-sonnet-4-5-20250929-v1:0": [3.3, 16.5, 0.33, 4.125],
  "amazon.titan-embed-text-v2:0": [0.02, 0],
  "amazon.nova-pro-v1:0": [0.8, 3.2, 0.2],
  "amazon.nova-lite-v1:0": [0.06, 0.24, 0.015],
  "amazon.nova-micro-v1:0": [0.035, 0.14, 0.00875],
  // Of prompts above 200 000 tokens.
  "grok-4.3": [2.5, 5, 0.4],
  "grok-4": [3, 15, 0.75],
  "grok-3": [3, 15, 0.75],
  "grok-3-mini": [0.3, 0.5, 0.075],
  "openai/gpt-oss-120b": [0.15, 0.6, 0.075],
  "openai/gpt-oss-20b": [0.075, 0.3, 0.0375],
  "meta-llama/llama-4-scout-17b-16e-instruct": [0.11, 0.34],
  "llama-3.3-70b-versatile": [0.59, 0.79],
  "llama-3.1-8b-instant": [0.05, 0.08],
  "llama3-70b-8192": [0.59, 0.79],
  "llama3-8b-8192": [0.05, 0.08],
  "gemma2-9b-it": [0.2, 0.2],
  "deepseek-ai/DeepSeek-R1": [3, 7],
  "deepseek-ai/DeepSeek-V3": [1.25, 1.25],
  "meta-llama/Llama-3.3-70B-Instruct-Turbo": [0.88, 0.88],
  "meta-llama/Meta-Llama-3-8B-Instruct-Lite": [0.14, 0.14],
  "Qwen/Qwen2.5-7B-Instruct-Turbo": [0.3, 0.3]
}

/** Billed by the piece: a picture of the largest size and best quality, a million characters, a minute. */
const pieces: Readonly<Record<string, Pick<Prices, "characters" | "image" | "minute">>> = {
  "dall-e-3": { image: 0.12 },
  "dall-e-2": { image: 0.02 },
  "imagen-4.0-generate-001": { image: 0.04 },
  "imagen-4.0-ultra-generate-001": { image: 0.06 },
  "amazon.nova-canvas-v1:0": { image: 0.08 },
  "amazon.titan-image-generator-v2:0": { image: 0.012 },
  "stability.sd3-5-large-v1:0": { image: 0.08 },
  "tts-1": { characters: 15 },
  "tts-1-hd": { characters: 30 },
  "whisper-1": { minute: 0.006 }
}

export const builtInPrices: ReadonlyMap<string, Prices> = new Map([
  ...Object.entries(rows).map(([modelId, [input, output, cacheRead, cacheWrite]]) =>
    [modelId, {
      input,
      output,
      ...(cacheRead === undefined ? {} : { cacheRead }),
      ...(cacheWrite === undefined ? {} : { cacheWrite })
    }] as const
  ),
  ...Object.entries(pieces).map(([modelId, prices]) => [modelId, { input: 0, output: 0, ...prices }] as const)
])
