/**
 * Account in a database ({@link Sql}): teams, who is in them, their roles and settings, and API keys by their SHA-256. What is
 * changed there counts within seconds. {@link write} puts teams in; any other client of the database may, too.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Array, Clock, Config, Duration, Effect, type Option, ParseResult, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Account from "../../security/Account.ts"
import * as ApiKey from "../../security/ApiKey.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Roles from "../../security/Roles.ts"
import * as Sql from "../Sql.ts"
import type * as AccountData from "./AccountData.ts"

const Settings = Schema.Struct({
  ...Sql.settings,
  /** A MySQL server, in place of `url`. */
  host: Schema.optional(Schema.NonEmptyString),
  /** On `host`. */
  database: Schema.optionalWith(Schema.NonEmptyString, { default: () => "app" }),
  /** At `host`. */
  user: Schema.optionalWith(Schema.NonEmptyString, { default: () => "app" }),
  /** Of `user`. Default: none. */
  password: Schema.optional(Schema.Redacted(Schema.String)),
  /** How long a membership may be remembered, in milliseconds: as long may one who was removed go on. */
  remember: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(5) })
})
type Settings = typeof Settings.Type

export const SQLAccount = Connector.make({
  name: "SQLAccount",
  aliases: ["SQL", "MySQLAccount"],
  contract: Account.AccountConnector,
  service: Account.layer,
  settings: Settings,
  make: Effect.fnUntraced(function*(settings) {
    const { run } = yield* Sql.open(name, { ...settings, url: urlOf(settings) }, tables)
    const remembered = remembering<ReadonlyArray<Membership>>(settings.remember)

    const memberships = (who: Candidate.Candidate): Effect.Effect<ReadonlyArray<Membership>, ConnectorError> =>
      who.role === "public"
        ? Effect.succeed([])
        : remembered(
          Candidate.format(who),
          Effect.map(run("teamsOf", (sql) => selectMemberships(sql, who)), (rows) => rows.map(membership))
        )

    return Account.AccountConnector.of({
      teamsOf: (candidate) => Effect.map(memberships(candidate), (all) => all.map(({ team }) => team)),
      members: (team) =>
        Effect.map(
          run("members", (sql) =>
            sql<
              Candidate.Candidate
            >`SELECT kind AS role, id FROM sre_account_members WHERE team = ${team} ORDER BY kind, id`),
          (rows) => rows.map(({ id, role }) => ({ role, id }))
        ),
      permissions: (candidate, team) =>
        Effect.flatMap(
          memberships(candidate),
          (all) => all.find((one) => one.team === team)?.permissions ?? Effect.succeedSome([])
        ),
      settings: ({ id, role }) =>
        Effect.flatMap(
          run("settings", (sql) =>
            role === "team"
              ? sql<{ settings: string }>`SELECT settings FROM sre_account_teams WHERE id = ${id}`
              : sql<{ settings: string }>`SELECT settings FROM sre_account_members
                WHERE kind = ${role} AND id = ${id} ORDER BY team LIMIT 1`),
          ([row]) =>
            row === undefined ? Effect.succeed({}) : decode("settings", `${role}:${id}`, SettingsText, row.settings)
        ),
      authenticate: Effect.fnUntraced(function*(credential) {
        const [found] = yield* run(
          "authenticate",
          (sql) =>
            sql<Candidate.Candidate>`SELECT kind AS role, id FROM sre_account_keys WHERE hash = ${
              ApiKey.hash(credential)
            }`
        )
        if (found === undefined) return yield* new Account.Unauthenticated({ problem: "unknown API key" })
        const candidate = yield* Effect.mapError(
          Schema.decodeUnknown(Candidate.Candidate)(found),
          () => new Account.Unauthenticated({ problem: "the API key names nobody" })
        )
        return (yield* memberships(candidate)).length > 0
          ? candidate
          : yield* new Account.Unauthenticated({ problem: `${Candidate.format(candidate)} is not in the account` })
      })
    })
  })
})

