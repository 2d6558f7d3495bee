/** A component written in code: `in` wires its inputs, `out` names its outputs. Collected into an agent document. */
import type { Draft } from "./Draft.ts"

/** An output of a component, `x.out.Reply` or deeper: `x.out.Response.data.id`. */
export interface Reference {
  readonly [deeper: string]: Reference
}

/** How an input is declared when it is not just connected. */
export interface PortSettings {
  /** A port type: Text, Number, Integer, Boolean, Array, Object, Date, Binary, Any. */
  readonly type?: string
  readonly description?: string
  readonly optional?: boolean
  /** Used when no value arrives. */
  readonly default?: unknown
  readonly source?: Reference
}

export interface Port {
  readonly name: string
  readonly [field: string]: unknown
}

export class ComponentNode<Inputs extends string = string, Outputs extends string = string> {
  readonly id: string
  readonly name: string
  readonly title: string
  readonly data: Readonly<Record<string, unknown>>
  readonly inputs: Array<Port> = []
  readonly outputs: Array<Port>
  /** `x.out.Reply`: any output, also those the component is told to have. */
  readonly out: { readonly [K in Outputs]: Reference } & { readonly [other: string]: Reference }
  draft: Draft | undefined = undefined
  readonly #paths: (path: string) => string

  constructor(options: {
    readonly id: string
    readonly name: string
    readonly title: string
    readonly data: Readonly<Record<string, unknown>>
    readonly outputs: ReadonlyArray<Port>
    /** The path an output name stands for: `x` of an endpoint is `body.x`. */
    readonly path?: (name: string) => string
  }) {
    this.id = options.id
    this.name = options.name
    this.title = options.title
    this.data = options.data
    this.outputs = [...options.outputs]
    this.#paths = options.path ?? ((path) => path)
    this.out = reference(this, []) as never
  }

  /** Connects inputs to outputs of other components, or declares them. */
  in(ports: { readonly [K in Inputs]?: Reference | PortSettings } & Readonly<Record<string, Reference | PortSettings>>): this {
    for (const [name, given] of Object.entries(ports)) {
      const source = isReference(given) ? given : isReference((given as PortSettings).source) ? given["source"] : undefined
      const { default: fallback, source: _, ...rest } = isReference(given) ? {} as PortSettings : given as PortSettings
      const port: Port = { name, ...rest, ...(fallback === undefined ? {} : { defaultVal: fallback }) }
      const at = this.inputs.findIndex((one) => one.name === name)
      if (at < 0) this.inputs.push(port)
      else this.inputs[at] = { ...this.inputs[at], ...port }
      if (source !== undefined) this.#connect(source as Reference, name)
    }
    this.draft?.changed()
    return this
  }

  #connect(source: Reference, input: string): void {
    const { node, path } = targets.get(source)!
    const output = node.output(path)
    const draft = this.draft ?? node.draft
    if (draft === undefined) {
      // Neither end belongs to an agent yet: both follow whichever is added first.
      this.#waiting.push({ node, output, input })
      node.#followers.push(this)
      return
    }
    draft.add(node)
    draft.add(this)
    draft.connect(node.id, output, this.id, input)
  }

  /** Connections made before either end belonged to an agent. */
  readonly #waiting: Array<{ readonly node: ComponentNode; readonly output: string; readonly input: string }> = []
  readonly #followers: Array<ComponentNode> = []

  /** Called once, by the draft this component is added to. */
  joined(draft: Draft): void {
    this.draft = draft
    for (const { input, node, output } of this.#waiting.splice(0)) {
      draft.add(node)
      draft.connect(node.id, output, this.id, input)
    }
    for (const follower of this.#followers.splice(0)) draft.add(follower)
  }

  /** The name of the port for a path, declared when the component does not have it yet. */
  output(path: ReadonlyArray<string>): string {
    const joined = path.join(".")
    const expression = this.#paths(joined)
    if (!this.outputs.some(({ name }) => name === joined)) {
      this.outputs.push({ name: joined, default: false, expression })
    }
    return joined
  }

  toJSON() {
    const { data, id, inputs, name, outputs, title } = this
    return { id, name, displayName: name, title, data, inputs, outputs }
  }
}

const targets = new WeakMap<object, { readonly node: ComponentNode; readonly path: ReadonlyArray<string> }>()

const isReference = (value: unknown): value is Reference =>
  typeof value === "object" && value !== null && targets.has(value)

const reference = (node: ComponentNode, path: ReadonlyArray<string>): Reference => {
  const proxy: Reference = new Proxy({}, {
    get: (_, key) => typeof key === "symbol" || key === "then" ? undefined : reference(node, [...path, key])
  })
  targets.set(proxy, { node, path })
  return proxy
}
