/** A wrapper for every component of the registry, with the settings, inputs and outputs of its one definition. */
import type { Schema } from "effect"
import type * as Component from "../components/Component.ts"
import { builtIn } from "../components/registry.ts"
import type { Agent } from "./Agent.ts"
import { ComponentNode } from "./ComponentNode.ts"

type BuiltIn = (typeof builtIn)[number]
type Keys<F> = Extract<keyof F, string>

/** Settings as a document writes them, and a `name` to show. */
type Settings<C extends Component.Any> =
  & Partial<Schema.Struct.Encoded<C["config"]["fields"]>>
  & { readonly name?: string }
  & (C["name"] extends "Classifier" ? { readonly classes?: ReadonlyArray<string> } : {})

/** With an agent the component belongs to it; without, to the agent of whatever it is connected with. */
export type Wrapper<C extends Component.Any> = (
  settings?: Settings<C>,
  agent?: Agent
) => ComponentNode<Keys<C["inputs"]["fields"]>, Keys<C["outputs"]["fields"]>>

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

export const components = Object.fromEntries(
  builtIn.flatMap((component) => [component.name, ...component.aliases].map((name) => [name, wrap(component)]))
) as unknown as { readonly [C in BuiltIn as C["name"]]: Wrapper<C> }
