/** Ways through a proxy: the address of the proxy is judged where it is connected to, that of the target before anything is sent. */
import { Effect, type Scope } from "effect"
import { isIP } from "node:net"
import type { Dispatcher } from "undici"
import { portOf } from "../../subsystems/io/NetworkPolicy.ts"
import type { NetworkPolicy } from "../../subsystems/io/NetworkPolicy.ts"
import type { Proxy } from "../../subsystems/io/Outbound.ts"
import * as PolicedPool from "../PolicedPool.ts"

/**
 * A dispatcher for one exchange. A proxy looks the target's name up itself; so that no name leads where the policy forbids,
 * one that has no allowed address here is not asked for.
 */
export const make = (
  undici: typeof import("undici"),
  policy: NetworkPolicy,
  { connectTimeout, resolve = PolicedPool.resolveBySystem }: {
    /** To reach the proxy, in milliseconds. */
    readonly connectTimeout: number
    readonly resolve?: PolicedPool.Resolve | undefined
  }
) =>
(proxy: Proxy, target: URL): Effect.Effect<Dispatcher, unknown, Scope.Scope> => {
  const options = { lookup: PolicedPool.lookup(policy, proxy.port, resolve), timeout: connectTimeout }
  const { credentials, host, port, scheme } = proxy
  const build = (): Dispatcher =>
    scheme === "socks5"
      ? new undici.Socks5ProxyAgent(`socks5://${host}:${port}`, {
        connect: undici.buildConnector(options),
        ...(credentials === undefined ? {} : { username: credentials.user, password: credentials.password })
      })
      : new undici.ProxyAgent({
        uri: `${scheme}://${host}:${port}`,
        proxyTls: options,
        proxyTunnel: false,
        ...(credentials === undefined ? {} : { token: basic(credentials) })
      })
  return Effect.zipRight(
    judged(policy, target, resolve),
    Effect.acquireRelease(Effect.sync(build), (way) => Effect.promise(() => way.destroy()))
  )
}

const judged = (policy: NetworkPolicy, target: URL, resolve: PolicedPool.Resolve): Effect.Effect<void, unknown> => {
  const host = target.hostname.replace(/^\[(.*)\]$/, "$1")
  // An address was judged with the URL.
  if (isIP(host) !== 0) return Effect.void
  return Effect.async((done) => {
    PolicedPool.lookup(policy, portOf(target), resolve)(
      host,
      { all: true },
      (error) => done(error === null ? Effect.void : Effect.fail(error))
    )
  })
}

const basic = ({ password, user }: NonNullable<Proxy["credentials"]>) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`
