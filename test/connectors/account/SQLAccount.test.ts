import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import * as AccountData from "../../../src/connectors/account/AccountData.ts"
import { SQLAccount, SQLAccountLive, write } from "../../../src/connectors/account/SQLAccount.ts"
import { Account, AccountConnector } from "../../../src/security/Account.ts"
import * as ApiKey from "../../../src/security/ApiKey.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { data, suite } from "../../../src/testing/conformance/account.ts"
import { databases, execute, mariaDB, on, sqlite } from "../../fixtures/Databases.ts"
import { hasMariaDB } from "../../fixtures/MariaDBServer.ts"

const teams = Schema.decodeUnknownSync(AccountData.Teams)

const opened = (url: string, remember = 0) =>
  Effect.map(Layer.build(Layer.fresh(SQLAccount.contract({ url, remember }))), Context.get(AccountConnector))

describe("SQLAccount", () => {
  it.scopedLive("a key is known by its hash, while whose it is has a team", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const { hash, key } = yield* ApiKey.make
      const gone = yield* ApiKey.make
      yield* write({ url }, teams(data), { [hash]: Candidate.agent("a1"), [gone.hash]: Candidate.user("gone") })
      const account = yield* opened(url)
      assert.deepStrictEqual(yield* account.authenticate(key), Candidate.agent("a1"))
      for (const wrong of [gone.key, Redacted.make(hash)]) {
        assert.strictEqual((yield* Effect.flip(account.authenticate(wrong)))._tag, "Unauthenticated")
      }
      yield* execute(url, `UPDATE sre_account_keys SET kind = 'root'`)
      assert.include((yield* Effect.flip(account.authenticate(key))).message, "names nobody")
    }))

  it.scopedLive("a team is replaced as a whole, the others stay, and it is seen at once or after the time remembered", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      yield* write({ url }, teams(data))
      const fresh = yield* opened(url)
      const remembering = yield* opened(url, 3_600_000)
      assert.deepStrictEqual(yield* remembering.teamsOf(Candidate.user("both")), ["t1", "t2"])
      yield* write({ url }, teams({ t1: { users: { u2: {} } } }))
      assert.deepStrictEqual(yield* fresh.teamsOf(Candidate.user("both")), ["t2"])
      assert.deepStrictEqual(yield* fresh.members("t1"), [Candidate.user("u2")])
      assert.deepStrictEqual(yield* fresh.settings(Candidate.team("t1")), {})
      assert.deepStrictEqual(yield* remembering.teamsOf(Candidate.user("both")), ["t1", "t2"])
    }))

  it.scopedLive("a role that is taken away leaves nothing, and one that cannot be read is an error", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      yield* write({ url }, teams(data))
      const account = yield* opened(url)
      const editor = account.permissions(Candidate.agent("editor"), "t4")
      yield* execute(url, `UPDATE sre_account_roles SET permissions = '["Storage: everything"]'`)
      const error = yield* Effect.flip(editor)
      assert.strictEqual(error.reason, "Corrupted")
      assert.include(error.message, "the role \"reader\" of t4")
      assert.deepStrictEqual(yield* account.teamsOf(Candidate.agent("editor")), ["t4"])
      yield* execute(url, `DELETE FROM sre_account_roles`)
      assert.deepStrictEqual(yield* editor, Option.some([]))
    }))

  it.scopedLive("the Live layer is in SRE_SQL_URL, and read under an identity", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      yield* write({ url }, teams(data))
      const environment = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["SRE_SQL_URL", url]])))
      yield* Effect.gen(function*() {
        const { teamSetting, teamsOf } = yield* Account
        assert.deepStrictEqual(yield* Candidate.as(teamsOf(Candidate.user("u1")), Candidate.user("u1")), ["t1"])
        const setting = Candidate.as(teamSetting("t1", "custom-llm"), Candidate.user("u1"))
        assert.deepStrictEqual(yield* setting, Option.some("[]"))
        const denied = yield* Effect.flip(Candidate.as(teamSetting("t2", "x"), Candidate.user("u1")))
        assert.strictEqual(denied._tag, "AccessDenied")
      }).pipe(Effect.provide(Layer.provide(SQLAccountLive, environment)))
    }))

  it.scopedLive.skipIf(!hasMariaDB())(
    "a MySQL server may be named by host, database, user and password",
    () =>
      Effect.gen(function*() {
        const { port, url } = yield* mariaDB
        yield* execute(url(), "CREATE USER 'app'@'localhost' IDENTIFIED BY 'p@ss/word'")
        yield* execute(url(), "GRANT ALL ON test.* TO 'app'@'localhost'")
        const settings = { host: `127.0.0.1:${port}`, database: "test", password: "p@ss/word" }
        yield* write(settings, teams(data))
        const account = yield* Effect.map(Layer.build(SQLAccount.contract(settings)), Context.get(AccountConnector))
        assert.deepStrictEqual(yield* account.teamsOf(Candidate.user("u1")), ["t1"])
        const wrong = yield* Effect.flip(
          Layer.build(Layer.fresh(SQLAccount.contract({ ...settings, password: "wrong" })))
        )
        assert.deepInclude(wrong, { _tag: "ConnectorError", reason: "Unauthorized" })
        assert.notInclude(String(wrong), "wrong@")
      })
  )
})

for (const [name, database] of databases) {
  suite(
    `SQLAccount on ${name}`,
    on(database, (url) => Layer.unwrapEffect(Effect.as(write({ url }, teams(data)), SQLAccount.contract({ url }))))
  )
}
