/**
 * Tenants: who shares what a process has, so that none of them takes it from the others. A candidate's tenant is its team, the
 * first by name where it is in several; one in no team is a tenant of its own.
 */
import { Cache, Data, Effect, type Scope } from "effect"
import { half, Places } from "../kernel/Places.ts"
import * as Access from "./Access.ts"
import * as Candidate from "./Candidate.ts"

export interface Tenants {
  /** Kept for a minute, since it is asked for often. */
  readonly of: (candidate: Candidate.Candidate) => Effect.Effect<string>
  /** Of whoever asks; the public's where that is nobody known. */
  readonly current: Effect.Effect<string>
  /** Of the home a key is in, as connectors keep it: `agent:a1/reports/today.json`. Keys in no home are nobody's. */
  readonly ofKey: (key: string) => Effect.Effect<string>
}

/** Built once when a service or connector is built; takes the teams from the context it is built in. */
export const make: Effect.Effect<Tenants> = Effect.gen(function*() {
  const teamsOf = yield* Access.Teams
  const known = yield* Cache.make({
    capacity: 10_000,
    timeToLive: "1 minute",
    lookup: (who: Candidate.Candidate) =>
      teamsOf(who).pipe(
        Effect.map((teams) => teams.toSorted()[0]),
        // Whose teams cannot be read shares with nobody meanwhile.
        Effect.orElseSucceed(() => undefined),
        Effect.map((team) => Candidate.format(team === undefined ? who : { role: "team", id: team }))
      )
  })
  const of = ({ id, role }: Candidate.Candidate) => known.get(Data.struct({ role, id }))
  const asking = Effect.orElseSucceed(Candidate.current, () => Candidate.anyone)

  return {
    of,
    current: Effect.flatMap(asking, of),
    ofKey: (key) => {
      const [, role, id = ""] = /^(user|agent|team):([^/]+)\//.exec(key) ?? []
      return role === undefined ? Effect.succeed("") : of({ role: role as Candidate.Role, id })
    }
  }
})

/** A place for whoever asks, until the scope closes; half of them at most for one tenant, if nobody says how many. */
export const places = (
  total: number,
  perTenant: number = half(total)
): Effect.Effect<Effect.Effect<void, never, Scope.Scope>> =>
  Effect.map(make, ({ current }) => {
    const shared = new Places({ total, each: [perTenant] })
    return Effect.flatMap(current, (tenant) => shared.place([tenant]))
  })
