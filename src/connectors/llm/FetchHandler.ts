/**
 * Lets the SDKs of AWS ask through a `fetch` of ours. Their own handlers wait for ever for a body that stalls, and keep a pool for
 * each client.
 */
import { Readable } from "node:stream"
import * as PooledFetch from "./PooledFetch.ts"

/** A request as those SDKs have it. */
interface Request {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Readonly<Record<string, string | Array<string> | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export const requestHandler = (fetch: PooledFetch.PooledFetch) => ({
  handle: async ({ body = "", headers, hostname, method, path, port, protocol, query = {} }: Request) => {
    const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`)
    for (const [name, value] of Object.entries(query)) {
      for (const one of [value].flat()) url.searchParams.append(name, one ?? "")
    }
    // The connection sets these itself.
    const rest = Object.entries(headers).filter(([name]) => !/^(host|connection|content-length)$/i.test(name))
    const response = await fetch(url, { method, headers: rest.map(([name, value]) => [name, value]), body })
    return {
      response: {
        statusCode: response.status,
        headers: Object.fromEntries(response.headers),
        body: PooledFetch.isUnread(response)
          ? response.source
          : Readable.from([Buffer.from(await response.arrayBuffer())])
      }
    }
  }
})
