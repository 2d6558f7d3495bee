import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Redacted } from "effect"
import { LDAPAccount, LDAPAccountLive } from "../../../src/connectors/account/LDAPAccount.ts"
import { Account, AccountConnector } from "../../../src/security/Account.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { data, suite } from "../../../src/testing/conformance/account.ts"
import * as faults from "../../conformance/faults.ts"
import * as LdapServer from "../../fixtures/LdapServer.ts"

type Settings = Parameters<typeof LDAPAccount.contract>[0]

const { bindDN, password, root } = LdapServer
const bases = {
  users: { base: `ou=people,${root}`, settings: { theme: "description" } },
  teams: { base: `ou=teams,${root}` },
  roles: { base: `ou=roles,${root}` }
}

const settingsOf = (url: string, settings: Partial<Settings> = {}): Settings => ({
  url,
  bindDN,
  password,
  ...bases,
  ...settings
})

const connect = (settings: Settings) =>
  Effect.map(Layer.build(Layer.fresh(LDAPAccount.contract(settings))), Context.get(AccountConnector))

const credential = (id: string, password: string) => Redacted.make(Buffer.from(`${id}:${password}`).toString("base64"))

const server = LdapServer.make(
  { ann: { description: "dark" }, bob: {}, Eve: { password: "" } },
  { teams: { t1: ["ann", "bob"], t2: ["ann"] }, roles: { writer: ["ann"], "t2-writer": ["bob"] } }
)

/** What the directory of the suite does not know. */
const beside = {
  t1: { agents: data.t1.agents, settings: data.t1.settings },
  t4: { agents: data.t4.agents, roles: data.t4.roles }
}

