/** Skills written in code: an endpoint of the agent, answered by a function or by the components wired behind it. */
import { Effect } from "effect"
import { ComponentNode, type PortSettings } from "./ComponentNode.ts"
import { refuseUnknown, requireText, SkillFailed } from "./Errors.ts"
import { parametersOf } from "./Parameters.ts"

export interface SkillSettings {
  readonly name: string
  /** Told to the model. */
  readonly description?: string | undefined
  /** Path of the endpoint, and name of the tool; made from the name when absent. */
  readonly endpoint?: string | undefined
  /** Where the input comes from: the query of a GET, the body of a POST. */
  readonly method?: "GET" | "POST" | undefined
  /** Whether conversations may call it; true when absent. */
  readonly ai_exposed?: boolean | undefined
  /** Shown while the tool runs. */
  readonly status_message?: string | undefined
  /** The inputs; when absent, the parameters of `process`, whose names a minifier may change. */
  readonly inputs?: Readonly<Record<string, PortSettings>> | undefined
  /** Gets its inputs as arguments, or as one object when it takes one apart. Its return value is the answer. */
  // What it gets was made to fit the inputs, which no type can see.
  readonly process?: (...inputs: ReadonlyArray<any>) => unknown // eslint-disable-line @typescript-eslint/no-explicit-any
}

const settingNames = Object.keys(
  {
    name: true,
    description: true,
    endpoint: true,
    method: true,
    ai_exposed: true,
    status_message: true,
    inputs: true,
    process: true
  } satisfies Record<keyof SkillSettings, true>
)

export const skill = (settings: SkillSettings): ComponentNode => {
  refuseUnknown("skill", settings, settingNames)
  requireText("skill", settings, "name", settingNames)
  const { ai_exposed = true, description = "", method = "POST", name, process, status_message = "" } = settings
  const code = process === undefined ? undefined : codeOf(name, process, settings.inputs)
  return new ComponentNode({
    name: "APIEndpoint",
    title: name,
    data: { endpoint: settings.endpoint ?? endpointOf(name), method, description, ai_exposed, status_message },
    outputs: ["headers", "body", "query"].map((output) => ({ name: output, default: true })),
    expression: (output) =>
      /^(?:headers|body|query)(?:\.|$)/.test(output) ? output : `${method === "GET" ? "query" : "body"}.${output}`,
    skill: code?.run
  }).in(settings.inputs ?? code?.inputs ?? {})
}

/** How the function is called, and the inputs it takes by itself. */
const codeOf = (
  skill: string,
  process: NonNullable<SkillSettings["process"]>,
  declared: SkillSettings["inputs"]
) => {
  const { names, style } = parametersOf(process)
  const isPositional = style === "positional" &&
    (declared === undefined || names.every(({ name }) => Object.hasOwn(declared, name)))
  return {
    inputs: Object.fromEntries(names.map(({ name, optional }) => [name, { optional }])),
    run: (input: Readonly<Record<string, unknown>>) =>
      Effect.tryPromise({
        try: async () => isPositional ? process(...names.map(({ name }) => input[name])) : process(input),
        catch: (cause) =>
          new SkillFailed({ skill, problem: cause instanceof Error ? cause.message : String(cause), cause })
      })
  }
}

/** Letters, digits and single underscores: what an endpoint may be called. */
const endpointOf = (name: string): string =>
  name.replace(/[^A-Za-z0-9]+/g, "_").slice(0, 50).replace(/^_|_$/g, "") || "skill"
