/** The client of all connectors on OpenAI's own package whose answers are read as a whole. */
import { Duration, Effect, Redacted, type Scope } from "effect"
import type { OpenAI } from "openai"
import * as Connector from "../kernel/Connector.ts"
import type { ConnectorError } from "../kernel/ConnectorError.ts"
import type { NetworkPolicy } from "../subsystems/io/NetworkPolicy.ts"
import * as VendorFetch from "./VendorFetch.ts"

export interface OpenAIClient {
  readonly sdk: Pick<typeof import("openai"), "OpenAI" | "toFile">
  readonly vendor: VendorFetch.VendorFetch
  /** A client holds one key and serves one call. */
  readonly client: (endpoint: {
    readonly apiKey: Redacted.Redacted | undefined
    readonly baseURL: string | undefined
    readonly policy?: NetworkPolicy | undefined
  }) => OpenAI
}

export const usual = "https://api.openai.com/v1"

/** Loaded by the first call. `baseURL` is the operator's, for models that name no other but the provider's `own`. */
export const make = (
  name: string,
  { baseURL: ofOperator, own = usual, timeout }: {
    readonly baseURL?: string | undefined
    readonly own?: string
    readonly timeout: Duration.Duration
  }
): Effect.Effect<Effect.Effect<OpenAIClient, ConnectorError>, never, Scope.Scope> =>
  Connector.onFirstUse(
    name,
    Effect.gen(function*() {
      const sdk = yield* Connector.vendor(name, "openai", () => import("openai"))
      const vendor = yield* VendorFetch.make(name, timeout)
      return {
        sdk,
        vendor,
        // All that the package would read from the environment is given.
        client: ({ apiKey, baseURL, policy }) =>
          new sdk.OpenAI({
            apiKey: (apiKey === undefined ? "" : Redacted.value(apiKey)) || "none",
            adminAPIKey: null,
            organization: null,
            project: null,
            webhookSecret: null,
            defaultHeaders: apiKey === undefined ? { Authorization: null } : {},
            baseURL: (baseURL === own ? undefined : baseURL) ?? ofOperator ?? own,
            maxRetries: 0,
            timeout: Duration.toMillis(timeout) + 1000,
            logLevel: "off",
            fetch: vendor.policed(policy).fetch
          })
      }
    })
  )
