/** Debugging of one run: outputs given in the place of components, and what each step got and gave. */
import { Effect, Schema } from "effect"
import * as Component from "../components/Component.ts"
import type { StepRunner } from "./Step.ts"

const Values = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** What a step got and came to; while it is under way neither outputs nor error. */
export const SeenStep = Schema.Struct({
  key: Schema.String,
  componentId: Schema.String,
  inputs: Values,
  outputs: Schema.optional(Values),
  error: Schema.optional(Schema.String)
})
export interface SeenStep extends Schema.Schema.Type<typeof SeenStep> {}

export interface DebugOptions {
  /** Held before its first step. */
  readonly hold?: boolean | undefined
  /** Ids of components in front of which the run is held. */
  readonly breakpoints?: ReadonlyArray<string> | undefined
  /** Outputs by component id: given whenever it is its turn, in its place. */
  readonly mocks?: Readonly<Record<string, Component.Outputs>> | undefined
}

/** Steps that are remembered; of a longer run the last ones. */
const maxSeen = 1000

export class Debugger {
  // Most runs that are debugged are held without ever filling all of these.
  #mocks: Map<string, Component.Outputs> | undefined = undefined
  #injected: Map<string, Component.Outputs> | undefined = undefined
  #seen: Map<string, SeenStep> | undefined = undefined

  constructor(mocks: DebugOptions["mocks"] = {}, seen: Iterable<SeenStep> = []) {
    for (const [id, outputs] of Object.entries(mocks)) this.mock(id, outputs)
    for (const step of seen) this.#see(step)
  }

  /** Outputs by component id, given whenever it is its turn. */
  get mocks(): Readonly<Record<string, Component.Outputs>> {
    return Object.fromEntries(this.#mocks ?? [])
  }

  mock(id: string, outputs: Component.Outputs): void {
    ;(this.#mocks ??= new Map()).set(id, outputs)
  }

  /** Outputs for the next time a component has its turn. */
  inject(id: string, outputs: Component.Outputs): void {
    ;(this.#injected ??= new Map()).set(id, outputs)
  }

  /** In the order in which the steps began. */
  get seen(): ReadonlyArray<SeenStep> {
    return Array.from(this.#seen?.values() ?? [])
  }

  /** What the steps of the run pass. */
  around(): StepRunner {
    return <E extends { readonly message: string }, R>(
      step: Component.Step,
      inputs: Readonly<Record<string, unknown>>,
      execute: Effect.Effect<Component.Outputs, E, R>
    ) =>
      Effect.suspend((): Effect.Effect<Component.Outputs, E | Component.ComponentFailed, R> => {
        const { id } = step.component
        const seen = { key: step.key, componentId: id, inputs }
        this.#see(seen)
        const given = this.#injected?.get(id) ?? this.#mocks?.get(id)
        this.#injected?.delete(id)
        if (given !== undefined) {
          this.#see({ ...seen, outputs: given })
          return failureOf(given) ?? Effect.succeed(given)
        }
        return Effect.tapBoth(execute, {
          onSuccess: (outputs) => Effect.sync(() => this.#see({ ...seen, outputs })),
          onFailure: (error) => Effect.sync(() => this.#see({ ...seen, error: error.message }))
        })
      })
  }

  #see(step: SeenStep): void {
    const seen = this.#seen ??= new Map()
    if (!seen.has(step.key) && seen.size >= maxSeen) seen.delete(seen.keys().next().value!)
    seen.set(step.key, step)
  }
}

/** Outputs with nothing but `_error` stand for a failure of the component. */
const failureOf = (outputs: Component.Outputs) => {
  const { _error: error, ...rest } = outputs
  return error === undefined || error === null
    ? undefined
    : Effect.fail(new Component.ComponentFailed({ message: String(error), outputs: rest }))
}
