/** A wrapper for every component of the registry, with the settings, inputs and outputs of its one definition. */
import type { Schema } from "effect"
import type * as Component from "../components/Component.ts"
import { builtIn } from "../components/registry.ts"
import * as Ids from "../kernel/Ids.ts"
import type { Agent } from "./Agent.ts"
import { ComponentNode } from "./ComponentNode.ts"

type BuiltIn = (typeof builtIn)[number]
type Named<N extends BuiltIn["name"]> = Extract<BuiltIn, { readonly name: N }>
type Keys<F> = Extract<keyof F, string>

/** Settings as a document writes them, and `name` for the title. */
type Settings<C extends BuiltIn> =
  & Partial<Schema.Struct.Encoded<C["config"]["fields"]>>
  & { readonly name?: string; readonly [other: string]: unknown }

type Wrappers = {
  readonly [N in BuiltIn["name"]]: (
    settings?: Settings<Named<N>>,
    agent?: Agent
  ) => ComponentNode<Keys<Named<N>["inputs"]["fields"]>, Keys<Named<N>["outputs"]["fields"]>>
}

/** With an agent the component joins it at once; without, it joins the agent of whatever it is connected to first. */
export const wrap =
  (component: Component.Any) => (settings: Readonly<Record<string, unknown>> = {}, agent?: Agent): ComponentNode => {
    const { classes, name: title, ...data } = settings
    const fields = component.config.fields as Readonly<Record<string, unknown>>
    const model = "model" in fields && data["model"] === undefined ? agent?.draft.fields["defaultModel"] : undefined
    const node = new ComponentNode({
      id: agent?.draft.freshId(component.name) ?? Ids.unsafeMake(component.name),
      name: component.name,
      title: typeof title === "string" ? title : component.name,
      data: model === undefined ? data : { ...data, model },
      outputs: [
        ...Object.keys(component.outputs.fields as object).map((name) => ({ name, default: true })),
        ...(Array.isArray(classes) ? classes.map((name) => ({ name: String(name), default: false })) : [])
      ]
    })
    agent?.draft.add(node)
    return node
  }

export const components: Wrappers = Object.fromEntries(
  builtIn.flatMap((component) => [component.name, ...component.aliases].map((name) => [name, wrap(component)]))
) as unknown as Wrappers
