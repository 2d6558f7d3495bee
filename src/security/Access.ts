/** The check every service makes before it does anything: owner or level of the candidate, of the public, of its teams. */
import { Context, Effect, Option, Schema } from "effect"
import type { ConnectorError } from "../kernel/ConnectorError.ts"
import * as Acl from "./Acl.ts"
import * as Audit from "./Audit.ts"
import * as Candidate from "./Candidate.ts"
import * as Roles from "./Roles.ts"

export class AccessDenied extends Schema.TaggedError<AccessDenied>()("AccessDenied", {
  candidate: Candidate.Candidate,
  service: Schema.String,
  operation: Schema.String,
  resource: Schema.String
}) {
  override get message(): string {
    return `${Candidate.format(this.candidate)} may not ${this.service}.${this.operation} "${this.resource}"`
  }
}

export type AccessError = AccessDenied | Candidate.NoCandidate | ConnectorError

/** Which teams a candidate belongs to. From the Account service once the system is booted; nobody is in a team before. */
export class Teams extends Context.Reference<Teams>()("effect-sre/Teams", {
  defaultValue: (): TeamsOf => () => Effect.succeed([])
}) {}
export type TeamsOf = (candidate: Candidate.Candidate) => Effect.Effect<ReadonlyArray<string>, ConnectorError>

/**
 * What a member may do with what its team may: all of it (none) while the team has no roles, else what its roles there give.
 * From the Account service, like the teams; asked only where a team's right decides.
 */
export class Permissions extends Context.Reference<Permissions>()("effect-sre/Permissions", {
  defaultValue: (): PermissionsOf => () => Effect.succeedNone
}) {}
export type PermissionsOf = (
  candidate: Candidate.Candidate,
  team: string
) => Effect.Effect<Option.Option<ReadonlyArray<Roles.Permission>>, ConnectorError>

/** What one decision is about. `resource` is a key, name or id. */
export interface Request {
  readonly operation: string
  readonly level: Acl.Level
  readonly resource: string
}

/** The access check of one service. */
export interface Guard {
  /** Who is asking, or a refusal naming the operation. */
  readonly candidate: (operation: string) => Effect.Effect<Candidate.Candidate, Candidate.NoCandidate>
  /** The same for what is done often: `Effect.flatMap(candidate(operation), use)` in one step. */
  readonly asking: <A, E, R>(
    operation: string,
    use: (candidate: Candidate.Candidate) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | Candidate.NoCandidate, R>
  /** Passes, or fails with `AccessDenied`. Both are audited. */
  readonly check: (acl: Acl.Acl, request: Request) => Effect.Effect<void, AccessError>
  /** Audits a use that no list decides, because what the asker can name at all is what it may use: a secret. */
  readonly granted: (operation: string, resource: string) => Effect.Effect<void, Candidate.NoCandidate>
  /**
   * The same decision as a value, for filtering lists; not audited. Without the resource, a team's right counts only for
   * members who may have all of the service.
   */
  readonly permits: (
    acl: Acl.Acl,
    level: Acl.Level,
    resource?: string
  ) => Effect.Effect<boolean, Candidate.NoCandidate | ConnectorError>
  /** The teams of the candidate, for services that decide by them and not by a list. */
  readonly teams: (candidate: Candidate.Candidate) => Effect.Effect<ReadonlyArray<Membership>, ConnectorError>
}

export interface Membership {
  readonly team: string
  /** Whether the team's right to the resource is the member's, too. */
  readonly gives: (level: Acl.Level, resource: string | undefined) => boolean
}

/** Built once when a service is built; takes teams and audit from the context it is built in. */
export const guard = (service: string): Effect.Effect<Guard> =>
  Effect.gen(function*() {
    const teamsOf = yield* Teams
    const permissionsOf = yield* Permissions
    const audit = yield* Audit.Audit

    const asking: Guard["asking"] = (operation, use) =>
      Candidate.withCurrent(
        () =>
          Effect.zipRight(
            Audit.record(audit, { candidate: undefined, service, operation, resource: "", verdict: "denied" }),
            Effect.fail(new Candidate.NoCandidate({ operation: `${service}.${operation}` }))
          ),
        use
      )
    const candidate = (operation: string) => asking(operation, Effect.succeed)

    /** A team itself needs no role. */
    const membership = (who: Candidate.Candidate, team: string): Effect.Effect<Membership, ConnectorError> =>
      who.role === "team" ? Effect.succeed({ team, gives: () => true }) : Effect.map(
        permissionsOf(who, team),
        (permissions) => ({
          team,
          gives: (level, resource) =>
            Option.match(permissions, {
              onNone: () => true,
              onSome: (permissions) => Roles.give(permissions, team, { service, level, resource })
            })
        })
      )

    const isOpen = (acl: Acl.Acl, who: Candidate.Candidate, level: Acl.Level) =>
      Acl.gives(acl, who, level) || Acl.gives(acl, Candidate.anyone, level)

    const decide = (acl: Acl.Acl, who: Candidate.Candidate, level: Acl.Level, resource: string | undefined) =>
      isOpen(acl, who, level)
        ? granted
        : acl.grants.some(({ role }) => role === "team")
        ? Effect.flatMap(teamsOf(who), (teams) =>
          Effect.exists(
            teams.filter((id) => Acl.gives(acl, { role: "team", id }, level)),
            (team) => Effect.map(membership(who, team), ({ gives }) => gives(level, resource))
          ))
        : denied

    const check = (acl: Acl.Acl, { level, operation, resource }: Request) =>
      asking(operation, (who) => {
        const isAudited = level === "owner" || audit.level === "all"
        // Most checks, in one step.
        if (!isAudited && isOpen(acl, who, level)) return Effect.void
        return Effect.flatMap(decide(acl, who, level, resource), (passes) => {
          const entry = { candidate: who, service, operation, resource }
          if (!passes) {
            return Effect.zipRight(
              Audit.record(audit, { ...entry, verdict: "denied" }),
              Effect.fail(new AccessDenied(entry))
            )
          }
          return isAudited ? Audit.record(audit, { ...entry, verdict: "granted" }) : Effect.void
        })
      })

    return {
      candidate,
      asking,
      check,
      granted: (operation, resource) =>
        Effect.flatMap(
          candidate(operation),
          (who) => Audit.record(audit, { candidate: who, service, operation, resource, verdict: "granted" })
        ),
      permits: (acl, level, resource) => Effect.flatMap(candidate("list"), (who) => decide(acl, who, level, resource)),
      teams: (who) => Effect.flatMap(teamsOf(who), Effect.forEach((team) => membership(who, team)))
    }
  })

const granted = Effect.succeed(true)
const denied = Effect.succeed(false)

/** The list of a datum that does not exist yet: whoever owns the home may create there. The public owns nothing. */
export const ofHome = (home: Candidate.Candidate): Acl.Acl => home.role === "public" ? Acl.empty : Acl.ownedBy(home)

/** The list a new datum gets: its first writer owns it, and so does the home when it is another's (a team's, say). */
export const forNew = (home: Candidate.Candidate, writer: Candidate.Candidate): Acl.Acl =>
  home.role === writer.role && home.id === writer.id ? Acl.ownedBy(writer) : Acl.ownedBy(writer, home)