/** `Account` in the database named by `SRE_SQL_URL`. */
export const SQLAccountLive = SQLAccount.layerConfig(
  Config.all({
    ...Sql.config,
    host: Config.succeed(undefined),
    database: Config.succeed("app"),
    user: Config.succeed("app"),
    password: Config.succeed(undefined),
    remember: Config.withDefault(Config.duration("SRE_ACCOUNT_REMEMBER"), Duration.seconds(5))
  })
)

/**
 * Puts in teams as the file of JSONFileAccount has them, each replaced as a whole, and API keys; teams and keys that are not
 * named stay.
 */
export const write = (
  settings: typeof Settings.Encoded,
  teams: AccountData.Teams,
  apiKeys: Readonly<Record<string, Candidate.Candidate>> = {}
) =>
  Effect.scoped(Effect.gen(function*() {
    const decoded = yield* Schema.decode(Settings)(settings)
    const { transaction } = yield* Sql.open(name, { ...decoded, url: urlOf(decoded) }, tables)
    yield* transaction("write", (sql) =>
      Effect.gen(function*() {
        for (const [id, team] of Object.entries(teams)) yield* replaceTeam(sql, id, team)
        for (const [hash, { id, role }] of Object.entries(apiKeys)) {
          yield* Sql.upsert(sql, "sre_account_keys", ["hash"], { hash, kind: role, id })
        }
      }))
  }))

const replaceTeam = Effect.fnUntraced(function*(sql: SqlClient, team: string, value: AccountData.Teams[string]) {
  const { agents, roles, settings, users } = value
  yield* sql`DELETE FROM sre_account_members WHERE team = ${team}`
  yield* sql`DELETE FROM sre_account_roles WHERE team = ${team}`
  yield* Sql.upsert(sql, "sre_account_teams", ["id"], {
    id: team,
    settings: JSON.stringify(settings),
    has_roles: roles === undefined ? 0 : 1
  })
  const members = [
    ...Object.entries(users).map(([id, member]) => ({ kind: "user", id, ...member })),
    ...Object.entries(agents).map(([id, member]) => ({ kind: "agent", id, ...member }))
  ].map(({ id, kind, roles, settings }) => ({
    kind,
    id,
    team,
    settings: JSON.stringify(settings),
    roles: JSON.stringify(roles)
  }))
  for (const some of Array.chunksOf(members, 500)) {
    yield* sql`INSERT INTO sre_account_members ${sql.insert(some)}`
  }
  for (const [name, permissions] of Object.entries(roles ?? {})) {
    const text = JSON.stringify(permissions.map((one) => Schema.encodeSync(Roles.FromString)(one)))
    yield* sql`INSERT INTO sre_account_roles ${sql.insert({ team, name: Sql.toBytes(name), permissions: text })}`
  }
})

const name = "SQLAccount"

/** Settings, roles and permissions are JSON. A team that has no role left still has `has_roles`: nobody gains by a removal. */
const tables: Sql.Migrations = {
  name: "account",
  steps: [
    (sql, type) => [
      sql`CREATE TABLE IF NOT EXISTS sre_account_teams (
        id ${type.id} NOT NULL, settings ${type.text} NOT NULL, has_roles INTEGER NOT NULL, PRIMARY KEY (id))`,
      sql`CREATE TABLE IF NOT EXISTS sre_account_members (
        kind ${type.word} NOT NULL, id ${type.id} NOT NULL, team ${type.id} NOT NULL,
        settings ${type.text} NOT NULL, roles ${type.text} NOT NULL, PRIMARY KEY (team, kind, id), UNIQUE (kind, id, team))`,
      sql`CREATE TABLE IF NOT EXISTS sre_account_roles (
        team ${type.id} NOT NULL, name ${type.key(500)} NOT NULL, permissions ${type.text} NOT NULL,
        PRIMARY KEY (team, name))`,
      sql`CREATE TABLE IF NOT EXISTS sre_account_keys (
        hash ${type.word} NOT NULL, kind ${type.word} NOT NULL, id ${type.id} NOT NULL, PRIMARY KEY (hash))`
    ]
  ]
}

