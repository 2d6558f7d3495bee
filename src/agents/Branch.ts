/** A branch of an agent as an agent of its own: a component, all it leads to, and an endpoint in front of it. */
import { Effect } from "effect"
import type { AgentDefinition } from "./AgentDefinition.ts"
import { isSet } from "./AgentDocument.ts"
import { ComponentNotFound } from "./AgentErrors.ts"

/** Its one endpoint is `POST <componentId>`, with the inputs of the component. Runs as the same agent. */
export const make = (
  { document, envelope, id, skills }: AgentDefinition,
  componentId: string,
  branchId: string
): Effect.Effect<AgentDefinition, ComponentNotFound> => {
  const first = document.components.find((component) => component.id === componentId)
  if (first === undefined) {
    const available = document.components.map((component) => component.id)
    return new ComponentNotFound({ agent: id, component: componentId, available })
  }
  const connections = document.connections ?? []
  const members = new Set([componentId])
  for (const member of members) {
    for (const { sourceId, targetId } of connections) if (sourceId === member) members.add(targetId)
  }
  const door = `${componentId}_ENDPOINT`
  const inputs = first.inputs ?? []
  return Effect.succeed({
    id: branchId,
    envelope,
    skills,
    document: {
      ...document,
      id: branchId,
      components: [
        {
          id: door,
          name: "APIEndpoint",
          displayName: "APIEndpoint",
          title: componentId,
          data: { endpoint: componentId, method: "POST", ai_exposed: false },
          inputs: inputs.map((input) => ({ ...input, optional: isSet(input.optional) })),
          outputs: inputs.map(({ name }) => ({ name, expression: `body.${name}` }))
        },
        ...document.components.filter((component) => members.has(component.id))
      ],
      connections: [
        ...inputs.map(({ name }) => ({
          sourceId: door,
          sourceIndex: name,
          targetId: componentId,
          targetIndex: name
        })),
        ...connections.filter(({ sourceId, targetId }) => members.has(sourceId) && members.has(targetId))
      ]
    }
  })
}
