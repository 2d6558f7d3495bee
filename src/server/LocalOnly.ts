/** What a server without credentials must refuse: pages in this machine's browser that reach for it. */
import { isIP } from "node:net"
import { ForeignRequest } from "./Failures.ts"

/** A name or address only this machine can reach: `localhost`, `127.x.x.x`, `::1`. */
export const isLoopback = (host: string): boolean => {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase()
  return isIP(name) === 4
    ? name.startsWith("127.")
    : isIP(name) === 6
    ? name === "::1" || name === "0:0:0:0:0:0:0:1"
    : name === "localhost" || name.endsWith(".localhost")
}

/**
 * - A name of the attacker's that resolves to this machine (DNS rebinding) shows in `Host`.
 * - A page of another origin shows in `Origin`, or, where browsers leave that out (images, links), in `Sec-Fetch-Site`. Only
 *   where browsers are led to by such pages, as `isLed` says, that is no reason to refuse.
 */
export const refusal = (
  headers: Readonly<Record<string, string | undefined>>,
  allowedOrigins: ReadonlyArray<string>,
  isLed = false
): ForeignRequest | undefined => {
  const host = headers["host"] ?? ""
  if (!isLoopback(host.replace(/:\d*$/, ""))) return new ForeignRequest({ header: "Host" })
  if (isLed) return undefined
  const origin = headers["origin"]
  if (origin !== undefined) {
    return origin === `http://${host}` || allowedOrigins.includes(origin)
      ? undefined
      : new ForeignRequest({ header: "Origin" })
  }
  const site = headers["sec-fetch-site"] ?? "none"
  return site === "none" || site === "same-origin" ? undefined : new ForeignRequest({ header: "Sec-Fetch-Site" })
}
