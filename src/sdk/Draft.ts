/** The document of an agent that is being written: what it was read from, and components in code beside that. */
import type { Skill } from "../agents/AgentDefinition.ts"
import { ComponentNode, type Node } from "./ComponentNode.ts"

/** An agent as data: what a `.smyth` file holds. Skills are in it without their functions. */
export interface AgentData {
  readonly id: string
  readonly name: string
  readonly components: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly connections: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly [field: string]: unknown
}

export interface DraftSkill {
  readonly name: string
  readonly endpoint: string
  readonly method: string
}

export class Draft {
  /** Everything but components and connections. */
  readonly fields: Record<string, unknown> & { readonly id: string; readonly name: string }
  #components: AgentData["components"]
  #connections: AgentData["connections"]
  readonly #roots = new Set<Node>()
  /** An id is given once, and stays that component's. */
  readonly #ids = new Map<Node, string>()

  constructor(data: AgentData) {
    const { components, connections, ...fields } = data
    this.fields = fields as typeof this.fields
    this.#components = components
    this.#connections = connections
  }

  /** Whatever it is connected with, now or later, belongs to the agent too. */
  add(component: ComponentNode): void {
    this.#roots.add(ComponentNode.nodeOf(component))
  }

  get skills(): ReadonlyArray<DraftSkill> {
    return this.document.components.filter(({ name }) => name === "APIEndpoint").map(skillOf)
  }

  /** The one there is already by the name, or by the endpoint and method, of this. */
  skillLike(component: ComponentNode): DraftSkill | undefined {
    const { endpoint, method, name } = skillOf({ ...ComponentNode.nodeOf(component) })
    return this.skills.find((one) => one.method === method && (one.name === name || one.endpoint === endpoint))
  }

  /** Functions of skills, by component id. */
  get functions(): ReadonlyMap<string, Skill> {
    return new Map(this.#nodes.flatMap((node) => node.skill === undefined ? [] : [[this.#idOf(node), node.skill]]))
  }

  /** Removes the endpoint of that name with its connections; false when there is none. */
  removeSkill(name: string): boolean {
    const isMeant = (one: Record<string, unknown>) => {
      const skill = skillOf(one)
      return one["name"] === "APIEndpoint" && (skill.name === name || skill.endpoint === name)
    }
    const nodes = this.#nodes.filter((node) => isMeant({ ...node }))
    const ids = new Set(this.#components.filter(isMeant).map(({ id }) => id))
    nodes.forEach((node) => this.#detach(node))
    this.#components = this.#components.filter(({ id }) => !ids.has(id))
    this.#connections = this.#connections.filter(({ sourceId, targetId }) => !ids.has(sourceId) && !ids.has(targetId))
    return nodes.length + ids.size > 0
  }

  get document(): AgentData {
    const nodes = this.#nodes
    const components = nodes.map((node) => ({
      id: this.#idOf(node),
      name: node.name,
      displayName: node.name,
      title: node.title,
      data: node.data,
      inputs: Array.from(node.inputs.values()),
      outputs: Array.from(node.outputs.values())
    }))
    const connections = nodes.flatMap((node) =>
      node.wires.map(({ input, output, source }) => ({
        sourceId: this.#idOf(source),
        sourceIndex: output,
        targetId: this.#idOf(node),
        targetIndex: input
      }))
    )
    return {
      ...this.fields,
      components: [...this.#components, ...components],
      connections: [...this.#connections, ...connections]
    }
  }

  get #nodes(): ReadonlyArray<Node> {
    const found = new Set(this.#roots)
    // A set visits what is added to it on the way.
    for (const node of found) node.neighbours.forEach((neighbour) => found.add(neighbour))
    return Array.from(found).sort((a, b) => a.order - b.order)
  }

  /** `FHash_1` */
  #idOf(node: Node): string {
    const known = this.#ids.get(node)
    if (known !== undefined) return known
    const taken = new Set([...this.#ids.values(), ...this.#components.map(({ id }) => id)])
    let number = 1
    while (taken.has(`${node.name}_${number}`)) number++
    const id = `${node.name}_${number}`
    this.#ids.set(node, id)
    return id
  }

  #detach(node: Node): void {
    this.#roots.delete(node)
    for (const neighbour of node.neighbours) {
      neighbour.neighbours.delete(node)
      const kept = neighbour.wires.filter(({ source }) => source !== node)
      neighbour.wires.splice(0, neighbour.wires.length, ...kept)
    }
    node.neighbours.clear()
    node.wires.splice(0)
  }
}

const skillOf = (component: Readonly<Record<string, unknown>>): DraftSkill => {
  const data = component["data"] as Readonly<Record<string, unknown>> | null | undefined
  const endpoint = String(data?.["endpoint"] ?? "")
  const method = String(data?.["method"] ?? "POST")
  const { title } = component
  return { name: typeof title === "string" && title !== "" ? title : endpoint, endpoint, method }
}
