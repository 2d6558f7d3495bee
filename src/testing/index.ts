/**
 * For tests of what is built on the system: `TestKernel`, all of it in memory, and models that need no network: `TestLLM`, which
 * is told what to say, and `Replay`, which says what a `Recording` heard.
 */
export * as Recording from "./Recording.ts"
export * as Replay from "./Replay.ts"
export * as TestKernel from "./TestKernel.ts"
export * as TestLLM from "./TestLLM.ts"
