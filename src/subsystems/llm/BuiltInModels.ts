/**
 * The models everybody may name, by provider. Sizes are in tokens, with the asker's own key; of models that make pictures, those
 * of one picture. Sizes and features were compared with the public table of https://models.dev of 2 July 2026; models that it
 * no longer lists keep what their provider published. An operator's registry replaces what has changed.
 */
import { builtInPrices } from "./BuiltInPrices.ts"
import type { ModelEntry } from "./Models.ts"
import type { Prices } from "./Prices.ts"

/** Name, the provider's own name of it ("" for the same), context and output size, features, credential modes, more. */
type Row = readonly [
  name: string,
  modelId: string,
  contextTokens: number,
  outputTokens: number,
  features: string,
  credentials: string,
  more?: Partial<ModelEntry>
]

const hidden = { hidden: true }
const responses = { interface: "responses" } as const

const rows: Readonly<Record<string, { readonly baseURL?: string; readonly models: ReadonlyArray<Row> }>> = {
  Echo: {
    models: [
      ["Echo", "", 0, 0, "", ""]
    ]
  },
  DeepSeek: {
    baseURL: "https://api.deepseek.com/beta",
    models: [
      ["deepseek-v4-pro", "", 1000000, 384000, "text tools reasoning", "vault"],
      ["deepseek-v4-flash", "", 1000000, 384000, "text tools reasoning", "vault"],
      ["deepseek-reasoner", "", 1000000, 384000, "text tools reasoning", "vault"],
      ["deepseek-v2.5", "deepseek-chat", 1000000, 384000, "text tools", "vault"],
      ["deepseek-chat", "", 1000000, 384000, "", "vault"]
    ]
  },
  OpenAI: {
    models: [
      ["gpt-5.5", "", 1050000, 128000, "text tools image document reasoning search", "vault", responses],
      ["gpt-5.4", "", 1050000, 128000, "text tools image document reasoning search", "vault", responses],
      ["gpt-5.4-mini", "", 400000, 128000, "text tools image document reasoning search", "vault", responses],
      ["gpt-5.4-nano", "", 400000, 128000, "text tools image document reasoning", "vault", responses],
      ["gpt-5.2", "", 400000, 128000, "text tools image document reasoning search", "vault", responses],
      ["gpt-5.1", "", 400000, 128000, "text tools image document reasoning search", "vault", responses],
      ["gpt-5", "", 400000, 128000, "text tools image document reasoning search", "vault", responses],
      ["gpt-5-mini", "", 400000, 128000, "text tools image document reasoning search", "vault", responses],
      ["gpt-5-nano", "", 400000, 128000, "text tools image document reasoning", "vault", responses],
      ["gpt-4o-mini", "", 128000, 16384, "text tools image search", "vault"],
      ["gpt-4.1-nano", "", 1047576, 32768, "text tools image", "vault"],
      ["gpt-4.1-mini", "", 1047576, 32768, "text tools image search", "vault"],
      ["gpt-4.1", "", 1047576, 32768, "text tools image search", "vault"],
      ["gpt-4o-mini-2024-07-18", "", 128000, 16384, "", "vault"],
      ["gpt-4.5-preview", "", 128000, 16384, "text tools image", "vault"],
      ["gpt-4o", "gpt-4o-2024-08-06", 128000, 16384, "text tools image search document", "vault"],
      ["gpt-4o-2024-08-06", "", 128000, 16384, "", "vault"],
      ["o4-mini", "o4-mini-2025-04-16", 200000, 100000, "text reasoning", "vault"],
      ["o3", "o3-2025-04-16", 200000, 100000, "text reasoning", "vault"],
      ["o3-mini", "o3-mini-2025-01-31", 200000, 100000, "text reasoning", "vault", hidden],
      ["o3-mini-2025-01-31", "", 200000, 100000, "", "vault"],
      ["o1", "o1-2024-12-17", 200000, 100000, "text reasoning", "vault"],
      ["o1-2024-12-17", "", 200000, 100000, "", "vault"],
      ["o1-mini", "o1-mini-2024-09-12", 128000, 65536, "text", "vault"],
      ["o1-mini-2024-09-12", "", 128000, 65536, "", "vault"],
      ["o1-preview", "o1-preview-2024-09-12", 128000, 32768, "text", "vault"],
      ["o1-preview-2024-09-12", "", 128000, 32768, "", "vault"],
      ["gpt-4-turbo-latest", "gpt-4-turbo-2024-04-09", 128000, 4096, "text tools", "", hidden],
      ["gpt-4-turbo", "gpt-4-turbo-2024-04-09", 128000, 4096, "text tools image", "", hidden],
      ["gpt-4-turbo-2024-04-09", "", 128000, 4096, "", "vault"],
      ["gpt-4-latest", "gpt-4-0613", 8192, 8192, "text tools", "", hidden],
      ["gpt-4", "gpt-4o-2024-08-06", 128000, 16384, "text tools", "", hidden],
      ["gpt-4-0613", "", 8192, 8192, "", "vault", hidden],
      ["gpt-3.5-turbo-latest", "gpt-3.5-turbo-0125", 16385, 4096, "text tools", "", hidden],
      ["gpt-3.5-turbo", "gpt-3.5-turbo-0125", 16385, 4096, "text tools", "", hidden],
      ["gpt-3.5-turbo-0125", "", 16385, 4096, "", "vault"],
      ["text-embedding-ada-002", "", 8192, 0, "embeddings", "internal vault"],
      ["text-embedding-3-large", "", 8191, 0, "embeddings", "internal vault"],
      ["text-embedding-3-small", "", 8191, 0, "embeddings", "internal vault"],
      ["smythos/gpt-image-1", "gpt-image-1", 0, 6240, "image-generation", "internal"],
      ["gpt-image-1", "", 0, 6240, "image-generation", "vault"],
      ["dall-e-3", "", 0, 0, "image-generation", "vault"],
      ["dall-e-2", "", 0, 0, "image-generation", "vault"],
      ["tts-1", "", 0, 0, "speech", "vault"],
      ["tts-1-hd", "", 0, 0, "speech", "vault"],
      ["gpt-4o-mini-tts", "", 2000, 0, "speech", "vault"],
      ["whisper-1", "", 0, 0, "transcription", "vault"],
      ["gpt-4o-transcribe", "", 16000, 2000, "transcription", "vault"],
      ["gpt-4o-mini-transcribe", "", 16000, 2000, "transcription", "vault"]
    ]
  },
  Anthropic: {
    models: [
      ["claude-fable-5", "", 1000000, 128000, "text image document tools reasoning search", "vault"],
      ["claude-sonnet-5", "", 1000000, 128000, "text image document tools reasoning search", "vault"],
      ["claude-opus-4-8", "", 1000000, 128000, "text image document tools reasoning search", "vault"],
      ["claude-opus-4-7", "", 1000000, 128000, "text image document tools reasoning search", "vault"],
      ["claude-opus-4-6", "", 1000000, 128000, "text image document tools reasoning search", "vault"],
      ["claude-sonnet-4-6", "", 1000000, 64000, "text image document tools reasoning search", "vault"],
      ["claude-opus-4-5", "", 200000, 64000, "text image document tools reasoning search", "vault"],
      ["claude-sonnet-4-5", "", 200000, 64000, "text image document tools reasoning search", "vault"],
      ["claude-haiku-4-5", "", 200000, 64000, "text image document tools reasoning search", "vault"],
      [
        "claude-opus-4-1",
        "claude-opus-4-1-20250805",
        200000,
        32000,
        "text image document tools reasoning search",
        "vault"
      ],
      [
        "claude-4-opus",
        "claude-opus-4-20250514",
        200000,
        32000,
        "text image document tools reasoning search",
        "internal"
      ],
      [
        "claude-4-sonnet",
        "claude-sonnet-4-20250514",
        200000,
        64000,
        "text image document tools reasoning search",
        "vault"
      ],
      ["claude-3.7-sonnet", "claude-3-7-sonnet-20250219", 200000, 64000, "text tools image reasoning", "vault"],
      [
        "claude-3.7-sonnet-thinking",
        "claude-3-7-sonnet-20250219",
        200000,
        64000,
        "text tools image reasoning",
        "vault",
        hidden
      ],
      ["claude-3.5-haiku", "claude-3-5-haiku-latest", 200000, 8192, "text tools", "vault"],
      ["claude-3-5-haiku-latest", "", 200000, 8192, "", "vault"],
      ["claude-3-5-sonnet-latest", "", 200000, 8192, "text tools image", "vault"],
      ["claude-3.5-sonnet", "claude-3-5-sonnet-20240620", 200000, 8192, "text tools image", "vault"],
      ["claude-3-5-sonnet-20240620", "", 200000, 8192, "", "vault"],
      ["claude-3-opus", "claude-3-opus-20240229", 200000, 4096, "text tools image", "vault"],
      ["claude-3-opus-20240229", "", 200000, 4096, "", "vault"],
      ["claude-3-sonnet", "claude-3-sonnet-20240229", 200000, 4096, "text tools image", "vault", hidden],
      ["claude-3-sonnet-20240229", "", 200000, 4096, "", "vault"],
      ["claude-3-haiku", "claude-3-haiku-20240307", 200000, 4096, "text tools image", "vault", hidden],
      ["claude-3-haiku-20240307", "", 200000, 4096, "", "vault"],
      ["claude-2.1", "", 200000, 4096, "text image", "", hidden],
      ["claude-instant-1.2", "", 100000, 4096, "text image", "vault", hidden]
    ]
  },
  GoogleAI: {
    models: [
      ["gemini-3.5-flash", "", 1048576, 65536, "text tools image audio video document reasoning search", "vault"],
      ["gemini-3.1-pro-preview", "", 1048576, 65536, "text tools image audio video document reasoning search", "vault"],
      ["gemini-3.1-flash-lite", "", 1048576, 65536, "text tools image audio video document reasoning search", "vault"],
      ["gemini-3-pro-preview", "", 1048576, 65536, "text tools image audio video document reasoning search", "vault"],
      ["gemini-2.5-flash-lite", "", 1048576, 65536, "text tools image audio video document reasoning search", "vault"],
      ["gemini-2.5-flash", "", 1048576, 65536, "text tools image audio video document reasoning search", "vault"],
      ["gemini-2.0-flash", "", 1048576, 8192, "text tools image audio video document search", "vault", hidden],
      ["gemini-2.0-flash-lite", "", 1048576, 8192, "text tools image audio video document", "vault", hidden],
      ["gemini-2.5-pro", "", 1048576, 65536, "text tools image audio video document reasoning search", "vault"],
      ["gemini-2.5-pro-exp", "gemini-2.5-pro-exp-03-25", 1048576, 65536, "text image audio video document", "vault"],
      ["gemini-1.5-pro-exp-0801", "", 2097152, 8192, "text image audio video document", "vault", hidden],
      ["gemini-1.5-pro-latest-stable", "gemini-1.5-pro", 2097152, 8192, "text image audio video document", "vault"],
      ["gemini-1.5-pro-latest", "gemini-1.5-pro", 2097152, 8192, "", "vault", hidden],
      ["gemini-1.5-pro-stable", "gemini-1.5-pro", 2097152, 8192, "text image audio video document", "vault", {
        alias: "gemini-1.5-pro-001"
      }],
      ["gemini-1.5-pro", "", 2097152, 8192, "", "vault"],
      ["gemini-1.5-pro-001", "", 2097152, 8192, "", "vault"],
      ["gemini-1.5-flash-latest", "", 1048576, 8192, "text image audio video document", "vault", hidden],
      [
        "gemini-1.5-flash-latest-stable",
        "gemini-1.5-flash",
        1048576,
        8192,
        "text image audio video document",
        "vault",
        hidden
      ],
      ["gemini-1.5-flash-stable", "gemini-1.5-flash-001", 1048576, 8192, "text image audio video document", "vault"],
      ["gemini-1.5-flash", "", 1048576, 8192, "", "vault"],
      ["gemini-1.5-flash-001", "", 1048576, 8192, "", "vault"],
      ["gemini-1.0-pro-latest", "", 30720, 8192, "text", "vault", hidden],
      ["gemini-1.0-pro-latest-stable", "gemini-1.0-pro", 30720, 8192, "text", "vault", hidden],
      ["gemini-1.0-pro-stable", "gemini-1.0-pro-001", 30720, 8192, "text", "vault", hidden],
      ["gemini-1.0-pro", "", 30720, 8192, "", "vault"],
      ["gemini-1.0-pro-001", "", 30720, 8192, "", "vault"],
      ["gemini-pro-vision", "", 12288, 4096, "image", "vault", hidden],
      ["gemini-2.5-flash-image", "", 32768, 1290, "image-generation image-to-image", "vault"],
      ["gemini-embedding-001", "", 2048, 0, "embeddings", "vault"],
      ["imagen-4.0-generate-001", "", 0, 0, "image-generation", "vault"],
      ["imagen-4.0-ultra-generate-001", "", 0, 0, "image-generation", "vault"]
    ]
  },
  VertexAI: {
    models: [
      [
        "vertex/gemini-2.5-pro",
        "gemini-2.5-pro",
        1048576,
        65536,
        "text tools image audio video document reasoning search",
        "vault"
      ],
      [
        "vertex/gemini-2.5-flash",
        "gemini-2.5-flash",
        1048576,
        65536,
        "text tools image audio video document reasoning search",
        "vault"
      ]
    ]
  },
  Bedrock: {
    models: [
      [
        "bedrock/claude-sonnet-4-5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        200000,
        64000,
        "text image document tools reasoning",
        "vault"
      ],
      ["amazon.titan-embed-text-v2:0", "", 8192, 0, "embeddings", "vault"],
      ["amazon.nova-pro-v1:0", "", 300000, 10000, "text image document tools", "vault"],
      ["amazon.nova-lite-v1:0", "", 300000, 10000, "text image document tools", "vault"],
      ["amazon.nova-micro-v1:0", "", 128000, 10000, "text tools", "vault"],
      ["amazon.nova-canvas-v1:0", "", 0, 0, "image-generation", "vault"],
      ["amazon.titan-image-generator-v2:0", "", 0, 0, "image-generation", "vault"],
      ["stability.sd3-5-large-v1:0", "", 0, 0, "image-generation", "vault"]
    ]
  },
  Perplexity: {
    models: [
      ["sonar", "", 128000, 0, "text image search", "vault"],
      ["sonar-pro", "", 200000, 8000, "text image search", "vault"],
      ["sonar-reasoning-pro", "", 128000, 0, "text image search reasoning", "vault"],
      ["sonar-deep-research", "", 128000, 0, "text search reasoning", "vault"]
    ]
  },
  Groq: {
    models: [
      ["openai/gpt-oss-120b", "", 131072, 65536, "text tools reasoning", "vault"],
      ["openai/gpt-oss-20b", "", 131072, 65536, "text tools reasoning", "vault"],
      ["llama-3.3-70b", "llama-3.3-70b-versatile", 131072, 32768, "text tools", "vault"],
      ["groq-llama3-70b", "llama3-70b-8192", 8192, 8192, "text", "vault"],
      ["llama3-70b-8192", "", 8192, 8192, "", "vault"],
      ["groq-llama-3.1-8b-instant", "llama-3.1-8b-instant", 131072, 131072, "text tools", "vault"],
      ["llama-3.1-8b-instant", "", 131072, 131072, "", "vault"],
      ["llama-guard-3-8b", "", 8192, 8192, "text", "vault"],
      ["groq-llama3-8b", "llama3-8b-8192", 8192, 8192, "text", "vault"],
      ["llama3-8b-8192", "", 8192, 8192, "", "vault"],
      ["groq-gemma2-9b", "gemma2-9b-it", 8192, 8192, "text", "vault"],
      ["gemma2-9b-it", "", 8192, 8192, "", "vault"],
      ["groq-mixtral-8x7b", "mixtral-8x7b-32768", 32768, 32768, "text", "vault"],
      ["mixtral-8x7b-32768", "", 32768, 32768, "", "vault"],
      ["qwen-qwq-32b", "", 128000, 16384, "text", "vault"],
      ["mistral-saba-24b", "", 128000, 16384, "text", "vault"],
      ["qwen-2.5-coder-32b", "", 128000, 16384, "text", "vault"],
      ["qwen-2.5-32b", "", 128000, 16384, "text", "vault"],
      ["deepseek-r1-distill-qwen-32b", "", 128000, 16384, "text", "vault"],
      ["deepseek-r1-distill-llama-70b", "", 128000, 8192, "text", "vault"],
      ["meta-llama/llama-4-scout-17b-16e-instruct", "", 131072, 8192, "text", "vault"],
      ["llama-3.3-70b-specdec", "", 8192, 8192, "text", "vault"],
      ["llama-3.2-1b-preview", "", 128000, 8192, "text", "vault"],
      ["llama-3.2-3b-preview", "", 128000, 8192, "text", "vault"],
      ["llama-3.2-11b-vision-preview", "", 128000, 8192, "text image", "vault", hidden],
      ["llama-3.2-90b-vision-preview", "", 128000, 8192, "text image", "vault", hidden]
    ]
  },
  TogetherAI: {
    baseURL: "https://api.together.xyz/v1",
    models: [
      ["deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", "", 131072, 32768, "text", "vault"],
      ["deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "", 131072, 32768, "text", "vault"],
      ["deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "", 131072, 32768, "text", "vault"],
      ["deepseek-ai/DeepSeek-R1", "", 163839, 163839, "text", "vault"],
      ["deepseek-ai/DeepSeek-V3", "", 131072, 131072, "text", "vault"],
      ["deepseek-ai/deepseek-llm-67b-chat", "", 4096, 4096, "text", "vault"],
      ["meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", "", 524288, 524288, "text tools image", "vault"],
      ["meta-llama/Llama-4-Scout-17B-16E-Instruct", "", 327680, 327680, "text tools image", "vault"],
      ["meta-llama/Llama-3.3-70B-Instruct-Turbo", "", 131072, 131072, "text tools", "vault"],
      ["meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "", 131072, 131072, "text tools", "vault"],
      ["meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo", "", 131072, 131072, "text tools", "vault"],
      ["meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo", "", 130815, 130815, "text tools", "vault"],
      ["meta-llama/Meta-Llama-3-8B-Instruct-Turbo", "", 8192, 8192, "text", "vault"],
      ["meta-llama/Meta-Llama-3-70B-Instruct-Turbo", "", 8192, 8192, "text", "vault"],
      ["meta-llama/Llama-3.2-3B-Instruct-Turbo", "", 131072, 32768, "text", "vault"],
      ["meta-llama/Meta-Llama-3-8B-Instruct-Lite", "", 8192, 8192, "text", "vault"],
      ["meta-llama/Meta-Llama-3-70B-Instruct-Lite", "", 8192, 8192, "text", "vault"],
      ["meta-llama/Llama-3-8b-chat-hf", "", 8192, 8192, "text", "vault"],
      ["meta-llama/Llama-3-70b-chat-hf", "", 8192, 8192, "text", "vault"],
      ["meta-llama/Llama-2-13b-chat-hf", "", 4096, 4096, "text", "vault"],
      ["meta-llama/Llama-Vision-Free", "", 131072, 131072, "text image", "vault"],
      ["meta-llama/Llama-3.2-11B-Vision-Instruct-Turbo", "", 131072, 131072, "text image", "vault"],
      ["meta-llama/Llama-3.2-90B-Vision-Instruct-Turbo", "", 131072, 131072, "text image", "vault"],
      ["google/gemma-2-27b-it", "", 8192, 8192, "text", "vault"],
      ["google/gemma-2-9b-it", "", 8192, 8192, "text", "vault"],
      ["google/gemma-2b-it", "", 8192, 8192, "text", "vault"],
      ["mistralai/Mistral-7B-Instruct-v0.3", "", 32768, 32768, "text", "vault"],
      ["mistralai/Mistral-7B-Instruct-v0.2", "", 32768, 32768, "text", "vault"],
      ["mistralai/Mistral-7B-Instruct-v0.1", "", 8192, 8192, "text tools", "vault"],
      ["mistralai/Mixtral-8x7B-Instruct-v0.1", "", 32768, 32768, "text tools", "vault"],
      ["mistralai/Mixtral-8x22B-Instruct-v0.1", "", 65536, 65536, "text", "vault"],
      ["Qwen/Qwen2.5-Coder-32B-Instruct", "", 32768, 32768, "text", "vault"],
      ["Qwen/QwQ-32B-Preview", "", 32768, 32768, "text", "vault"],
      ["Qwen/Qwen2.5-7B-Instruct-Turbo", "", 32768, 32768, "text tools", "vault"],
      ["Qwen/Qwen2.5-72B-Instruct-Turbo", "", 32768, 32768, "text tools", "vault"],
      ["Qwen/Qwen2-72B-Instruct", "", 32768, 32768, "text", "vault"],
      ["Qwen/Qwen2-VL-72B-Instruct", "", 32768, 32768, "text", "vault"],
      ["nvidia/Llama-3.1-Nemotron-70B-Instruct-HF", "", 32768, 32768, "text", "vault"],
      ["microsoft/WizardLM-2-8x22B", "", 65536, 65536, "text", "vault"],
      ["databricks/dbrx-instruct", "", 32768, 32768, "text", "vault"],
      ["NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO", "", 32768, 32768, "text", "vault"],
      ["upstage/SOLAR-10.7B-Instruct-v1.0", "", 4096, 4096, "text", "vault"],
      ["Gryphe/MythoMax-L2-13b", "", 4096, 4096, "text", "vault"]
    ]
  },
  Runware: {
    models: [
      ["smythos/flux.1-schnell", "runware:100@1", 0, 0, "image-generation text-to-image image-to-image", "internal"],
      ["smythos/flux.1-dev", "runware:101@1", 0, 0, "image-generation text-to-image image-to-image", "internal"],
      ["smythos/face_yolov8n", "runware:35@1", 0, 0, "image-inpainting", "internal"],
      ["smythos/face_yolov8s", "runware:35@2", 0, 0, "image-inpainting", "internal"],
      ["smythos/mediapipe_face_full", "runware:35@6", 0, 0, "image-inpainting", "internal"],
      ["smythos/mediapipe_face_short", "runware:35@7", 0, 0, "image-inpainting", "internal"],
      ["smythos/mediapipe_face_mesh", "runware:35@8", 0, 0, "image-inpainting", "internal"],
      ["smythos/mediapipe_face_mesh_eyes_only", "runware:35@9", 0, 0, "image-inpainting", "internal"],
      ["smythos/eyes_mesh_mediapipe", "runware:35@15", 0, 0, "image-inpainting", "internal"],
      ["smythos/nose_mesh_mediapipe", "runware:35@13", 0, 0, "image-inpainting", "internal"],
      ["smythos/lips_mesh_mediapipe", "runware:35@14", 0, 0, "image-inpainting", "internal"],
      ["smythos/eyes_lips_mesh", "runware:35@10", 0, 0, "image-inpainting", "internal"],
      ["smythos/nose_eyes_mesh", "runware:35@11", 0, 0, "image-inpainting", "internal"],
      ["smythos/nose_lips_mesh", "runware:35@12", 0, 0, "image-inpainting", ""],
      ["smythos/hand_yolov8n", "runware:35@3", 0, 0, "image-inpainting", ""],
      ["smythos/person_yolov8n-seg", "runware:35@4", 0, 0, "image-inpainting", ""],
      ["smythos/person_yolov8s-seg", "runware:35@5", 0, 0, "image-inpainting", "internal"],
      ["flux.1-schnell", "runware:100@1", 0, 0, "image-generation", "vault"],
      ["flux.1-dev", "runware:101@1", 0, 0, "image-generation", "vault"]
    ]
  },
  xAI: {
    baseURL: "https://api.x.ai/v1",
    models: [
      ["grok-4.3", "", 1000000, 30000, "text tools image reasoning search", "vault"],
      ["grok-4", "", 256000, 0, "text tools image reasoning search", "vault"],
      ["grok-3", "", 131072, 0, "text tools", "vault"],
      ["grok-3-mini", "", 131072, 0, "text tools reasoning", "vault"],
      ["grok", "grok-2-latest", 131072, 8192, "text tools", "vault", hidden],
      ["grok-2-vision", "grok-2-vision-latest", 32768, 32768, "image", "vault", hidden]
    ]
  }
}

const priced = (prices: Prices | undefined) => prices === undefined ? {} : { prices }

/** Sizes of 0 (images, embeddings) are left out: the provider states none. */
export const builtInModels: ReadonlyMap<string, ModelEntry> = new Map(
  Object.entries(rows).flatMap(([provider, { baseURL, models }]) =>
    models.map(([name, modelId, contextTokens, outputTokens, features, credentials, more]) =>
      [name, {
        provider,
        ...(modelId === "" ? {} : { modelId }),
        ...(contextTokens === 0 ? {} : { tokens: contextTokens }),
        ...(outputTokens === 0 ? {} : { completionTokens: outputTokens }),
        ...(features === "" ? {} : { features: features.split(" ") }),
        ...(credentials === "" ? {} : { credentials: credentials.split(" ") as ReadonlyArray<"vault" | "internal"> }),
        ...(baseURL === undefined ? {} : { baseURL }),
        ...priced(builtInPrices.get(modelId || name)),
        ...more
      }] as const
    )
  )
)