if (LdapServer.hasLdap()) {
  describe("LDAPAccount", () => {
    it.scopedLive("knows people by name and password, and nobody by half of it", () =>
      Effect.gen(function*() {
        const { url } = yield* server
        const account = yield* connect(settingsOf(url))
        assert.deepStrictEqual(
          yield* account.authenticate(credential("ann", "password of ann")),
          Candidate.user("ann")
        )
        const wrong = [
          credential("ann", "password of bob"),
          credential("ann", ""),
          credential("Eve", ""),
          credential("Ann", "password of ann"),
          credential("*", "password of ann"),
          credential("ann)(uid=*", "password of ann"),
          credential("nobody", "password of ann"),
          credential("", ""),
          Redacted.make("ann:password of ann")
        ]
        for (const one of wrong) {
          const error = yield* Effect.flip(account.authenticate(one))
          assert.strictEqual(error._tag, "Unauthenticated", Redacted.value(one))
          assert.notInclude(error.message, "password of")
        }
      }))

    it.scopedLive(
      "knows all members of a team of many, and all teams of somebody in many",
      () =>
        Effect.gen(function*() {
          const ids = Array.from({ length: 1500 }, (_, n) => `u${n}`)
          const groups = Array.from({ length: 1200 }, (_, n) => `g${n}`)
          const { url } = yield* LdapServer.make(Object.fromEntries(ids.map((id) => [id, { password: "" }])), {
            teams: { many: ids, ...Object.fromEntries(groups.map((group) => [group, ["u0"]])) }
          })
          const account = yield* connect(settingsOf(url))
          const members = yield* account.members("many")
          assert.deepStrictEqual(new Set(members.map(({ id }) => id)), new Set(ids))
          // More than a server gives for one question.
          assert.strictEqual((yield* account.teamsOf(Candidate.user("u0"))).length, 1201)
        }),
      60_000
    )

    it.scopedLive("ids of any letters are values, never part of a filter", () =>
      Effect.gen(function*() {
        const ids = ["a*b", "a(b)c", "a\\b", "*", ")(uid=*", "ключ", "a,b=c", "a+b", "#x", "ann@x.example"]
        const valid = ids.filter((id) => !id.includes("\\"))
        const { url } = yield* LdapServer.make(Object.fromEntries(ids.map((id) => [id, {}])), { teams: { t1: ids } })
        const account = yield* connect(settingsOf(url))
        for (const id of valid) {
          assert.deepStrictEqual(yield* account.teamsOf(Candidate.user(id)), ["t1"], id)
          assert.deepStrictEqual(
            yield* account.authenticate(credential(id, `password of ${id}`)),
            Candidate.user(id)
          )
        }
        assert.sameDeepMembers([...yield* account.members("t1")], valid.map(Candidate.user))
        assert.deepStrictEqual(yield* account.teamsOf(Candidate.user("a*")), [])
      }))

    it.scopedLive("groups with names of their own are mapped, and people who are gone are left out", () =>
      Effect.gen(function*() {
        const { change, url } = yield* server
        change(`dn: cn=SRE Team,ou=teams,${root}
objectClass: groupOfNames
cn: SRE Team
member: ${LdapServer.dnOf("ann")}
member: uid=gone,ou=people,${root}
member: cn=elsewhere,dc=other
`)
        const unmapped = yield* connect(settingsOf(url))
        assert.deepStrictEqual(yield* unmapped.teamsOf(Candidate.user("ann")), ["t1", "t2"])
        const account = yield* connect(
          settingsOf(url, { teams: { ...bases.teams, names: { "SRE Team": "sre", t1: "one" } } })
        )
        assert.deepStrictEqual(yield* account.teamsOf(Candidate.user("ann")), ["one", "sre", "t2"])
        assert.deepStrictEqual(yield* account.members("sre"), [Candidate.user("ann")])
        assert.deepStrictEqual(yield* account.members("t1"), [])
        assert.deepStrictEqual(yield* account.teamsOf(Candidate.team("sre")), ["sre"])
      }))

    it.scopedLive("memberships are remembered for a while, and then asked again", () =>
      Effect.gen(function*() {
        const { change, url } = yield* server
        const account = yield* connect(settingsOf(url))
        const forgetful = yield* connect(settingsOf(url, { remember: 0 }))
        const teams = (of: typeof account) => of.teamsOf(Candidate.user("bob"))
        assert.deepStrictEqual([yield* teams(account), yield* teams(forgetful)], [["t1"], ["t1"]])
        change(`dn: cn=t2,ou=teams,${root}\nchangetype: modify\nadd: member\nmember: ${LdapServer.dnOf("bob")}\n`)
        assert.deepStrictEqual([yield* teams(account), yield* teams(forgetful)], [["t1"], ["t1", "t2"]])
      }))

    it.scopedLive("speaks TLS from the start or later, with a certificate it trusts", () =>
      Effect.gen(function*() {
        const { caFile, tlsPort, url } = yield* server
        const secure = `ldaps://127.0.0.1:${tlsPort}`
        const tls = { caFile, serverName: "localhost" }
        for (const settings of [settingsOf(secure, { tls }), settingsOf(url, { startTLS: true, tls })]) {
          const account = yield* connect(settings)
          assert.deepStrictEqual(yield* account.teamsOf(Candidate.user("ann")), ["t1", "t2"])
          yield* account.authenticate(credential("ann", "password of ann"))
        }
        for (
          const settings of [
            settingsOf(secure),
            settingsOf(secure, { tls: { caFile, serverName: "other" } }),
            settingsOf(url, { startTLS: true })
          ]
        ) {
          assert.strictEqual((yield* Effect.flip(connect(settings)))._tag, "ConnectorError")
        }
      }))

    it.scopedLive("what is wrong with its settings stops the start and is named, never with the password", () =>
      Effect.gen(function*() {
        const { url } = yield* server
        const cases: ReadonlyArray<readonly [Settings, string]> = [
          [settingsOf(url, { password: "hunter2" }), "Account.Settings.bindDN"],
          [settingsOf(url, { bindDN: "no dn", password: "hunter2" }), "no dn"],
          [settingsOf(url, { users: { base: `ou=nowhere,${root}` } }), "Account.Settings.users.base"],
          [settingsOf(url, { teams: { base: `ou=nowhere,${root}` } }), "Account.Settings.teams.base"],
          [settingsOf(url, { roles: { base: "nowhere" } }), "Account.Settings.roles.base"],
          [settingsOf(url, { startTLS: true, tls: { caFile: "/nowhere" } }), "/nowhere"],
          [settingsOf("http://127.0.0.1"), "ldap://"]
        ]
        for (const [settings, told] of cases) {
          const error = yield* Effect.flip(connect(settings))
          assert.include(error.message, told)
          assert.notInclude(error.message, "hunter2")
        }
      }))

    it.scopedLive("is configured by variables", () =>
      Effect.gen(function*() {
        const { url } = yield* server
        const environment = ConfigProvider.fromMap(
          new Map([
            ["LDAP_URL", url],
            ["LDAP_BIND_DN", bindDN],
            ["LDAP_PASSWORD", password],
            ["LDAP_USERS_BASE", bases.users.base],
            ["LDAP_TEAMS_BASE", bases.teams.base]
          ])
        )
        const teams = yield* Effect.flatMap(Account, (account) => account.teamsOf(Candidate.user("ann"))).pipe(
          Candidate.as(Candidate.user("ann")),
          Effect.provide(Layer.provide(LDAPAccountLive, Layer.setConfigProvider(environment)))
        )
        assert.deepStrictEqual(teams, ["t1", "t2"])
      }))
  })

  suite(
    "LDAPAccount",
    Layer.unwrapScoped(
      Effect.map(
        LdapServer.make(
          { u1: { description: "dark" }, both: {}, editor: {}, plain: {} },
          {
            teams: { t1: ["u1", "both"], t2: ["both"], t4: ["editor", "plain"] },
            roles: { reader: ["editor"], writer: ["editor"], stranger: ["plain"] }
          }
        ),
        ({ url }) => LDAPAccount.contract(settingsOf(url, { data: beside }))
      )
    )
  )

  faults.suite("LDAPAccount", {
    server: Effect.map(server, ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      LDAPAccount.contract(settingsOf(`ldap://127.0.0.1:${port}`, { timeout: timeoutMillis, remember: 0 })),
    read: Effect.flatMap(AccountConnector, (account) => account.teamsOf(Candidate.user("ann")))
  })
} else {
  it.skip("LDAPAccount: there is no slapd on this machine", () => {})
}
