/** A wrapper for every component of the registry, with the settings, inputs and outputs of its one definition. */
import type { Schema, Types } from "effect"
import type * as Component from "../components/Component.ts"
import { builtIn } from "../components/registry.ts"
import type { Agent } from "./Agent.ts"
import { ComponentNode } from "./ComponentNode.ts"

type BuiltIn = (typeof builtIn)[number]
type Keys<F> = Extract<keyof F, string>

/** Settings as a document writes them, and a `name` to show. */
type Settings<C extends Component.Any> = Types.Simplify<
  & Partial<Schema.Struct.Encoded<C["config"]["fields"]>>
  & { readonly name?: string }
  & (C["name"] extends "Classifier" ? { readonly classes?: ReadonlyArray<string> } : {})
>

/** Makes a component. With an agent it belongs to that; without, to the agent of whatever it is connected with. */
export interface Make<Settings, Inputs extends string, Outputs extends string> {
  (settings?: Settings, agent?: Agent): ComponentNode<Inputs, Outputs>
}

/** What makes components of this kind. */
export type Wrapper<C extends Component.Any> = Make<
  Settings<C>,
  Keys<C["inputs"]["fields"]>,
  Keys<C["outputs"]["fields"]>
>

/** The wrapper of a component, for those of one's own. */
export const wrap = <const C extends Component.Any>(component: C): Wrapper<C> => (settings, agent) => {
  const { classes, name: title, ...data }: Record<string, unknown> = settings ?? {}
  const node = new ComponentNode({
    name: component.name,
    title: typeof title === "string" ? title : component.name,
    data: { ...modelOf(component, agent), ...data },
    outputs: [
      ...Object.keys(component.outputs.fields as object).map((name) => ({ name, default: true })),
      ...(Array.isArray(classes) ? classes.map((name) => ({ name: String(name), default: false })) : [])
    ]
  })
  agent?.draft.add(node)
  return node
}

/** A component that asks a model asks the agent's, unless its settings name one. */
const modelOf = ({ config }: Component.Any, agent: Agent | undefined): { readonly model?: string } => {
  const model = agent?.draft.fields["defaultModel"]
  return typeof model === "string" && "model" in (config.fields as object) ? { model } : {}
}

/** Spelt out, so that editors show settings and ports and not how they came about. */
type BuiltInWrappers = {
  readonly [C in BuiltIn as C["name"]]: Make<Settings<C>, Keys<C["inputs"]["fields"]>, Keys<C["outputs"]["fields"]>>
}
/** By name, what makes a component. */
export interface Components extends BuiltInWrappers {}

export const components = Object.fromEntries(
  builtIn.flatMap((component) => [component.name, ...component.aliases].map((name) => [name, wrap(component)]))
) as unknown as Components
