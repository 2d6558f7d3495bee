/** The document of an agent written in code, and the skills in it that are functions. */
import type { Skill } from "../agents/AgentDefinition.ts"
import { ComponentNode } from "./ComponentNode.ts"

interface Connection {
  readonly sourceId: string
  readonly sourceIndex: number | string
  readonly targetId: string
  readonly targetIndex: number | string
}

export class Draft {
  readonly fields: Record<string, unknown>
  readonly skills = new Map<string, Skill>()
  /** Grows with every change: what was compiled from an older version is stale. */
  version = 0
  #components: Array<ComponentNode | Readonly<Record<string, unknown>>>
  #connections: Array<Connection>

  constructor(fields: Record<string, unknown>) {
    const { components, connections, ...rest } = fields
    this.fields = rest
    this.#components = Array.isArray(components) ? [...components] : []
    this.#connections = Array.isArray(connections) ? [...connections] : []
  }

  changed(): void {
    this.version++
  }

  /** An id no component has yet: `FHash_1`. */
  freshId(name: string): string {
    for (let number = 1;; number++) {
      const id = `${name}_${number}`
      if (!this.#components.some((component) => component["id"] === id)) return id
    }
  }

  add(node: ComponentNode): void {
    if (node.draft === this) return
    this.#components.push(node)
    this.changed()
    node.joined(this)
  }

  remove(id: string): void {
    this.#components = this.#components.filter((component) => component["id"] !== id)
    this.#connections = this.#connections.filter(({ sourceId, targetId }) => sourceId !== id && targetId !== id)
    this.skills.delete(id)
    this.changed()
  }

  connect(sourceId: string, sourceIndex: string, targetId: string, targetIndex: string): void {
    this.#connections.push({ sourceId, sourceIndex, targetId, targetIndex })
    this.changed()
  }

  /** A plain JSON document; functions of skills are not part of it. */
  toJSON(): Record<string, unknown> {
    return {
      ...this.fields,
      components: this.#components.map((component) => component instanceof ComponentNode ? component.toJSON() : component),
      connections: [...this.#connections]
    } as Record<string, unknown>
  }
}
