/** An agent as it is kept: the document, and the skills that are code rather than components. Immutable. */
import { Effect, Schema } from "effect"
import type { AgentInfo } from "../components/Component.ts"
import type { Services } from "../components/Services.ts"
import { CandidateId } from "../security/Candidate.ts"
import * as AgentDocument from "./AgentDocument.ts"
import { InvalidAgent } from "./Problem.ts"

/** Code behind an endpoint: gets the request's body (POST) or query (GET), gives the answer. */
export type Skill = (
  input: Readonly<Record<string, unknown>>
) => Effect.Effect<unknown, { readonly message: string }, Services>

export interface AgentDefinition {
  /** The agent's identity: it runs as `agent:<id>`. */
  readonly id: string
  readonly document: AgentDocument.AgentDocument
  readonly envelope: Readonly<Record<string, unknown>> | undefined
  /** By component id. */
  readonly skills: ReadonlyMap<string, Skill>
}

const noSkills: ReadonlyMap<string, Skill> = new Map()

/** `fallbackId` names a document without an id (its file name, say). */
export const make = (
  { document, envelope, id: given }: AgentDocument.Decoded,
  options: { readonly fallbackId?: string; readonly skills?: ReadonlyMap<string, Skill> } = {}
): Effect.Effect<AgentDefinition, InvalidAgent> => {
  const id = given ?? options.fallbackId ?? ""
  return Schema.is(CandidateId)(id)
    ? Effect.succeed({ id, document, envelope, skills: options.skills ?? noSkills })
    : Effect.fail(
      new InvalidAgent({
        agent: undefined,
        problems: [{
          severity: "error",
          path: envelope === undefined ? "id" : "data.id",
          problem: id === "" ? "missing: an agent needs an id" : `"${id}" is not a valid id`,
          accepted: ["1 to 128 characters without white space, control characters or slashes"]
        }]
      })
    )
}

export const fromUnknown = (
  input: unknown,
  options?: { readonly fallbackId?: string }
): Effect.Effect<AgentDefinition, InvalidAgent> =>
  Effect.flatMap(AgentDocument.decode(input), (decoded) => make(decoded, options))

export const fromText = (
  source: string,
  options?: { readonly fallbackId?: string }
): Effect.Effect<AgentDefinition, InvalidAgent> =>
  Effect.flatMap(AgentDocument.decodeText(source), (decoded) => make(decoded, options))

/** The document in the layout it came in; skills that are code are not part of it. */
export const encode = ({ document, envelope }: AgentDefinition): unknown => AgentDocument.encode({ document, envelope })

export const agentInfo = (
  { document, id }: AgentDefinition,
  variables: Readonly<Record<string, unknown>>
): AgentInfo => ({
  id,
  name: document.name ?? id,
  behavior: [document.behavior, document.description].find((one) => one !== undefined && one !== null && one !== "") ??
    "",
  variables
})
