/** `fetch` that sends the token of the moment to the MCP server, and remembers how the server asked for a better one. */
import { Option, Redacted } from "effect"
import type { Bearer } from "../../subsystems/io/Mcp.ts"
import type { Challenge } from "../../subsystems/io/McpSignIn.ts"
import type { Fetch } from "./PolicedFetch.ts"

export type Asked = Pick<Challenge, "sent" | "scope" | "metadataUrl" | "isForScope">

/** What the package reads of the header `WWW-Authenticate`. */
type Read = (response: Response) => {
  readonly resourceMetadataUrl?: URL
  readonly scope?: string
  readonly error?: string
}

export interface BearerFetch {
  readonly fetch: Fetch
  /** What the last refusal of this status asked for. */
  readonly asked: (status: number) => Asked | undefined
}

export const make = (send: Fetch, server: URL, bearer: Bearer, read: Read): BearerFetch => {
  // Every refusal sets it, so that of calls at the same time none misses what it was refused for.
  const last = new Map<number, Asked>()
  return {
    fetch: async (url, init) => {
      const sent = bearer.token
      const headers = new Headers(init?.headers)
      if (Option.isSome(sent) && new URL(url).origin === server.origin) {
        headers.set("authorization", `Bearer ${Redacted.value(sent.value)}`)
      }
      const response = await send(url, { ...init, headers: Object.fromEntries(headers) })
      if (response.status !== 401 && response.status !== 403) return response
      const { error, resourceMetadataUrl: metadataUrl, scope } = read(response)
      const isForScope = error === "insufficient_scope"
      if (response.status === 401 || isForScope) last.set(response.status, { sent, scope, metadataUrl, isForScope })
      else last.delete(response.status)
      return response
    },
    asked: (status) => last.get(status)
  }
}
