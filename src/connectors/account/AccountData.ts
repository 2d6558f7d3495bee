/** Teams, users, agents and their settings as data, and what an account answers from them. */
import { Schema } from "effect"
import type { Settings } from "../../security/Account.ts"
import * as Candidate from "../../security/Candidate.ts"

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

const Members = Schema.optionalWith(byId(Schema.Struct({ settings: Values })), { default: () => ({}) })

/** `{ teamId: { users: { id: { settings } }, agents: { id: { settings } }, settings } }` */
export const Teams = byId(Schema.Struct({ users: Members, agents: Members, settings: Values }))
export type Teams = typeof Teams.Type

/** Everybody in the data and nobody else. A user or agent may be in several teams; the first one's settings count. */
export const directory = (teams: Teams) => {
  const teamsOf = new Map<string, Array<string>>()
  const members = new Map<string, Array<Candidate.Candidate>>()
  const settings = new Map<string, Settings>()

  const enter = (candidate: Candidate.Candidate, team: string, own: Settings) => {
    const key = Candidate.format(candidate)
    teamsOf.set(key, [...teamsOf.get(key) ?? [], team])
    if (!settings.has(key)) settings.set(key, own)
  }
  for (const [id, team] of Object.entries(teams)) {
    const people = [
      ...Object.entries(team.users).map(([id, { settings }]) => ({ who: Candidate.user(id), settings })),
      ...Object.entries(team.agents).map(([id, { settings }]) => ({ who: Candidate.agent(id), settings }))
    ]
    enter(Candidate.team(id), id, team.settings)
    for (const { settings, who } of people) enter(who, id, settings)
    members.set(id, people.map(({ who }) => who))
  }

  return {
    has: (candidate: Candidate.Candidate): boolean => settings.has(Candidate.format(candidate)),
    teamsOf: (candidate: Candidate.Candidate): ReadonlyArray<string> => teamsOf.get(Candidate.format(candidate)) ?? [],
    members: (team: string): ReadonlyArray<Candidate.Candidate> => members.get(team) ?? [],
    settings: (of: Candidate.Candidate): Settings => settings.get(Candidate.format(of)) ?? {}
  }
}
export type Directory = ReturnType<typeof directory>
