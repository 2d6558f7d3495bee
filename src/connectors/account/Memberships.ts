/** Accounts whose users are known elsewhere: what a directory or a token says of them, beside what the operator's data says. */
import { Clock, Duration, Effect, Option } from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import type { AccountConnector, Settings } from "../../security/Account.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as AccountData from "./AccountData.ts"

export interface Person {
  readonly teams: ReadonlyArray<string>
  /** `writer`: in all teams of the person that have such a role; `t1/writer`: in one. */
  readonly roles: ReadonlyArray<string>
  readonly settings: Settings
}

export interface Source {
  readonly person: (user: string) => Effect.Effect<Option.Option<Person>, ConnectorError>
  /** The users of a team; none for a team that is not known. */
  readonly users: (team: string) => Effect.Effect<Option.Option<ReadonlyArray<string>>, ConnectorError>
}

/** Agents, settings of teams, and what a role lets one do come from `data` alone; teams, roles and settings of users from both. */
export const make = (
  teams: AccountData.Teams,
  { person, users }: Source
): Omit<typeof AccountConnector.Service, "authenticate"> => {
  const data = AccountData.directory(teams)
  const personOf = ({ id, role }: Candidate.Candidate) => role === "user" ? person(id) : Effect.succeedNone

  return {
    teamsOf: Effect.fnUntraced(function*(candidate) {
      const known = data.teamsOf(candidate)
      const found = candidate.role === "team"
        ? Option.as(yield* users(candidate.id), [candidate.id])
        : Option.map(yield* personOf(candidate), ({ teams }) => teams)
      return Array.from(new Set([...known, ...Option.getOrElse(found, () => [])])).sort()
    }),
    members: Effect.fnUntraced(function*(team) {
      const known = data.members(team)
      const found = Option.getOrElse(yield* users(team), () => [])
      const others = found.filter((id) => !known.some((one) => one.role === "user" && one.id === id))
      return [...known, ...others.map(Candidate.user)]
    }),
    permissions: Effect.fnUntraced(function*(candidate, team) {
      const known = data.permissions(candidate, team)
      if (Option.isNone(known)) return Option.none()
      const roles = Option.match(yield* personOf(candidate), { onNone: () => [], onSome: ({ roles }) => roles })
      const defined = teams[team]?.roles ?? {}
      const given = Array.from(
        new Set(roles.map((role) => role.startsWith(`${team}/`) ? role.slice(team.length + 1) : role))
      )
        .flatMap((role) => Object.hasOwn(defined, role) ? defined[role] ?? [] : [])
      return Option.some([...known.value, ...given])
    }),
    settings: (of) =>
      Effect.map(personOf(of), (found) => ({
        ...Option.match(found, { onNone: () => ({}), onSome: ({ settings }) => settings }),
        ...data.settings(of)
      }))
  }
}

/** What was learnt, for a while; of more than `capacity` things the oldest are forgotten. */
export interface Memory<A> {
  readonly get: (key: string) => Effect.Effect<Option.Option<A>>
  readonly set: (key: string, value: A) => Effect.Effect<void>
  readonly all: Effect.Effect<ReadonlyArray<readonly [string, A]>>
}

export const memory = <A>(capacity: number, timeToLive: Duration.Duration): Memory<A> => {
  const entries = new Map<string, { readonly value: A; readonly until: number }>()
  return {
    get: (key) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const found = entries.get(key)
        return found === undefined || found.until <= now ? Option.none() : Option.some(found.value)
      }),
    set: (key, value) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        entries.delete(key)
        entries.set(key, { value, until: now + Duration.toMillis(timeToLive) })
        const [oldest] = entries.keys()
        if (entries.size > capacity && oldest !== undefined) entries.delete(oldest)
      }),
    all: Effect.map(
      Clock.currentTimeMillis,
      (now) => Array.from(entries).flatMap(([key, { until, value }]) => until <= now ? [] : [[key, value] as const])
    )
  }
}

/** Gives what is remembered, else learns it. */
export const remembering =
  <A, E, R>(memory: Memory<A>, learn: (key: string) => Effect.Effect<A, E, R>) => (key: string) =>
    Effect.flatMap(
      memory.get(key),
      (found) =>
        Option.isSome(found) ? Effect.succeed(found.value) : Effect.tap(learn(key), (value) => memory.set(key, value))
    )
