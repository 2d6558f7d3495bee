/** Teams, users, agents, their roles and settings as data, and what an account answers from them. */
import { Option, Schema } from "effect"
import type { Settings } from "../../security/Account.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Roles from "../../security/Roles.ts"

const Values = Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.Unknown }), {
  default: () => ({})
})

/** A record whose keys are ids. */
const byId = <A, I>(value: Schema.Schema<A, I>) =>
  Schema.Record({ key: Schema.String, value }).pipe(
    Schema.filter((record) =>
      Object.keys(record).filter((id) => !Schema.is(Candidate.CandidateId)(id)).map((id) => ({
        path: [id],
        message: "an id has 1 to 128 characters without white space, control characters or slashes"
      }))
    )
  )

const Members = Schema.optionalWith(
  byId(Schema.Struct({
    settings: Values,
    /** Names of roles of the team. */
    roles: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] })
  })),
  { default: () => ({}) }
)

const Team = Schema.Struct({
  users: Members,
  agents: Members,
  settings: Values,
  /** `{ "editor": ["Storage: read, write on reports/*"] }`. Without it all members may do what the team may. */
  roles: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Array(Roles.FromString) }))
}).pipe(
  Schema.filter(({ agents, roles = {}, users }) =>
    Object.entries({ agents, users }).flatMap(([kind, members]) =>
      Object.entries(members).flatMap(([id, member]) =>
        member.roles.filter((role) => !Object.hasOwn(roles, role)).map((role) => ({
          path: [kind, id, "roles"],
          message: `the team has no role "${role}"`
        }))
      )
    )
  )
)

/**
 * `{ teamId: { users: { id: { settings, roles } }, agents: { id: { settings, roles } }, settings, roles } }`, all but the ids
 * optional.
 */
export const Teams = byId(Team)
export type Teams = typeof Teams.Type

/** Everybody in the data and nobody else. A user or agent may be in several teams; the first one's settings count. */
export const directory = (teams: Teams) => {
  const teamsOf = new Map<string, Array<string>>()
  const members = new Map<string, Array<Candidate.Candidate>>()
  const settings = new Map<string, Settings>()
  const permissions = new Map<string, ReadonlyArray<Roles.Permission>>()

  const enter = (candidate: Candidate.Candidate, team: string, own: Settings) => {
    const key = Candidate.format(candidate)
    teamsOf.set(key, [...teamsOf.get(key) ?? [], team])
    if (!settings.has(key)) settings.set(key, own)
  }
  for (const [id, team] of Object.entries(teams)) {
    const people = [
      ...Object.entries(team.users).map(([id, member]) => ({ who: Candidate.user(id), ...member })),
      ...Object.entries(team.agents).map(([id, member]) => ({ who: Candidate.agent(id), ...member }))
    ]
    enter(Candidate.team(id), id, team.settings)
    for (const { roles, settings, who } of people) {
      enter(who, id, settings)
      permissions.set(memberKey(who, id), roles.flatMap((role) => team.roles?.[role] ?? []))
    }
    members.set(id, people.map(({ who }) => who))
  }

  return {
    has: (candidate: Candidate.Candidate): boolean => settings.has(Candidate.format(candidate)),
    teamsOf: (candidate: Candidate.Candidate): ReadonlyArray<string> => teamsOf.get(Candidate.format(candidate)) ?? [],
    permissions: (candidate: Candidate.Candidate, team: string): Option.Option<ReadonlyArray<Roles.Permission>> =>
      teams[team]?.roles === undefined ? Option.none() : Option.some(permissions.get(memberKey(candidate, team)) ?? []),
    members: (team: string): ReadonlyArray<Candidate.Candidate> => members.get(team) ?? [],
    settings: (of: Candidate.Candidate): Settings => settings.get(Candidate.format(of)) ?? {}
  }
}
export type Directory = ReturnType<typeof directory>

/** Neither id has a slash. */
const memberKey = (candidate: Candidate.Candidate, team: string) => `${team}/${Candidate.format(candidate)}`
