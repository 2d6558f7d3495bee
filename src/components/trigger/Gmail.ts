/** What of the Gmail API a trigger needs: https://developers.google.com/gmail/api/reference/rest */
import { Context, Effect, Option, Redacted, Schema } from "effect"
import { OAuthTokens } from "../../subsystems/io/OAuthTokens.ts"
import { Outbound } from "../../subsystems/io/Outbound.ts"
import * as Component from "../Component.ts"
import { Message } from "./GmailMessage.ts"

/** Where the API is. For operators: a document that says it could have the token of a connection sent anywhere. */
export class GmailApi extends Context.Reference<GmailApi>()("effect-sre/GmailApi", {
  defaultValue: () => "https://gmail.googleapis.com"
}) {}

export interface Mailbox {
  /** Of the managed vault. */
  readonly connection: string
  readonly label: string
}

const Profile = Schema.Struct({ historyId: Schema.String })

/** Where the mailbox is now. */
export const presentHistory = (mailbox: Mailbox) =>
  Effect.flatMap(get(mailbox, "profile", []), found("profile", Profile, ({ historyId }) => historyId))

const Added = Schema.Struct({ message: Schema.Struct({ id: Schema.String }) })
const History = Schema.Struct({
  history: Schema.optionalWith(
    Schema.Array(Schema.Struct({
      id: Schema.String,
      messagesAdded: Schema.optionalWith(Schema.Array(Added), { default: () => [] })
    })),
    { default: () => [] }
  ),
  historyId: Schema.String,
  nextPageToken: Schema.optional(Schema.String)
})

export interface Changes {
  readonly messages: ReadonlyArray<string>
  /** Where they end. */
  readonly history: string
}

/** Messages that came since then, oldest first, up to some hundreds; none: so old a history is no longer there. */
export const addedSince = Effect.fnUntraced(function*(mailbox: Mailbox, since: string) {
  const messages = new Set<string>()
  let page: string | undefined
  do {
    const answer = yield* get(mailbox, "history", [
      ["startHistoryId", since],
      ["historyTypes", "messageAdded"],
      ["labelId", mailbox.label],
      ["maxResults", "500"],
      ...pageOf(page)
    ])
    if (answer.status === 404) return Option.none<Changes>()
    const { history, historyId, nextPageToken } = yield* found("history", History, (one) => one)(answer)
    for (const { messagesAdded } of history) for (const { message } of messagesAdded) messages.add(message.id)
    const last = history.at(-1)
    if (nextPageToken === undefined || (messages.size >= maxMessages && last !== undefined)) {
      return Option.some<Changes>({
        messages: [...messages],
        history: nextPageToken === undefined ? historyId : last!.id
      })
    }
    page = nextPageToken
  } while (true)
})

const Messages = Schema.Struct({
  messages: Schema.optionalWith(Schema.Array(Schema.Struct({ id: Schema.String })), { default: () => [] }),
  nextPageToken: Schema.optional(Schema.String)
})

/** Messages that came after this time, in seconds since 1970; oldest first, the latest ten thousand. */
export const arrivedAfter = Effect.fnUntraced(function*(mailbox: Mailbox, seconds: number) {
  const messages: Array<string> = []
  let page: string | undefined
  do {
    const { messages: some, nextPageToken } = yield* Effect.flatMap(
      get(mailbox, "messages", [
        ["q", `after:${seconds}`],
        ["labelIds", mailbox.label],
        ["maxResults", "500"],
        ...pageOf(page)
      ]),
      found("messages", Messages, (one) => one)
    )
    messages.push(...some.map(({ id }) => id))
    page = nextPageToken
  } while (page !== undefined && messages.length < maxSearched)
  return messages.reverse()
})

/** None: it was deleted meanwhile. */
export const message = Effect.fnUntraced(function*(mailbox: Mailbox, id: string) {
  const answer = yield* get(mailbox, `messages/${encodeURIComponent(id)}`, [["format", "full"]])
  return answer.status === 404 ? Option.none() : Option.some(yield* found("messages", Message, (one) => one)(answer))
})

const maxMessages = 500
const maxSearched = 10_000

type Query = ReadonlyArray<readonly [name: string, value: string]>

const pageOf = (token: string | undefined): Query => token === undefined ? [] : [["pageToken", token]]

interface Answer {
  readonly status: number
  readonly body: Uint8Array
}

/** With a token that is good; one that is not taken is replaced, once. */
const get = Effect.fnUntraced(function*({ connection }: Mailbox, path: string, query: Query) {
  const endpoint = yield* GmailApi
  const tokens = yield* OAuthTokens
  const outbound = yield* Outbound
  const url = `${endpoint}/gmail/v1/users/me/${path}?${new URLSearchParams(query.map(([...pair]) => pair))}`
  const send = (token: Redacted.Redacted) =>
    outbound.request({
      method: "GET",
      url,
      headers: { authorization: `Bearer ${Redacted.value(token)}`, accept: "application/json" },
      maxBytes: 64 * 1024 * 1024
    })
  const { value } = yield* tokens.get(connection)
  const answer = yield* send(value)
  return answer.status === 401
    ? yield* Effect.flatMap(tokens.get(connection, { rejected: value }), (renewed) => send(renewed.value))
    : answer
})

const found = <A, I, B>(what: string, schema: Schema.Schema<A, I>, read: (value: A) => B) => {
  const decode = Schema.decode(Schema.parseJson(schema))
  return ({ body, status }: Answer): Effect.Effect<B, Component.ComponentFailed> =>
    status !== 200
      ? failed(`Gmail answered with status ${status} when asked for ${what}`)
      : Effect.mapBoth(decode(new TextDecoder().decode(body)), {
        onFailure: () => failed(`Gmail's ${what} cannot be read: it is not what the Gmail API answers`),
        onSuccess: read
      })
}

const failed = (message: string) => new Component.ComponentFailed({ message })
