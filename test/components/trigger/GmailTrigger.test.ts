import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Redacted, Scope } from "effect"
import * as Component from "../../../src/components/Component.ts"
import { GmailApi } from "../../../src/components/trigger/Gmail.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Scheduler } from "../../../src/subsystems/compute/Scheduler.ts"
import { OAuthTokens } from "../../../src/subsystems/io/OAuthTokens.ts"
import { agentDocument } from "../../agents/documents.ts"
import { until } from "../../agents/processes.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import * as GmailServer from "./GmailServer.ts"
import { keptOf, type Options, owner, type Served, serving } from "./system.ts"

/** A mailbox, and a system to look at it that can be started again. */
const mail = (id: string, settings: Readonly<Record<string, unknown>> = {}) =>
  Effect.gen(function*() {
    const folder = yield* tempFolder
    const mailbox = yield* GmailServer.make
    const document = (then: string) =>
      agentDocument(
        {
          T: {
            name: "GmailTrigger",
            data: {
              triggerEndpoint: "mail",
              oauth_cred_id: "gmail",
              interval: "1s",
              ...settings
            }
          },
          K: { name: then, in: ["v"] }
        },
        ["T.Payload -> K.v"],
        { id }
      )
    const start = (then = "Keep", options: Partial<Options> = {}) =>
      serving({ folder, documents: [document(then)], allow: [mailbox.rule], ...options }).pipe(
        Effect.provideService(GmailApi, mailbox.url)
      )
    const connect = ({ context }: Served, refresh = mailbox.refresh) =>
      Context.get(context, OAuthTokens).save("gmail", {
        tokenUrl: `${mailbox.url}/token`,
        clientId: "client",
        clientSecret: Redacted.make("client secret"),
        access: Redacted.make("token-0"),
        refresh: Redacted.make(refresh),
        expiresAt: Date.now() + 3_600_000
      }).pipe(Candidate.as(Candidate.agent(id)))
    /** Connected and registered. */
    const registered = (then?: string, options?: Partial<Options>) =>
      Effect.gen(function*() {
        const served = yield* start(then, options)
        yield* connect(served)
        yield* owner(served.agents.register(id, "mail"))
        return served
      })
    return { mailbox, start, connect, registered }
  })

const ids = (agent: string) => keptOf(agent).map(({ value }) => (value as { email: { id: string } }).email.id)
const arrived = (agent: string, count: number) => until(Effect.sync(() => ids(agent)), (all) => all.length >= count)

const history = ({ context }: Served, agent: string) =>
  Candidate.as(Context.get(context, Scheduler).history("trigger-mail"), Candidate.agent(agent))

/** Until the mailbox was looked at as many times from now on. */
const looked = (mailbox: GmailServer.Mailbox, times: number) =>
  Effect.suspend(() => {
    const before = mailbox.asked("/history")
    return until(Effect.sync(() => mailbox.asked("/history")), (now) => now >= before + times)
  })

