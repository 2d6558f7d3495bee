/** What sites ask of programs: https://www.rfc-editor.org/rfc/rfc9309 */
import { Clock, Duration, Effect } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { Outbound, type OutboundError } from "../../subsystems/io/Outbound.ts"
import { unreadable } from "../../subsystems/io/WebPages.ts"

type Rules = (url: string) => boolean

/**
 * Fails when the site asks `agent` to stay away from a page. What a site said is kept for an hour, of 1000 sites at most; that it
 * could not say, not at all.
 */
export const make = (agent: string, timeout: Duration.DurationInput = "10 seconds") => {
  const known = new Map<string, { readonly rules: Rules; readonly until: number }>()

  const rulesOf = Effect.fnUntraced(function*(origin: string) {
    const now = yield* Clock.currentTimeMillis
    const found = known.get(origin)
    if (found !== undefined && found.until > now) return found.rules
    const rules = yield* ask(origin, agent, timeout)
    known.delete(origin)
    if (rules === undefined) return () => false
    const [oldest] = known.keys()
    if (oldest !== undefined && known.size >= 1000) known.delete(oldest)
    known.set(origin, { rules, until: now + Duration.toMillis("1 hour") })
    return rules
  })

  return Effect.fnUntraced(function*(url: string) {
    const rules = yield* rulesOf(new URL(url).origin)
    if (!rules(url)) {
      return yield* unreadable(url, "Forbidden", `the robots.txt of the site asks "${agent}" not to read this page`)
    }
  })
}

/** None where a site cannot say at the moment, which forbids all; one without the file forbids nothing. */
const ask = Effect.fnUntraced(function*(
  origin: string,
  agent: string,
  timeout: Duration.DurationInput
): Effect.fn.Return<Rules | undefined, OutboundError, Outbound> {
  const outbound = yield* Outbound
  const url = `${origin}/robots.txt`
  const request = { method: "GET", url, timeout, maxBytes: 512 * 1024 } as const
  const { body, status } = yield* outbound.request(request)
  if (status >= 500) return undefined
  if (status >= 300) return () => true
  const { default: parse } = yield* Connector.vendor("robots.txt", "robots-parser", () => import("robots-parser")).pipe(
    Effect.mapError((cause) =>
      new ConnectorError({
        connector: "WebPages",
        method: "read",
        reason: "Unsupported",
        detail: cause.problem,
        cause
      })
    )
  )
  const rules = (parse as unknown as typeof parse.default)(url, new TextDecoder().decode(body))
  return (page: string) => rules.isAllowed(page, agent) !== false
})
