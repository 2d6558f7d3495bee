/** The agents that are loaded, and who may do what with them. */
import { Effect } from "effect"
import * as Ids from "../kernel/Ids.ts"
import * as Access from "../security/Access.ts"
import * as Acl from "../security/Acl.ts"
import * as Candidate from "../security/Candidate.ts"
import { AgentNotFound } from "../subsystems/io/AgentData.ts"
import type { AgentDefinition } from "./AgentDefinition.ts"
import * as Branch from "./Branch.ts"
import { compile, type Registry } from "./Compile.ts"
import { Process } from "./Process.ts"

export type Processes = Effect.Effect.Success<ReturnType<typeof make>>

export const make = (components: Registry, guard: Access.Guard) =>
  Effect.gen(function*() {
    const teamsOf = yield* Access.Teams
    const processes = new Map<string, Process>()

    const visible = Effect.suspend(() =>
      Effect.filter(Array.from(processes.values()), ({ acl, candidate }) => guard.permits(acl, "read", candidate.id))
    )

    /** An agent one may not call is not told apart from one that does not exist. */
    const find = (operation: string, id: string): Effect.Effect<Process, AgentNotFound | Access.AccessError> =>
      Effect.suspend(() => {
        const process = processes.get(id)
        return process === undefined ? Effect.zipRight(guard.candidate(operation), unknown(id)) : Effect.as(
          Effect.catchTag(
            guard.check(process.acl, { operation, level: "read", resource: id }),
            "AccessDenied",
            () => unknown(id)
          ),
          process
        )
      })

    /** Whoever asks: for what does not depend on that. */
    const loaded = (id: string) => processes.get(id)

    /** One that the asker may do everything with. */
    const owned = (operation: string, id: string) =>
      Effect.tap(
        find(operation, id),
        ({ acl }) => guard.check(acl, { operation, level: "owner", resource: id })
      )

    const unknown = (id: string) =>
      Effect.flatMap(visible, (all) => Effect.fail(new AgentNotFound({ id, available: all.map((one) => one.id) })))

    const add = (process: Process) =>
      Effect.sync(() => {
        processes.set(process.id, process)
        return process
      })

    const load = Effect.fnUntraced(function*(definition: AgentDefinition) {
      const owner = yield* guard.candidate("load")
      const { program, warnings } = yield* compile(definition, components)
      const existing = processes.get(definition.id)
      if (existing !== undefined) {
        yield* guard.check(existing.acl, { operation: "load", level: "owner", resource: definition.id })
      }
      const candidate = Candidate.agent(definition.id)
      const teams = yield* teamsOf(candidate)
      // A document names the identity its parts will run as: only who belongs to the same team may bring it to life.
      if (teams.length > 0) {
        const mates = teams.map((id) => Candidate.team(id))
        const request = { operation: "load", level: "write", resource: definition.id } as const
        yield* guard.check(Acl.ownedBy(candidate, ...mates), request)
      }
      const process = new Process({
        definition,
        program,
        warnings,
        candidate,
        parent: undefined,
        acl: {
          grants: [
            { ...(existing === undefined ? owner : ownerOf(existing)), levels: ["owner"] },
            { ...candidate, levels: ["owner"] },
            ...teams.map((id) => ({ role: "team" as const, id, levels: ["read" as const] }))
          ]
        }
      })
      process.monitors = existing?.monitors
      return yield* add(process)
    })

    /** The branch has the parent's identity and owners, and an id that nobody guesses. */
    const fork = Effect.fnUntraced(function*(parent: Process, componentId: string) {
      const definition = yield* Branch.make(parent.definition, componentId, yield* Ids.make("branch"))
      const { program, warnings } = yield* compile(definition, components)
      const agent = { ...program.agent, id: parent.program.agent.id }
      return yield* add(
        new Process({
          definition,
          program: { ...program, agent },
          warnings,
          candidate: parent.candidate,
          acl: parent.acl,
          parent: parent.id
        })
      )
    })

    /** An agent and all its branches, children first. */
    const tree = (process: Process) =>
      Effect.sync(() => {
        const members = [process]
        for (const member of members) {
          for (const one of processes.values()) if (one.parent === member.id) members.push(one)
        }
        return members.reverse()
      })

    const remove = (gone: ReadonlyArray<Process>) =>
      Effect.sync(() => {
        for (const { id } of gone) processes.delete(id)
      })

    return { visible, find, loaded, owned, load, fork, tree, remove, count: Effect.sync(() => processes.size) }
  })

const ownerOf = ({ acl }: Process) => {
  const { id, role } = acl.grants[0]!
  return { id, role }
}
