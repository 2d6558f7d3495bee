/**
 * Account: who there is, which teams they are in, their settings, and how a caller proves who it is. Callers use
 * {@link Account}, connectors implement {@link AccountConnector}. All rights come from here and from nowhere else.
 */
import { Context, Effect, Layer, type Option, Record, type Redacted, Schema } from "effect"
import { type ConnectorError, retrying } from "../kernel/ConnectorError.ts"
import { traced } from "../kernel/Trace.ts"
import * as Access from "./Access.ts"
import * as Acl from "./Acl.ts"
import * as Audit from "./Audit.ts"
import * as Candidate from "./Candidate.ts"
import type { Permission } from "./Roles.ts"

/** The credential is not known, no longer valid, or of somebody the account does not know. Never says which key. */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>()("Unauthenticated", {
  problem: Schema.String
}) {
  override get message(): string {
    return `Not authenticated: ${this.problem}`
  }
}

/** Settings of a team, a user or an agent by key. Text in most accounts, often JSON. */
export type Settings = Readonly<Record<string, unknown>>

/** No access code. */
export class AccountConnector extends Context.Tag("effect-sre/AccountConnector")<AccountConnector, {
  /** A team is in itself; the public and the unknown are in none. */
  readonly teamsOf: (candidate: Candidate.Candidate) => Effect.Effect<ReadonlyArray<string>, ConnectorError>
  readonly members: (team: string) => Effect.Effect<ReadonlyArray<Candidate.Candidate>, ConnectorError>
  /**
   * What all roles that `candidate` has in `team` let it do with what the team may: nothing (an empty list) without a role.
   * None: the team has no roles, and its members may do all it may. Asked with teams that `teamsOf` gave.
   */
  readonly permissions: (
    candidate: Candidate.Candidate,
    team: string
  ) => Effect.Effect<Option.Option<ReadonlyArray<Permission>>, ConnectorError>
  readonly settings: (of: Candidate.Candidate) => Effect.Effect<Settings, ConnectorError>
  /** Whose API key or signed token this is. */
  readonly authenticate: (
    credential: Redacted.Redacted
  ) => Effect.Effect<Candidate.Candidate, Unauthenticated | ConnectorError>
}>() {}

/** One may read about oneself and about one's teams. */
export class Account extends Context.Tag("effect-sre/Account")<Account, {
  readonly teamsOf: (candidate: Candidate.Candidate) => Effect.Effect<ReadonlyArray<string>, Access.AccessError>
  readonly isMember: (candidate: Candidate.Candidate, team: string) => Effect.Effect<boolean, Access.AccessError>
  readonly members: (team: string) => Effect.Effect<ReadonlyArray<Candidate.Candidate>, Access.AccessError>
  readonly teamSetting: (team: string, key: string) => Effect.Effect<Option.Option<unknown>, Access.AccessError>
  readonly userSetting: (user: string, key: string) => Effect.Effect<Option.Option<unknown>, Access.AccessError>
  readonly agentSetting: (agent: string, key: string) => Effect.Effect<Option.Option<unknown>, Access.AccessError>
  /** The one method that needs no candidate: it is how a caller becomes one. */
  readonly authenticate: (
    credential: Redacted.Redacted
  ) => Effect.Effect<Candidate.Candidate, Unauthenticated | ConnectorError>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* AccountConnector
  const audit = yield* Audit.Audit
  const guard = yield* Access.guard("Account").pipe(
    Effect.provideService(Access.Teams, connector.teamsOf),
    Effect.provideService(Access.Permissions, connector.permissions)
  )

  const mayRead = (operation: string, ...about: ReadonlyArray<Candidate.Candidate>) =>
    guard.check(Acl.ownedBy(...about.filter(({ role }) => role !== "public")), {
      operation,
      level: "read",
      resource: about.map(Candidate.format).join(" ")
    })

  const setting = (operation: string, role: Candidate.Role) =>
    Effect.fnUntraced(function*(id: string, key: string) {
      const of = { role, id }
      yield* mayRead(operation, of)
      return Record.get(yield* retrying(connector.settings(of)), key)
    }, traced(`Account.${operation}`))

  return Account.of({
    teamsOf: Effect.fnUntraced(function*(candidate) {
      yield* mayRead("teamsOf", candidate)
      return yield* retrying(connector.teamsOf(candidate))
    }, traced("Account.teamsOf")),
    isMember: Effect.fnUntraced(function*(candidate, team) {
      yield* mayRead("isMember", candidate, { role: "team", id: team })
      return (yield* retrying(connector.teamsOf(candidate))).includes(team)
    }, traced("Account.isMember")),
    members: Effect.fnUntraced(function*(team) {
      yield* mayRead("members", { role: "team", id: team })
      return yield* retrying(connector.members(team))
    }, traced("Account.members")),
    teamSetting: setting("teamSetting", "team"),
    userSetting: setting("userSetting", "user"),
    agentSetting: setting("agentSetting", "agent"),
    authenticate: (credential) =>
      retrying(connector.authenticate(credential)).pipe(
        Effect.tapErrorTag("Unauthenticated", () =>
          Audit.record(audit, {
            candidate: undefined,
            service: "Account",
            operation: "authenticate",
            resource: "",
            verdict: "denied"
          })),
        traced("Account.authenticate")
      )
  })
})

/** What every access check asks, straight from the connector: a check is not itself checked. */
export const teamsLayer: Layer.Layer<Access.Teams | Access.Permissions, never, AccountConnector> = Layer.effectContext(
  Effect.map(AccountConnector, ({ permissions, teamsOf }) =>
    Context.empty().pipe(
      Context.add(Access.Teams, (candidate) => retrying(teamsOf(candidate))),
      Context.add(Access.Permissions, (candidate, team) => retrying(permissions(candidate, team)))
    ))
)

/** The guarded service, and with it the memberships and roles of all other services. */
export const layer: Layer.Layer<Account | Access.Teams | Access.Permissions, never, AccountConnector> = Layer.merge(
  Layer.effect(Account, make),
  teamsLayer
)
