/** Skills written in code: an endpoint of the agent, answered by a function or by the components wired behind it. */
import { Effect, Schema } from "effect"
import { ComponentNode, type PortSettings } from "./ComponentNode.ts"
import type { Draft } from "./Draft.ts"
import { parametersOf } from "./Parameters.ts"

export interface SkillSettings {
  readonly name: string
  /** Told to the model. */
  readonly description?: string
  /** Path of the endpoint, and name of the tool; made from the name when absent. */
  readonly endpoint?: string
  readonly method?: "GET" | "POST"
  /** Whether conversations may call it; true when absent. */
  readonly ai_exposed?: boolean
  /** Shown while the tool runs. */
  readonly status_message?: string
  /** The inputs; when absent, the parameters of `process`. */
  readonly inputs?: Readonly<Record<string, PortSettings>>
  /** Gets its inputs as arguments, or as one object when it takes one object apart. Its return value is the answer. */
  readonly process?: (...args: never) => unknown
}

/** A function of a skill threw, or its promise was rejected. */
export class SkillFailed extends Schema.TaggedError<SkillFailed>()("SkillFailed", {
  skill: Schema.String,
  problem: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return this.problem
  }
}

export const skill = (settings: SkillSettings, draft: Draft): ComponentNode => {
  const { ai_exposed, description, endpoint, inputs, method = "POST", name, process, status_message } = settings
  const id = draft.freshId("Skill")
  const node = new ComponentNode({
    id,
    name: "APIEndpoint",
    title: name,
    data: {
      endpoint: endpoint ?? endpointOf(name),
      method,
      description: description ?? "",
      ai_exposed: ai_exposed ?? true,
      ...(status_message === undefined ? {} : { status_message })
    },
    outputs: ["headers", "body", "query"].map((output) => ({ name: output, default: true })),
    path: (output) =>
      /^(?:headers|body|query)(?:\.|$)/.test(output) ? output : `${method === "GET" ? "query" : "body"}.${output}`
  })
  draft.add(node)
  const parameters = process === undefined ? undefined : parametersOf(process)
  node.in(inputs ?? Object.fromEntries((parameters?.names ?? []).map(({ name, optional }) => [name, { optional }])))
  if (process !== undefined && parameters !== undefined) {
    const call = process as (...args: ReadonlyArray<unknown>) => unknown
    draft.skills.set(id, (input) =>
      Effect.tryPromise({
        try: async () =>
          parameters.style === "positional" ? call(...parameters.names.map((one) => input[one.name])) : call(input),
        catch: (cause) =>
          new SkillFailed({ skill: name, problem: cause instanceof Error ? cause.message : String(cause), cause })
      }))
  }
  return node
}

/** Letters, digits and single underscores: what an endpoint may be called. */
const endpointOf = (name: string): string =>
  name.replace(/[^A-Za-z0-9]+/g, "_").replace(/^_|_$/g, "").slice(0, 50) || "skill"
