/**
 * Account on an LDAP directory: its people are the users, groups they are members of are their teams and roles. A credential
 * is `name:password` in Base64, as HTTP's Basic scheme writes it. What groups say is remembered for a while.
 */
import { Config, Duration, Effect, Option, Redacted, Schema } from "effect"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import * as Account from "../../security/Account.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as AccountData from "./AccountData.ts"
import * as LdapDirectory from "./LdapDirectory.ts"
import * as Memberships from "./Memberships.ts"

const Groups = Schema.Struct({
  /** Below which they are: `ou=groups,dc=example,dc=org` */
  base: Schema.NonEmptyString,
  filter: Schema.optionalWith(Schema.NonEmptyString, { default: () => "(objectClass=groupOfNames)" }),
  /** Attribute with the name of the group. */
  id: Schema.optionalWith(Schema.NonEmptyString, { default: () => "cn" }),
  /** Attribute with the names of the members; `member:1.2.840.113556.1.4.1941:` asks Active Directory for groups in groups. */
  member: Schema.optionalWith(Schema.NonEmptyString, { default: () => "member" }),
  /** What a group is called here, where that is not its own name: `{ "SRE Team": "sre" }`. */
  names: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.NonEmptyString }), {
    default: () => ({})
  })
})
type Groups = typeof Groups.Type

export const LDAPAccount = Connector.make({
  name: "LDAPAccount",
  aliases: ["LDAP", "ActiveDirectory"],
  contract: Account.AccountConnector,
  service: Account.layer,
  settings: Schema.Struct({
    ...LdapDirectory.settings,
    /** Who is a user: `{ base, filter = "(objectClass=person)", id = "uid", settings }`. */
    users: Schema.Struct({
      /** Below which they are: `ou=people,dc=example,dc=org` */
      base: Schema.NonEmptyString,
      filter: Schema.optionalWith(Schema.NonEmptyString, { default: () => "(objectClass=person)" }),
      /** Attribute with the id of the user; `sAMAccountName` in Active Directory. */
      id: Schema.optionalWith(Schema.NonEmptyString, { default: () => "uid" }),
      /** Settings of the user and the attributes they are in: `{ "mail": "mail" }`. */
      settings: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.NonEmptyString }), {
        default: () => ({})
      })
    }),
    /** Whose members are in a team: `{ base, filter = "(objectClass=groupOfNames)", id = "cn", member = "member", names }`. */
    teams: Groups,
    /** Groups named like roles in `data`: `writer`, or `t1/writer` for the one of a team. Default: none. */
    roles: Schema.optional(Groups),
    /** Agents, settings of teams and what roles let one do, which the directory does not know. */
    data: Schema.optionalWith(AccountData.Teams, { default: () => ({}) }),
    /** How long memberships are remembered, in milliseconds where a configuration writes it. Default one minute. */
    remember: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(1) })
  }),
  make: Effect.fnUntraced(function*({ data, remember, roles, teams, users, ...settings }) {
    const directory = yield* LdapDirectory.open(name, settings)
    const { asking, escape, knows } = directory
    const equals = (attribute: string, value: string) => `(${attribute}=${escape(value)})`
    const all = (...filters: ReadonlyArray<string>) => `(&${filters.join("")})`

    /** The directory folds case and spaces; who is `ann` here is not `Ann` as well. */
    const exactly = (id: string) => (found: LdapDirectory.Found) => found.values(users.id).includes(id)

    const userIn = (search: LdapDirectory.Search, id: string) =>
      search(users.base, {
        scope: "sub",
        filter: all(users.filter, equals(users.id, id)),
        attributes: [users.id, ...Object.values(users.settings)]
      })

    const groupsOf = (search: LdapDirectory.Search, groups: Groups, dn: string) =>
      Effect.map(
        search(groups.base, {
          scope: "sub",
          filter: all(groups.filter, equals(groups.member, dn)),
          attributes: [groups.id]
        }),
        (found) =>
          found.flatMap(({ values }) => values(groups.id).slice(0, 1)).map((group) =>
            Object.hasOwn(groups.names, group) ? groups.names[group] ?? group : group
          )
      )

    const person = (id: string) =>
      asking("teamsOf", (search) =>
        Effect.gen(function*() {
          const [found, ...others] = (yield* userIn(search, id)).filter(exactly(id))
          if (found === undefined || others.length > 0) return Option.none<Memberships.Person>()
          const named = yield* groupsOf(search, teams, found.dn)
          return Option.some<Memberships.Person>({
            teams: named.filter(isId),
            roles: roles === undefined ? [] : yield* groupsOf(search, roles, found.dn),
            settings: Object.fromEntries(
              Object.entries(users.settings).flatMap(([setting, attribute]) => {
                const values = found.values(attribute)
                return values.length === 0 ? [] : [[setting, values.length === 1 ? values[0] : values]]
              })
            )
          })
        }))

    const usersOf = (team: string) =>
      asking("members", (search) =>
        Effect.gen(function*() {
          const renamed = Object.entries(teams.names).filter(([, one]) => one === team).map(([group]) => group)
          const names = [...renamed, ...(Object.hasOwn(teams.names, team) ? [] : [team])]
          if (names.length === 0) return Option.none<ReadonlyArray<string>>()
          const member = teams.member.replace(/:.*$/, "")
          const groups = (yield* search(teams.base, {
            scope: "sub",
            filter: all(teams.filter, `(|${names.map((one) => equals(teams.id, one)).join("")})`),
            attributes: [teams.id, member]
          })).filter(({ values }) => values(teams.id).some((one) => names.includes(one)))
          if (groups.length === 0) return Option.none<ReadonlyArray<string>>()
          const dns = Array.from(new Set(groups.flatMap(({ values }) => values(member))))
          const found = yield* Effect.forEach(dns, (dn) =>
            search(dn, { scope: "base", filter: users.filter, attributes: [users.id] }).pipe(
              // Groups name people who are gone, and places of other servers.
              Effect.catchIf(
                ({ reason }) => reason === "NotFound" || reason === "InvalidInput",
                () => Effect.succeed([])
              )
            ), { concurrency: 16 })
          return Option.some(
            found.flat().flatMap(({ values }) =>
              values(users.id).slice(0, 1)
            ).filter(isId)
          )
        }))

    yield* baseExists(directory, "users", users.base)
    yield* baseExists(directory, "teams", teams.base)
    if (roles !== undefined) yield* baseExists(directory, "roles", roles.base)

    return Account.AccountConnector.of({
      ...Memberships.make(data, {
        person: Memberships.remembering(Memberships.memory(10_000, remember), person),
        users: Memberships.remembering(Memberships.memory(1000, remember), usersOf)
      }),
      authenticate: Effect.fnUntraced(function*(credential) {
        const [, id = "", password = ""] = /^([^:]*):(.*)$/s.exec(decoded(credential)) ?? []
        if (id === "" || password === "") {
          return yield* new Account.Unauthenticated({ problem: "expected name:password in Base64" })
        }
        const entries = yield* asking("authenticate", (search) => userIn(search, id))
        const [found, ...others] = entries.filter(exactly(id))
        const right = found !== undefined && others.length === 0 && isId(id) &&
          (yield* knows("authenticate", found.dn, Redacted.make(password)))
        // The same of an unknown name as of a wrong password.
        return right
          ? Candidate.user(id)
          : yield* new Account.Unauthenticated({ problem: "unknown name or wrong password" })
      })
    })
  })
})

