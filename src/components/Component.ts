/** What a component is: plain data with one `run`. The engine decodes settings at load and coerces inputs before `run`. */
import { type Duration, type Effect, type Option, Schema } from "effect"
import type { Template } from "../kernel/TemplateString.ts"
import type { Usage } from "../subsystems/llm/Prompt.ts"
import type { Entry, Place } from "./Entry.ts"
import type { Services } from "./Services.ts"

/**
 * The expected failure of a component: becomes `_error` in its record and flows to a connected `_error` port. Any other
 * tagged error a component fails with becomes one by its message.
 */
export class ComponentFailed extends Schema.TaggedError<ComponentFailed>()("ComponentFailed", {
  message: Schema.String,
  /** Outputs worth showing beside `_error` in the answer (an error body, say). They do not flow on. */
  outputs: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  cause: Schema.optional(Schema.Defect)
}) {}

/** What a component may know of its place: itself, its agent, the run. One object per call of `run`. */
export interface Step {
  /** `componentId`, and the iteration path below it inside loops: `F1`, `L1[3]/F1`. Stable over replays of a run. */
  readonly key: string
  readonly component: ComponentInfo
  readonly agent: AgentInfo
  readonly run: RunInfo
  /** Data for templates: the inputs over the agent's variables. Own properties only; no prototype. */
  readonly data: Readonly<Record<string, unknown>>
  /** Renders a template of the settings with `data`. Unknown tokens stay, unless `missing` is `drop`. Vault tokens stay. */
  readonly render: (template: Template, options?: {
    readonly encode?: "text" | "json" | "uri"
    readonly missing?: "keep" | "drop"
  }) => string
  /** Tells whoever watches the run; costs nothing while nobody does. Never pass a secret. */
  readonly log: (level: "debug" | "info" | "warning" | "error", message: string) => void
  /** The background jobs of the agent. */
  readonly jobs: Jobs
  /** Sends model output of a passthrough component to whoever called the agent. */
  readonly emit: (kind: "content" | "thinking", text: string) => void
  /** Tells whoever watches the run what a call of a model took. */
  readonly used: (model: string, usage: Usage) => void
}

export interface JobState {
  readonly status: "pending" | "done" | "failed" | "unknown_job"
  /** The answer of the job, or what went wrong with it. */
  readonly output?: unknown
}

export interface Jobs {
  /** Waits until `count` of these jobs have ended, in any order, or the time is over; then tells the state of all of them. */
  readonly wait: (
    ids: ReadonlyArray<string>,
    count: number,
    timeout: Duration.DurationInput
  ) => Effect.Effect<Readonly<Record<string, JobState>>>
}

export interface PortInfo {
  readonly name: string
  readonly type: string
  readonly optional: boolean
  readonly default: boolean
  readonly description: string | undefined
}

export interface ComponentInfo {
  readonly id: string
  readonly name: string
  readonly displayName: string
  readonly title: string
  readonly inputs: ReadonlyArray<PortInfo>
  /** With `expression`, the path an output is read from. */
  readonly outputs: ReadonlyArray<PortInfo & { readonly expression: string | undefined }>
  /** Values of the component's own template variables, by id. */
  readonly templateValues: Readonly<Record<string, unknown>>
}

export interface AgentInfo {
  readonly id: string
  readonly name: string
  /** The agent's system prompt. */
  readonly behavior: string
  readonly variables: Readonly<Record<string, unknown>>
}

export interface RunInfo {
  readonly id: string
  /** Groups the runs of one caller: the `session` scope of memory components. */
  readonly sessionId: string
  /** One call from outside and every nested run it causes: the `request` scope of memory components. */
  readonly workflowId: string
  /** How many agents asked another one before this run began; none: nobody did. */
  readonly depth?: number | undefined
  /** Conversation this run is a tool call of, if any: `useContextWindow` reads its history. */
  readonly conversationId: string | undefined
  /** The request an endpoint answers. */
  readonly request: AgentRequest
}

export interface AgentRequest {
  readonly method: "GET" | "POST"
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  readonly query: Readonly<Record<string, unknown>>
}

export interface Call<Config, Inputs> {
  readonly config: Config
  readonly inputs: Inputs
  readonly step: Step
}

/** Outputs by name. An output left out or `undefined` does not fire; `null`, `0`, `""` and `false` do. */
export type Outputs = Readonly<Record<string, unknown>>

/**
 * A component that has nothing to wait for returns its outputs (or a `ComponentFailed`) at once and is run inline; one
 * that waits returns an effect and may run beside others.
 */
export type Result<O, E, R> = O | ComponentFailed | Effect.Effect<O, E, R>

type Fields = Schema.Struct.Fields

