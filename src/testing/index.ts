/** For tests of what is built on the system: `TestKernel`, all of it in memory, and `TestLLM`, a model that is told what to say. */
export * as TestKernel from "./TestKernel.ts"
export * as TestLLM from "./TestLLM.ts"
