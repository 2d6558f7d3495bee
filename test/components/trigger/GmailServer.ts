/** A mailbox that speaks the wire format of the Gmail API, with the token endpoint beside it. */
import { Effect, type Scope } from "effect"
import type { ServerResponse } from "node:http"
import * as HttpServer from "../../fixtures/HttpServer.ts"

interface Stored {
  readonly id: string
  readonly historyId: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly labelIds: ReadonlyArray<string>
  readonly payload: object
}

export interface Mailbox extends HttpServer.HttpServer {
  /** The access token that is good now, and the refresh token that gives others. */
  token: string
  readonly refresh: string
  /** History before this number is gone. */
  expiredBefore: number
  /** Answers with this status in place of all else, when it is set. */
  status: number | undefined
  /** How many records, or messages, stand on a page. */
  pageSize: number
  readonly add: (id: string, options?: Partial<Pick<Stored, "at" | "labelIds" | "payload">>) => void
  readonly remove: (id: string) => void
  readonly history: () => number
  /** What was asked for, by the end of the path. */
  readonly asked: (what: string) => number
}

export const make: Effect.Effect<Mailbox, never, Scope.Scope> = Effect.gen(function*() {
  const stored: Array<Stored> = []
  const gone = new Set<string>()
  let last = 1000
  let renewals = 0

  const answer = (path: string, query: URLSearchParams, response: ServerResponse) => {
    if (mailbox.status !== undefined) {
      return HttpServer.json(response, mailbox.status, { error: { code: mailbox.status } })
    }
    const label = query.get("labelId") ?? query.get("labelIds")
    const seen = stored.filter(({ labelIds }) => label === null || labelIds.includes(label))
    const from = Number(query.get("pageToken") ?? 0)
    const page = <A>(all: ReadonlyArray<A>) => ({
      some: all.slice(from, from + mailbox.pageSize),
      next: from + mailbox.pageSize < all.length ? { nextPageToken: String(from + mailbox.pageSize) } : {}
    })
    if (path === "profile") {
      return HttpServer.json(response, 200, { emailAddress: "me@example.com", historyId: String(last) })
    }
    if (path === "history") {
      const start = Number(query.get("startHistoryId"))
      if (start < mailbox.expiredBefore) {
        return HttpServer.json(response, 404, {
          error: { code: 404, message: "Requested entity was not found.", status: "NOT_FOUND" }
        })
      }
      const { next, some } = page(seen.filter(({ historyId }) => historyId > start))
      const history = some.map(({ historyId, id, labelIds }) => ({
        id: String(historyId),
        messages: [{ id, threadId: id }],
        messagesAdded: [{ message: { id, threadId: id, labelIds } }]
      }))
      // Without any record the field is left out.
      return HttpServer.json(response, 200, {
        ...(history.length === 0 ? {} : { history }),
        historyId: String(last),
        ...next
      })
    }
    if (path === "messages") {
      const after = Number(/^after:(\d+)$/.exec(query.get("q") ?? "")?.[1]) * 1000
      const latest = seen.filter(({ at, id }) => at > after && !gone.has(id)).reverse()
      const { next, some } = page(latest)
      const messages = some.map(({ id }) => ({ id, threadId: id }))
      return HttpServer.json(response, 200, { messages, resultSizeEstimate: latest.length, ...next })
    }
    const found = stored.find(({ id }) => path === `messages/${id}` && !gone.has(id))
    return found === undefined
      ? HttpServer.json(response, 404, { error: { code: 404 } })
      : HttpServer.json(response, 200, {
        id: found.id,
        threadId: found.id,
        labelIds: found.labelIds,
        snippet: "…",
        sizeEstimate: 100,
        historyId: String(found.historyId),
        internalDate: String(found.at),
        payload: found.payload
      })
  }

  const server = yield* HttpServer.make(({ body, headers, url }, response) => {
    const { pathname, searchParams } = new URL(url, "http://mail")
    if (pathname === "/token") {
      if (new URLSearchParams(body).get("refresh_token") !== mailbox.refresh) {
        return HttpServer.json(response, 400, { error: "invalid_grant" })
      }
      mailbox.token = `token-${++renewals}`
      return HttpServer.json(response, 200, { access_token: mailbox.token, expires_in: 3600, token_type: "Bearer" })
    }
    if (headers.authorization !== `Bearer ${mailbox.token}`) {
      return HttpServer.json(response, 401, { error: { code: 401, status: "UNAUTHENTICATED" } })
    }
    answer(pathname.replace("/gmail/v1/users/me/", ""), searchParams, response)
  })
  const mailbox: Mailbox = {
    ...server,
    token: "token-0",
    refresh: "refresh-me",
    expiredBefore: 0,
    status: undefined,
    pageSize: 500,
    add: (id, options = {}) => {
      last += 7
      stored.push({
        id,
        historyId: last,
        at: options.at ?? Date.now(),
        labelIds: options.labelIds ?? ["INBOX", "UNREAD"],
        payload: options.payload ?? text(`this is ${id}`)
      })
    },
    remove: (id) => void gone.add(id),
    history: () => last,
    asked: (what) => server.requests.filter(({ url }) => url.replace(/\?.*$/s, "").endsWith(what)).length
  }
  return mailbox
})

const text = (body: string) => ({
  mimeType: "text/plain",
  filename: "",
  headers: [{ name: "Subject", value: "Hello" }],
  body: { size: body.length, data: Buffer.from(body).toString("base64url") }
})
