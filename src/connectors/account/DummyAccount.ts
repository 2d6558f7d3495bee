/**
 * Account from the configuration itself. Without data everybody is in the team `default`, which is for development; with
 * data, who is not in it is in no team. Authenticates nobody.
 */
import { Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Account from "../../security/Account.ts"
import type * as Candidate from "../../security/Candidate.ts"
import * as AccountData from "./AccountData.ts"

export const DummyAccount = Connector.make({
  name: "DummyAccount",
  aliases: ["Dummy"],
  contract: Account.AccountConnector,
  service: Account.layer,
  settings: Schema.Struct({
    /** Who there is: `{ teamId: { users, agents, settings, roles } }`. Default: everybody, all in the team `default`. */
    data: Schema.optional(AccountData.Teams)
  }),
  make: ({ data }) => {
    const { members, permissions, settings, teamsOf } = data === undefined ? everybody : AccountData.directory(data)
    return Effect.succeed(Account.AccountConnector.of({
      teamsOf: (candidate) => Effect.succeed(teamsOf(candidate)),
      members: (team) => Effect.succeed(members(team)),
      permissions: (candidate, team) => Effect.succeed(permissions(candidate, team)),
      settings: (of) => Effect.succeed(settings(of)),
      authenticate: () =>
        Effect.fail(
          new Account.Unauthenticated({ problem: "DummyAccount holds no keys; set Account to JSONFileAccount" })
        )
    }))
  }
})

/** Everybody in the team `default`. */
export const DummyAccountLive = DummyAccount.layer({})

const everybody: Omit<AccountData.Directory, "has"> = {
  teamsOf: ({ id, role }: Candidate.Candidate) => role === "team" ? [id] : role === "public" ? [] : ["default"],
  members: () => [],
  permissions: () => Option.none(),
  settings: () => ({})
}
