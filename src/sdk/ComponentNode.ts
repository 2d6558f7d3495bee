/** A component written in code: `in` wires or declares its inputs, `out` names its outputs. */
import type { Skill } from "../agents/AgentDefinition.ts"
import type { PortType } from "../components/Port.ts"

/** An output, `x.out.Reply`; or a part of one: `x.out.Response.data.id`. */
export interface Reference {
  // A path may go on as deep as the value does.
  readonly [deeper: string]: any // eslint-disable-line @typescript-eslint/no-explicit-any
}

/** How an input is declared that is not just connected. */
export interface PortSettings {
  readonly type?: PortType | undefined
  /** Told to the model. */
  readonly description?: string | undefined
  readonly optional?: boolean | undefined
  /** Used when no value arrives. */
  readonly default?: unknown
  readonly source?: Reference | undefined
}

export interface Port {
  readonly name: string
  readonly [field: string]: unknown
}

/** What a document will say of a component, and what it is connected with. */
export interface Node {
  /** Grows from one to the next: the order in which a document has them. */
  readonly order: number
  readonly name: string
  readonly title: string
  readonly data: Readonly<Record<string, unknown>>
  readonly inputs: Map<string, Port>
  readonly outputs: Map<string, Port>
  /** Connections that arrive here. */
  readonly wires: Array<{ readonly source: Node; readonly output: string; readonly input: string }>
  readonly neighbours: Set<Node>
  readonly skill: Skill | undefined
}

export interface NodeSettings extends Pick<Node, "name" | "title" | "data"> {
  readonly outputs: ReadonlyArray<Port>
  readonly skill?: Skill | undefined
  /** The path an output is read from where it is not its name: `x` of an endpoint is `body.x`. */
  readonly expression?: (output: string) => string
}

let created = 0

export class ComponentNode<Inputs extends string = string, Outputs extends string = string> {
  /** The outputs by name, also those the component is told to have. */
  readonly out: { readonly [K in Outputs]: Reference } & Reference
  readonly #node: Node
  readonly #expression: (output: string) => string

  constructor({ data, expression = (output) => output, name, outputs, skill, title }: NodeSettings) {
    this.#node = {
      order: created++,
      name,
      title,
      data,
      skill,
      inputs: new Map(),
      outputs: new Map(outputs.map((port) => [port.name, port])),
      wires: [],
      neighbours: new Set()
    }
    this.#expression = expression
    this.out = reference(this, "") as typeof this.out
  }

  /** Connects inputs to outputs of other components, or declares them. */
  in(
    ports: { readonly [K in Inputs]?: Reference | PortSettings } & Readonly<Record<string, Reference | PortSettings>>
  ): this {
    for (const [name, given] of Object.entries(ports)) {
      const { default: fallback, source, ...port }: PortSettings = targets.has(given) ? { source: given } : given
      this.#node.inputs.set(name, {
        ...this.#node.inputs.get(name),
        name,
        ...port,
        ...(fallback === undefined ? {} : { defaultVal: fallback })
      })
      const target = source === undefined ? undefined : targets.get(source)
      if (target !== undefined) this.#connect(target.component, target.path, name)
    }
    return this
  }

  #connect(from: ComponentNode, output: string, input: string): void {
    const source = from.#node
    if (!source.outputs.has(output)) {
      source.outputs.set(output, { name: output, default: false, expression: from.#expression(output) })
    }
    const isThere = this.#node.wires.some((one) =>
      one.source === source && one.output === output && one.input === input
    )
    if (!isThere) this.#node.wires.push({ source, output, input })
    this.#node.neighbours.add(source)
    source.neighbours.add(this.#node)
  }

  static nodeOf(component: ComponentNode): Node {
    return component.#node
  }
}

const targets = new WeakMap<object, { readonly component: ComponentNode; readonly path: string }>()

const reference = (component: ComponentNode, path: string): Reference => {
  const proxy: Reference = new Proxy({}, {
    get: (_, key) =>
      typeof key === "symbol" || key === "then"
        ? undefined
        : reference(component, path === "" ? key : `${path}.${key}`)
  })
  targets.set(proxy, { component, path })
  return proxy
}