interface Membership {
  readonly team: string
  /** Fails where a role cannot be read, which is no reason to hide the other teams. */
  readonly permissions: Effect.Effect<Option.Option<ReadonlyArray<Roles.Permission>>, ConnectorError>
}

/** Everything a check asks, in one visit: the teams of a candidate, and what its roles there let it do. */
const selectMemberships = Effect.fnUntraced(function*(sql: SqlClient, { id, role }: Candidate.Candidate) {
  const teams = yield* role === "team"
    ? sql<TeamRow>`SELECT id AS team, 0 AS has_roles, '[]' AS roles FROM sre_account_teams WHERE id = ${id}`
    : sql<TeamRow>`SELECT t.id AS team, t.has_roles, m.roles FROM sre_account_members m
      JOIN sre_account_teams t ON t.id = m.team WHERE m.kind = ${role} AND m.id = ${id} ORDER BY t.id`
  const withRoles = teams.filter(({ has_roles }) => Number(has_roles) !== 0).map(({ team }) => team)
  const roles = withRoles.length === 0
    ? []
    : yield* sql<RoleRow>`SELECT team, name, permissions FROM sre_account_roles WHERE ${sql.in("team", withRoles)}`
  return teams.map((row) => ({
    ...row,
    has_roles: withRoles.includes(row.team),
    permissions: roles.filter(({ team }) => team === row.team)
  }))
})

interface TeamRow {
  readonly team: string
  readonly has_roles: number
  readonly roles: string
}
interface RoleRow {
  readonly team: string
  readonly name: Uint8Array
  readonly permissions: string
}

type Selected = Effect.Effect.Success<ReturnType<typeof selectMemberships>>[number]

const membership = (row: Selected): Membership => ({
  team: row.team,
  permissions: row.has_roles ? Effect.asSome(permissionsOf(row)) : Effect.succeedNone
})

/** A role that is not there gives nothing; one that cannot be read is an error, not an open door. */
const permissionsOf = Effect.fnUntraced(function*({ permissions, roles, team }: Selected) {
  const names = yield* decode("permissions", `a member of ${team}`, RoleNames, roles)
  const granted = yield* Effect.forEach(
    permissions.filter(({ name }) => names.includes(Sql.fromBytes(name))),
    ({ name, permissions }) =>
      decode("permissions", `the role "${Sql.fromBytes(name)}" of ${team}`, Permissions, permissions)
  )
  return granted.flat()
})

const SettingsText = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const RoleNames = Schema.parseJson(Schema.Array(Schema.String))
const Permissions = Schema.parseJson(Schema.Array(Roles.FromString))

const decode = <A>(method: string, of: string, schema: Schema.Schema<A, string>, text: string) =>
  Effect.mapError(ParseResult.decode(schema)(text), () =>
    new ConnectorError({
      connector: name,
      method,
      reason: "Corrupted",
      detail: `the ${method} of ${of} cannot be read; correct them in the database`
    }))

/** Answers of the last moments, of so many candidates; what is wrong is asked again. */
const remembering = <A>(duration: Duration.Duration) => {
  const known = new Map<string, { readonly answer: A; readonly until: number }>()
  return <E>(key: string, ask: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const found = known.get(key)
      return found !== undefined && found.until > now ? Effect.succeed(found.answer) : Effect.tap(ask, (answer) => {
        if (known.size >= 10_000) known.clear()
        known.set(key, { answer, until: now + Duration.toMillis(duration) })
      })
    })
}

const urlOf = ({ database, host, password, url, user }: Settings): Redacted.Redacted | undefined => {
  if (url !== undefined || host === undefined) return url
  const secret = password === undefined ? "" : `:${encodeURIComponent(Redacted.value(password))}`
  return Redacted.make(`mysql://${encodeURIComponent(user)}${secret}@${host}/${encodeURIComponent(database)}`)
}
