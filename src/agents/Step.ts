/** One execution of one component: what it gets, and the single seam every execution passes. */
import { Cause, Data, Effect, Predicate } from "effect"
import * as Component from "../components/Component.ts"
import type { Services } from "../components/Services.ts"
import { toText } from "../kernel/Json.ts"
import * as TemplateString from "../kernel/TemplateString.ts"
import { traced } from "../kernel/Trace.ts"
import type { Usage } from "../subsystems/llm/Prompt.ts"
import type { AgentEventBody } from "./AgentEvents.ts"
import type { LoopState } from "./LoopState.ts"
import type { Node, Region } from "./Program.ts"
import type { RunState } from "./RunState.ts"

/** What every step of one run shares. */
export interface StepContext {
  readonly agent: Component.AgentInfo
  readonly run: Component.RunInfo
  readonly emit: ((event: AgentEventBody) => void) | undefined
  readonly jobs: Jobs
}

export interface Jobs extends Component.Jobs {
  /** Starts the body of a job in the background and gives its id; refuses beyond the bound. */
  readonly start: (
    around: RunState,
    opener: Node,
    region: Region,
    step: Step,
    inputs: Readonly<Record<string, unknown>>
  ) => Effect.Effect<string, Component.ComponentFailed, Services>
}

/**
 * Wraps the execution of a step: the one place for pause, stepping, mocks and journals. Must run `execute` at most once and
 * give its outputs or others in their stead. Without a runner, components that need not wait run inline.
 */
export type StepRunner = <E extends { readonly message: string }, R>(
  step: Component.Step,
  inputs: Readonly<Record<string, unknown>>,
  execute: Effect.Effect<Component.Outputs, E, R>
) => Effect.Effect<Component.Outputs, E | Component.ComponentFailed, R>

export class Step implements Component.Step {
  readonly key: string
  readonly component: Component.ComponentInfo
  readonly #context: StepContext
  readonly #inputs: Readonly<Record<string, unknown>>
  #data: Readonly<Record<string, unknown>> | undefined = undefined

  constructor(
    node: Node,
    path: string,
    round: number,
    inputs: Readonly<Record<string, unknown>>,
    context: StepContext
  ) {
    this.component = node.info
    this.key = keyOf(path, node.info.id, round)
    this.#inputs = inputs
    this.#context = context
  }

  get agent(): Component.AgentInfo {
    return this.#context.agent
  }
  get jobs(): Component.Jobs {
    return this.#context.jobs
  }
  get run(): Component.RunInfo {
    return this.#context.run
  }
  get data(): Readonly<Record<string, unknown>> {
    return this.#data ??= { ...this.component.templateValues, ...this.#context.agent.variables, ...this.#inputs }
  }
  render(template: TemplateString.Template, options?: Parameters<Component.Step["render"]>[1]): string {
    return TemplateString.render(template, this.data, options)
  }
  log(level: "debug" | "info" | "warning" | "error", message: string): void {
    this.#context.emit?.({ _tag: "Logged", ...this.place(), level, message })
  }
  emit(kind: "content" | "thinking", text: string): void {
    this.#context.emit?.({ _tag: "Content", ...this.place(), kind, text })
  }
  used(model: string, usage: Usage): void {
    this.#context.emit?.({ _tag: "Usage", ...this.place(), model, usage })
  }
  place() {
    const { id, name, title } = this.component
    return { key: this.key, componentId: id, component: name, title }
  }
}

export const keyOf = (path: string, id: string, round: number): string =>
  round === 0 ? `${path}${id}` : `${path}${id}#${round}`

/** A loop that was held on its way: it has no outputs yet. */
export class Held extends Data.TaggedError("Held")<{ readonly loop: LoopState }> {
  override get message(): string {
    return "held"
  }
}

/** What the body of a loop or a job comes to. */
export type Opened =
  | Component.Outputs
  | Component.ComponentFailed
  | Held
  | Effect.Effect<Component.Outputs, Component.ComponentFailed | Held, Services>

/**
 * Executes a component. A plain result means it is already done; an effect never fails but with the run's own
 * interruption. A component that throws or dies fails alone: its run and all others go on.
 */
export const execute = (
  state: RunState,
  node: Node,
  step: Step,
  inputs: Readonly<Record<string, unknown>>,
  held: LoopState | undefined
): Ended | Settled => {
  const { around, open, traced: trace } = state.options
  const start = () => {
    try {
      return node.region === undefined
        ? node.component.run({ config: node.config as never, inputs, step })
        : open(state, node, node.region, step, inputs, held)
    } catch (defect) {
      return crashed(step, defect)
    }
  }
  if (around === undefined && !trace) {
    const result = start()
    return isWaiting(result) ? settled(step, result) : checked(step, result)
  }
  const whole = Effect.suspend(() => {
    const result = start()
    return result instanceof Component.ComponentFailed || result instanceof Held
      ? Effect.fail(result)
      : isWaiting(result)
      ? result
      : Effect.succeed(result)
  })
  const seen = around === undefined ? whole : around(step, inputs, whole)
  return settled(step, traced(`component.${step.component.name}`, { "component.id": step.component.id })(seen))
}

type Waiting = Effect.Effect<Component.Outputs, { readonly message: string }, Services>
type Ended = Component.Outputs | Component.ComponentFailed | Held
/** Ends with outputs, a failure of the component, or the loop that was held; never fails. */
type Settled = Effect.Effect<Ended, never, Services>

/** Components are also written without types: what are no outputs fails its step alone. */
const checked = (step: Step, result: unknown): Ended => {
  if (result instanceof Component.ComponentFailed || result instanceof Held) return result
  try {
    // A copy has been read once: outputs that compute themselves do it here, where they can fail alone.
    if (isOutputs(result)) return { ...result }
  } catch (defect) {
    return crashed(step, defect)
  }
  return new Component.ComponentFailed({
    message: `${step.component.name} gave ${
      result instanceof Promise ? "a promise: return an Effect instead" : "no outputs: return an object of them"
    }`
  })
}

const isOutputs = (result: unknown): result is Component.Outputs =>
  typeof result === "object" && result !== null && !Array.isArray(result) && !(result instanceof Promise)

const isWaiting = (result: unknown): result is Waiting =>
  Effect.isEffect(result) && !(result instanceof Component.ComponentFailed || result instanceof Held)

const settled = (step: Step, effect: Waiting): Settled =>
  Effect.catchAllCause(
    Effect.map(effect, (outputs) => checked(step, outputs)),
    (cause): Effect.Effect<Component.ComponentFailed | Held> => {
      const failure = Cause.failureOption(cause)
      if (failure._tag === "Some") {
        return Effect.succeed(failure.value instanceof Held ? failure.value : failed(failure.value))
      }
      const failedStep = crashed(step, Cause.squash(cause))
      return Effect.as(
        Effect.logError(`component ${step.component.name} "${step.component.id}" crashed`, cause),
        failedStep
      )
    }
  )

const failed = (error: { readonly message: string }): Component.ComponentFailed =>
  error instanceof Component.ComponentFailed
    ? error
    : new Component.ComponentFailed({ message: messageOf(error), cause: error })

const messageOf = (error: unknown): string =>
  Predicate.hasProperty(error, "message") && typeof error.message === "string" ? error.message : toText(error)

const crashed = (step: Step, defect: unknown): Component.ComponentFailed =>
  new Component.ComponentFailed({
    message: `${step.component.name} crashed: ${defect instanceof Error ? defect.message : String(defect)}`,
    cause: defect
  })