describe("GmailTrigger", () => {
  it.scopedLive("starts a run with every message that comes after the registration, once", () =>
    Effect.gen(function*() {
      const { mailbox, registered } = yield* mail("g1")
      mailbox.add("old")
      const { agents } = yield* registered()
      mailbox.add("m1", { at: Date.parse("2026-05-04T03:02:01Z") })
      mailbox.add("sent", { labelIds: ["SENT"] })
      mailbox.add("m2")
      yield* arrived("g1", 2)
      yield* owner(agents.register("g1", "mail"))
      yield* looked(mailbox, 2)
      assert.deepStrictEqual(ids("g1"), ["m1", "m2"])
      assert.deepStrictEqual(keptOf("g1")[0]?.value, {
        email: {
          id: "m1",
          threadId: "m1",
          labelIds: ["INBOX", "UNREAD"],
          snippet: "…",
          sizeEstimate: 100,
          internalDate: "2026-05-04T03:02:01.000Z",
          headers: { from: "", to: "", cc: "", bcc: "", subject: "Hello", date: "", messageId: "" },
          body: { text: "this is m1", html: "this is m1" },
          attachments: [],
          isUnread: true
        }
      })
      assert.deepInclude(keptOf("g1")[0]?.run.request, { endpoint: "mail", headers: {}, query: {} })
    }))

  it.scopedLive("sends the token of a connection where the operator says, whatever the document does", () =>
    Effect.gen(function*() {
      const elsewhere = yield* HttpServer.make((_, response) => HttpServer.json(response, 200, { historyId: "1" }))
      const { mailbox, registered } = yield* mail("g0", { endpoint: elsewhere.url })
      yield* registered("Keep", { allow: [mailbox.rule, elsewhere.rule] })
      mailbox.add("m1")
      yield* arrived("g0", 1)
      assert.lengthOf(elsewhere.requests, 0)
    }))

  it.scopedLive("loses nothing over a restart, and delivers nothing twice", () =>
    Effect.gen(function*() {
      const { mailbox, registered, start } = yield* mail("g2")
      yield* Effect.scoped(Effect.gen(function*() {
        yield* registered()
        mailbox.add("before")
        yield* arrived("g2", 1)
        yield* looked(mailbox, 1)
      }))
      mailbox.add("meanwhile")
      yield* start()
      yield* arrived("g2", 2)
      mailbox.add("after")
      yield* arrived("g2", 3)
      yield* looked(mailbox, 1)
      assert.deepStrictEqual(ids("g2"), ["before", "meanwhile", "after"])
    }))

  it.scopedLive("delivers again what was under way when the system ended", () =>
    Effect.gen(function*() {
      const { mailbox, registered, start } = yield* mail("g3")
      const begun = yield* Deferred.make<void>()
      const Stuck = Component.make("Stuck", {
        description: "Never ends.",
        category: "data",
        openInputs: true,
        run: () => Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
      })
      const first = yield* Scope.make()
      yield* Scope.extend(registered("Stuck", { components: [Stuck], agents: { drainTimeout: "50 millis" } }), first)
      mailbox.add("m1")
      mailbox.add("m2")
      yield* Deferred.await(begun)
      yield* Scope.close(first, Exit.void)
      yield* start()
      yield* arrived("g3", 2)
      yield* looked(mailbox, 1)
      assert.deepStrictEqual(ids("g3"), ["m1", "m2"])
    }))

  it.scopedLive("searches for what came when Gmail no longer knows the history, and finds it once", () =>
    Effect.gen(function*() {
      const { mailbox, registered, start } = yield* mail("g4")
      yield* Effect.scoped(Effect.gen(function*() {
        yield* registered()
        mailbox.add("known")
        yield* arrived("g4", 1)
        yield* looked(mailbox, 1)
      }))
      mailbox.add("m1")
      mailbox.add("m2")
      mailbox.add("long ago", { at: Date.now() - 86_400_000 })
      mailbox.pageSize = 1
      mailbox.expiredBefore = mailbox.history()
      yield* start()
      yield* arrived("g4", 3)
      mailbox.add("m3")
      yield* arrived("g4", 4)
      yield* looked(mailbox, 1)
      assert.deepStrictEqual(ids("g4"), ["known", "m1", "m2", "m3"])
    }))

  it.scopedLive("renews a token that Gmail does not take any more, and leaves none anywhere", () =>
    Effect.gen(function*() {
      const { mailbox, registered } = yield* mail("g5")
      yield* registered()
      mailbox.token = "revoked meanwhile"
      mailbox.add("m1")
      yield* arrived("g5", 1)
      assert.strictEqual(mailbox.asked("/token"), 1)
      assert.notMatch(JSON.stringify(keptOf("g5")), /token-|refresh-me/)
    }))

  it.scopedLive("goes on where it was when Gmail works again", () =>
    Effect.gen(function*() {
      const { mailbox, registered } = yield* mail("g6")
      const served = yield* registered()
      mailbox.status = 503
      mailbox.add("m1")
      mailbox.add("deleted")
      mailbox.remove("deleted")
      mailbox.add("m2")
      const [failed] = yield* until(history(served, "g6"), (runs) => runs.some(({ outcome }) => outcome === "failed"))
      assert.include(failed?.error, "503")
      mailbox.status = undefined
      yield* arrived("g6", 2)
      yield* looked(mailbox, 1)
      assert.deepStrictEqual(ids("g6"), ["m1", "m2"])
    }))

  it.scopedLive("reads a long history page by page", () =>
    Effect.gen(function*() {
      const { mailbox, registered } = yield* mail("g7", { label: "Label_7" })
      yield* registered()
      mailbox.pageSize = 3
      const all = Array.from({ length: 8 }, (_, n) => `m${n}`)
      for (const id of all) mailbox.add(id, { labelIds: ["Label_7"] })
      yield* arrived("g7", 8)
      yield* looked(mailbox, 1)
      assert.deepStrictEqual(ids("g7"), all)
    }))

  it.scopedLive("is not registered without a connection that works", () =>
    Effect.gen(function*() {
      const { connect, mailbox, start } = yield* mail("g8")
      const served = yield* start()
      const refused = Effect.flip(owner(served.agents.register("g8", "mail")))
      const none = yield* refused
      assert.deepStrictEqual([none._tag, none.message.includes("gmail")], ["TriggerFailed", true])
      yield* connect(served, "withdrawn")
      mailbox.token = "another"
      assert.include((yield* refused).message, "authorized again")
      assert.isFalse((yield* owner(served.agents.triggers("g8")))[0]?.registered)
    }))
})