export interface Component<Name extends string, C extends Fields, I extends Fields, O extends Fields, R> {
  readonly name: Name
  /** One or two sentences for people and models. */
  readonly description: string
  readonly category: Category
  /** Other registry names that mean this component. */
  readonly aliases: ReadonlyArray<string>
  readonly config: Schema.Struct<C>
  readonly inputs: Schema.Struct<I>
  readonly outputs: Schema.Struct<O>
  /** Whether documents may declare ports beyond those above. */
  readonly openInputs: boolean
  readonly openOutputs: boolean
  readonly run: (
    call: Call<Schema.Struct.Type<C>, Schema.Struct.Type<I> & Readonly<Record<string, unknown>>>
  ) => Result<Outputs, { readonly message: string }, R>
  /** Replaces the record `{ id, name, result }` of a leaf in the answer (`APIOutput` minimal gives its bare output). */
  readonly answer: ((record: AnswerRecord, config: Schema.Struct.Type<C>) => unknown) | undefined
  /**
   * What a document can get wrong that no schema sees (a digest this machine lacks, outputs that must be declared). Told
   * when the document is loaded, as warnings: when it runs, the component fails with the same words.
   */
  readonly check: (config: Schema.Struct.Type<C>, component: ComponentInfo) => ReadonlyArray<Advice>
  /** Runs begin at it. */
  readonly entry: Entry<Schema.Struct.Type<C>> | undefined
  /** For components that an owner of the agent signs in somewhere, with a browser. */
  readonly signIn: SignIn<Schema.Struct.Type<C>> | undefined
  /** Opens a part of the graph of its own: what its inner outputs lead to runs once per item, or in the background. */
  readonly region: Region<Schema.Struct.Type<C>> | undefined
  /** An inert component (a note on the canvas): never run, not part of the graph. */
  readonly inert: boolean
  /** The name of the component whose place it holds, by its settings as the document has them. */
  readonly standsFor: ((settings: unknown) => string | undefined) | undefined
}

/** The page to be opened in a browser, which leads to `redirectUrl` in the end; none: it is signed in. */
export type SignIn<Config> = (
  place: Place<Config>,
  redirectUrl: string
) => Effect.Effect<Option.Option<string>, { readonly message: string }, Services>

export type Region<Config> = Loop<Config> | Job<Config>

/** The body runs once for every item; `run` of the component is called only when there is no body. */
export interface Loop<Config> {
  readonly kind: "loop"
  /** Outputs that lead out of the loop; all others lead into its body. */
  readonly leavesBy: ReadonlyArray<string>
  /** What it goes over; the same for the same inputs, since a loop that was held reads it again. */
  readonly items: (
    call: Pick<Call<Config, Readonly<Record<string, unknown>>>, "config" | "inputs">
  ) => ReadonlyArray<unknown>
  /** What the inner outputs carry for an item. */
  readonly feed: (item: unknown) => Outputs
  /** Items at once. */
  readonly concurrency: (config: Config) => number
  /** Whether an item whose part ends in an unhandled failure ends the loop, which then fails with it. */
  readonly stops: (config: Config) => boolean
  /** The outputs that lead out, from the records of the leaves of each item, in the order of the items. */
  readonly result: (config: Config, items: ReadonlyArray<ReadonlyArray<unknown>>) => Outputs
}

/** The body runs in the background, with the inputs of the component as its outputs; `JobID` names it. */
export interface Job<Config> {
  readonly kind: "job"
  /** When the run that started it ends before it: it goes on, is waited for, or is stopped. */
  readonly atEnd: (config: Config) => "outlive" | "await" | "stop"
  /** Outputs that lead on beside the job. */
  readonly leavesBy: ReadonlyArray<string>
}

export interface Advice {
  /** The setting it is about, if it is about one. */
  readonly setting?: string
  readonly problem: string
}

export interface AnswerRecord {
  readonly id: string
  readonly name: string
  readonly result: Outputs
}

export type Category = "entry" | "exit" | "ai" | "external" | "data" | "logic" | "flow" | "storage" | "system"

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Any<R = Services> = Component<string, any, any, any, R>

export const make = <
  const Name extends string,
  C extends Fields = {},
  I extends Fields = {},
  O extends Fields = {},
  E extends { readonly message: string } = never,
  R = never
>(name: Name, options: {
  readonly description: string
  readonly category: Category
  readonly aliases?: ReadonlyArray<string>
  readonly config?: Schema.Struct<C>
  readonly inputs?: Schema.Struct<I>
  readonly outputs?: Schema.Struct<O>
  readonly openInputs?: boolean
  readonly openOutputs?: boolean
  readonly inert?: boolean
  readonly standsFor?: (settings: unknown) => string | undefined
  readonly entry?: Entry<Schema.Struct.Type<C>>
  readonly signIn?: SignIn<Schema.Struct.Type<C>>
  readonly region?: Region<Schema.Struct.Type<C>>
  readonly check?: (config: Schema.Struct.Type<C>, component: ComponentInfo) => ReadonlyArray<Advice>
  readonly answer?: (record: AnswerRecord, config: Schema.Struct.Type<C>) => unknown
  readonly run: (
    call: Call<Schema.Struct.Type<C>, Schema.Struct.Type<I> & Readonly<Record<string, unknown>>>
  ) => Result<Partial<Schema.Struct.Type<O>> & Outputs, E, R>
}): Component<Name, C, I, O, R> => ({
  name,
  description: options.description,
  category: options.category,
  aliases: options.aliases ?? [],
  config: options.config ?? (Schema.Struct({}) as never),
  inputs: options.inputs ?? (Schema.Struct({}) as never),
  outputs: options.outputs ?? (Schema.Struct({}) as never),
  openInputs: options.openInputs ?? false,
  openOutputs: options.openOutputs ?? false,
  inert: options.inert ?? false,
  standsFor: options.standsFor,
  entry: options.entry,
  signIn: options.signIn,
  region: options.region,
  check: options.check ?? (() => []),
  answer: options.answer,
  run: options.run
})
