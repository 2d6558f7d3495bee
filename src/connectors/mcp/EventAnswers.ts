/**
 * `fetch` whose answers as events always come to an end for whoever asked. The package waits for the rest of one that has broken
 * off, until the time of the call is up; one whose events have ids is asked for again, so it is let alone.
 * https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#resumability-and-redelivery
 */
import type { Fetch } from "./PolicedFetch.ts"

export const make = (send: Fetch): Fetch => async (url, init) => {
  const response = await send(url, init)
  const { body, headers } = response
  const id = idIn(init?.body)
  const isEvents = headers.get("content-type")?.startsWith("text/event-stream") === true
  return id === undefined || body === null || !isEvents
    ? response
    : new Response(ReadableStream.from(answered(body, id)), response)
}

/** That of the request of JSON-RPC. A notification has none, and no answer. */
const idIn = (body: unknown): number | string | undefined =>
  typeof body === "string" ? (JSON.parse(body) as { readonly id?: number | string }).id : undefined

/** An answer of whoever has answered already is not looked at. */
async function* answered(body: AsyncIterable<Uint8Array>, id: number | string) {
  const decoder = new TextDecoder()
  let last = "\n"
  let isResumable = false
  try {
    for await (const chunk of body) {
      last = last.slice(-3) + decoder.decode(chunk, { stream: true })
      isResumable ||= /[\r\n]id:/.test(last)
      yield chunk
    }
  } catch (error) {
    if (isResumable) throw error
  }
  if (isResumable) return
  const error = { code: connectionClosed, message: "the answer broke off" }
  yield new TextEncoder().encode(`\n\ndata: ${JSON.stringify({ jsonrpc: "2.0", id, error })}\n\n`)
}

/** As the package has it. */
const connectionClosed = -32_000
