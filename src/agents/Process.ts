/** An agent that is loaded: the definition and all that is made of it once, shared by its runs. */
import { createHash } from "node:crypto"
import type * as Acl from "../security/Acl.ts"
import type * as Candidate from "../security/Candidate.ts"
import type { AgentDefinition } from "./AgentDefinition.ts"
import type { Endpoint } from "./Endpoint.ts"
import type { EventLog } from "./EventLog.ts"
import type { Problem } from "./Problem.ts"
import type { AgentProgram } from "./Program.ts"

/** What may be known of a loaded agent. */
export interface LoadedAgent {
  readonly id: string
  readonly name: string
  /** The agent whose branch this is. */
  readonly parent?: string | undefined
  readonly definition: AgentDefinition
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly warnings: ReadonlyArray<Problem>
}

export class Process implements LoadedAgent {
  readonly definition: AgentDefinition
  readonly program: AgentProgram
  readonly warnings: ReadonlyArray<Problem>
  /** Who its parts run as: the agent, also in a branch of it. */
  readonly candidate: Candidate.Candidate
  readonly acl: Acl.Acl
  readonly parent: string | undefined
  /** Of those who watch all its runs. */
  monitors: ReadonlySet<EventLog> | undefined = undefined

  constructor(parts: Pick<Process, "definition" | "program" | "warnings" | "candidate" | "acl" | "parent">) {
    this.definition = parts.definition
    this.program = parts.program
    this.warnings = parts.warnings
    this.candidate = parts.candidate
    this.acl = parts.acl
    this.parent = parts.parent
  }

  get id(): string {
    return this.definition.id
  }
  get name(): string {
    return this.program.agent.name
  }
  get endpoints(): ReadonlyArray<Endpoint> {
    return Array.from(this.program.plans.values(), ({ endpoint }) => endpoint)
  }
  /** Differs for documents that differ: a saved run goes on with the document it began with, or not at all. */
  get fingerprint(): string {
    return createHash("sha256").update(JSON.stringify(this.definition.document)).digest("base64url")
  }
}