const groupsConfig = (prefix: string) =>
  Config.all({
    base: Config.nonEmptyString(`${prefix}_BASE`),
    filter: Config.withDefault(Config.nonEmptyString(`${prefix}_FILTER`), "(objectClass=groupOfNames)"),
    id: Config.succeed("cn"),
    member: Config.withDefault(Config.nonEmptyString(`${prefix}_MEMBER`), "member"),
    names: Config.succeed({})
  })

/**
 * On `LDAP_URL` as `LDAP_BIND_DN` with `LDAP_PASSWORD`; people below `LDAP_USERS_BASE`, teams below `LDAP_TEAMS_BASE`, roles,
 * if any, below `LDAP_ROLES_BASE`.
 */
export const LDAPAccountLive = LDAPAccount.layerConfig(Config.all({
  url: Schema.Config("LDAP_URL", LdapDirectory.Url),
  bindDN: Config.nonEmptyString("LDAP_BIND_DN"),
  password: Config.redacted("LDAP_PASSWORD"),
  startTLS: Config.withDefault(Config.boolean("LDAP_STARTTLS"), false),
  tls: Config.all({
    caFile: Config.withDefault(Config.nonEmptyString("LDAP_CA_FILE"), undefined),
    serverName: Config.succeed(undefined)
  }),
  timeout: Config.succeed(Duration.seconds(10)),
  connections: Config.succeed(8),
  users: Config.all({
    base: Config.nonEmptyString("LDAP_USERS_BASE"),
    filter: Config.withDefault(Config.nonEmptyString("LDAP_USERS_FILTER"), "(objectClass=person)"),
    id: Config.withDefault(Config.nonEmptyString("LDAP_USERS_ID"), "uid"),
    settings: Config.succeed({})
  }),
  teams: groupsConfig("LDAP_TEAMS"),
  roles: Config.withDefault(groupsConfig("LDAP_ROLES"), undefined),
  data: Config.succeed({}),
  remember: Config.succeed(Duration.minutes(1))
}))

const name = "LDAPAccount"

const isId = Schema.is(Candidate.CandidateId)

const decoded = (credential: Redacted.Redacted) => Buffer.from(Redacted.value(credential), "base64").toString("utf8")

const baseExists = ({ asking }: LdapDirectory.LdapDirectory, setting: string, base: string) =>
  Effect.mapError(
    asking("open", (search) => search(base, { scope: "base", attributes: ["1.1"] })),
    (error) =>
      error.reason === "NotFound" || error.reason === "InvalidInput"
        ? new BootError({
          service: "Account",
          connector: name,
          path: `Account.Settings.${setting}.base`,
          problem: `"${base}" is not in the directory, or may not be seen: ${error.detail ?? ""}`
        })
        : error
  )
