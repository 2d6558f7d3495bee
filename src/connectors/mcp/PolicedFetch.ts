/** `fetch` for SDKs that read answers as they come: to addresses the operator's policy allows, each answer with a bound. */
import { Effect } from "effect"
import type { Agent } from "undici"
import type { NetworkPolicy } from "../../subsystems/io/NetworkPolicy.ts"
import * as PolicedPool from "../PolicedPool.ts"

export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

type Undici = typeof import("undici")

/** A function of the policy, whose connections close with the scope. The first request loads the package. */
export const make = Effect.gen(function*() {
  const agents = new Map<NetworkPolicy, Agent>()
  yield* Effect.addFinalizer(() =>
    Effect.promise(() => Promise.all(Array.from(agents.values(), (agent) => agent.destroy())))
  )
  const agentOf = (undici: Undici, policy: NetworkPolicy) => {
    const agent = agents.get(policy) ?? new undici.Agent({
      factory: PolicedPool.factory(undici, policy, { connections: 64, connectTimeout: 10_000 }),
      // The SDK has its own clock, and a stream of events is silent for as long as nothing happens.
      headersTimeout: 0,
      bodyTimeout: 0
    })
    agents.set(policy, agent)
    return agent
  }

  return (policy: NetworkPolicy): Fetch => async (url, init) => {
    const undici = await import("undici")
    const dispatcher = agentOf(undici, policy)
    let asked: Asked = { url: new URL(url), init: { ...init, redirect: "manual" } }
    let response: Response
    for (let left = maxRedirects;; left--) {
      response = await undici.fetch(asked.url, { ...asked.init, dispatcher } as never) as unknown as Response
      const next = redirected(asked, response)
      if (next === undefined) break
      await response.body?.cancel()
      if (left === 0) throw new Error(`${asked.url.origin} redirects without end`)
      asked = next
    }
    const { body, headers, status, statusText } = response
    const bounded = new Response(status === 204 || status === 304 ? null : body?.pipeThrough(bound()) ?? null, {
      status,
      statusText,
      headers: [...headers]
    })
    // What reads streams of events asks where they came from.
    Object.defineProperties(bounded, {
      url: { value: response.url },
      redirected: { value: asked.url.href !== new URL(url).href }
    })
    return bounded
  }
})

interface Asked {
  readonly url: URL
  readonly init: RequestInit
}

const maxRedirects = 5

/** Of all others one cannot know whether they carry a secret. */
const harmlessHeaders = /^(accept|accept-language|mcp-protocol-version|user-agent)$/

/** Where a redirect leads. Another origin gets neither keys nor anything that was sent. */
const redirected = ({ init, url }: Asked, { headers, status }: Response): Asked | undefined => {
  const location = headers.get("location")
  if (location === null || ![301, 302, 303, 307, 308].includes(status)) return undefined
  if (!URL.canParse(location, url.href)) throw new Error(`${url.origin} redirects to something that is not a URL`)
  const target = new URL(location, url)
  const { body, method = "GET", ...rest } = init
  const isRead = method === "GET" || method === "HEAD"
  const keeps = isRead || status === 307 || status === 308
  if (target.origin !== url.origin && keeps && !isRead) {
    throw new Error(
      `${url.origin} wants what was sent to be sent to ${target.origin}; use its address if it is trusted`
    )
  }
  const kept = Array.from(new Headers(init.headers)).filter(([name]) =>
    (target.origin === url.origin || harmlessHeaders.test(name)) && (keeps || !name.startsWith("content-"))
  )
  const next = keeps ? { ...rest, method, ...(body === undefined ? {} : { body }) } : { ...rest, method: "GET" }
  return { url: target, init: { ...next, headers: Object.fromEntries(kept) } }
}

const maxBytes = 64 * 2 ** 20

const bound = () => {
  let size = 0
  return new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      size += chunk.length
      if (size > maxBytes) controller.error(new Error(`the answer is larger than ${maxBytes} bytes`))
      else controller.enqueue(chunk)
    }
  })
}

/** Why the policy forbids what was to be connected to, however deep it stands in a failure. */
export const refusalIn = (cause: unknown): string | undefined =>
  cause instanceof PolicedPool.Refusal
    ? cause.message
    : cause instanceof AggregateError
    ? cause.errors.map(refusalIn).find((one) => one !== undefined)
    : cause instanceof Error
    ? refusalIn(cause.cause)
    : undefined
