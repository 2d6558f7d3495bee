/** Pools of connections that open only to addresses the operator's policy allows, whatever DNS says of their names. */
import { Effect, type Scope } from "effect"
import { lookup as systemLookup } from "node:dns"
import type { LookupFunction } from "node:net"
import type { Agent } from "undici"
import * as NetworkPolicy from "../subsystems/io/NetworkPolicy.ts"

/** Answers the addresses of a name, as `dns.lookup` with `all` does. */
export type Resolve = (
  hostname: string,
  callback: (
    error: Error | null,
    addresses: ReadonlyArray<{ readonly address: string; readonly family: number }>
  ) => void
) => void

export const resolveBySystem: Resolve = (hostname, callback) => systemLookup(hostname, { all: true }, callback)

/** Travels from the lookup through the socket and the pool back to whoever asked for the connection. */
export class Refusal extends Error {}

/** What an {@link Agent} builds its pools with. */
export const factory = (
  undici: typeof import("undici"),
  policy: NetworkPolicy.NetworkPolicy,
  options: {
    /** Connections to one origin. */
    readonly connections: number
    /** To open a connection, in milliseconds. */
    readonly connectTimeout: number
    readonly resolve?: Resolve | undefined
  }
): NonNullable<Agent.Options["factory"]> =>
(origin, agentOptions) => {
  const url = new URL(origin)
  const refusal = policy.refusesUrl(url)
  return new undici.Pool(origin, {
    ...agentOptions,
    connections: options.connections,
    connect: refusal === undefined
      ? undici.buildConnector({
        lookup: lookup(policy, NetworkPolicy.portOf(url), options.resolve ?? resolveBySystem),
        timeout: options.connectTimeout
      })
      : (_, callback) => callback(new Refusal(refusal), null)
  })
}

interface Options extends Pick<Agent.Options, "bodyTimeout" | "headersTimeout"> {
  /** Connections to one origin. */
  readonly connections: number
  /** To open a connection, in milliseconds. */
  readonly connectTimeout: number
  readonly resolve?: Resolve | undefined
}

/** The agent of each policy, and that of the operator's own addresses, which none judges; they close with the scope. */
export const agents = (
  undici: typeof import("undici"),
  { connectTimeout, resolve, ...options }: Options
): Effect.Effect<(policy: NetworkPolicy.NetworkPolicy | undefined) => Agent, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      // A system has one policy, so that there are two agents at most.
      Effect.sync(() => new Map<NetworkPolicy.NetworkPolicy | undefined, Agent>()),
      (opened) => Effect.promise(() => Promise.all(Array.from(opened.values(), (agent) => agent.destroy())))
    ),
    (opened) => (policy) => {
      const agent = opened.get(policy) ?? new undici.Agent({
        ...options,
        ...(policy === undefined
          ? { connect: { timeout: connectTimeout } }
          : { factory: factory(undici, policy, { connections: options.connections, connectTimeout, resolve }) })
      })
      opened.set(policy, agent)
      return agent
    }
  )

/** Answers only addresses the policy allows: the socket connects to what is answered here, so a later answer cannot matter. */
export const lookup =
  (policy: NetworkPolicy.NetworkPolicy, port: number, resolve: Resolve): LookupFunction =>
  (hostname, options, callback) =>
    resolve(hostname, (error, addresses) => {
      if (error !== null) return callback(error, [])
      const refusals = addresses.map(({ address }) => policy.refusesAddress(hostname, port, address))
      const allowed = addresses.filter((_, index) => refusals[index] === undefined)
      const first = allowed[0]
      if (first === undefined) return callback(new Refusal(refusals[0] ?? "its name has no address"), [])
      return options.all === true
        ? callback(null, [...allowed])
        : callback(null, first.address, first.family)
    })
