/** A whole system in memory for components that need more than a model: the model is scripted, the rest is real. */
import { Context, Effect, Layer, type Schema } from "effect"
import type * as Component from "../../../src/components/Component.ts"
import type { Services } from "../../../src/components/Services.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as TestKernel from "../../../src/testing/TestKernel.ts"
import * as TestLLM from "../../../src/testing/TestLLM.ts"
import { runComponent, type RunOptions } from "../harness.ts"

type Fields = Schema.Struct.Fields

export const agent = Candidate.agent("a1")

/** Components run as the agent `a1`; the team of everybody has `secrets`. */
export const make = (
  turns: ReadonlyArray<TestLLM.Turn>,
  { secrets = {}, ...options }: Pick<TestKernel.Options, "allow" | "managedVault"> & {
    readonly secrets?: Readonly<Record<string, string>>
  } = {}
) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(
      TestKernel.layer({ ...options, llm: TestLLM.layer(turns), secrets: { "team:default": secrets } })
    )
    return {
      run: <C extends Fields, I extends Fields, O extends Fields>(
        component: Component.Component<string, C, I, O, Services>,
        options: RunOptions
      ) => runComponent(component, options).pipe(Effect.provide(context), Candidate.as(agent)),
      /** Every request to the model so far. */
      requests: Context.get(context, TestLLM.TestLLM).requests,
      context
    }
  })
