/** `fetch` for SDKs that read answers as they come: to addresses the operator's policy allows, each answer with a bound. */
import { Effect } from "effect"
import type { Agent } from "undici"
import * as Connector from "../../kernel/Connector.ts"
import type { NetworkPolicy } from "../../subsystems/io/NetworkPolicy.ts"
import * as PolicedPool from "../PolicedPool.ts"

export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/** A function of the policy, whose connections close with the scope. */
export const make = Effect.gen(function*() {
  const undici = yield* Connector.vendor("McpClient", "undici", () => import("undici"))
  const agents = new Map<NetworkPolicy, Agent>()
  yield* Effect.addFinalizer(() =>
    Effect.promise(() => Promise.all(Array.from(agents.values(), (agent) => agent.destroy())))
  )
  const agentOf = (policy: NetworkPolicy) => {
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
    const response = await undici.fetch(url, { ...init, dispatcher: agentOf(policy) } as never)
    const { body, headers, status, statusText } = response as unknown as Response
    const bounded = new Response(status === 204 || status === 304 ? null : body?.pipeThrough(bound()) ?? null, {
      status,
      statusText,
      headers: [...headers]
    })
    // What reads streams of events asks where they came from.
    Object.defineProperties(bounded, { url: { value: response.url }, redirected: { value: response.redirected } })
    return bounded
  }
})

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
