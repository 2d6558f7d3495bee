/** What connectors of pictures have in common: JSON over HTTP, pictures in base64. */
import { Effect, Redacted } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as MediaType from "../../subsystems/io/MediaType.ts"
import type { Image, ProviderRequest } from "../../subsystems/llm/Images.ts"
import type { VendorFetch } from "../VendorFetch.ts"

/** Sends JSON and reads JSON; a status of 300 and above is a failure. */
export const post = ({ attempt, fetch }: VendorFetch, url: string, headers: Record<string, string>, body: unknown) =>
  attempt("generate", async (): Promise<unknown> => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body)
    })
    return response.json()
  })

export const secret = (key: Redacted.Redacted | undefined): string => key === undefined ? "" : Redacted.value(key)

export const fromBase64 = (data: string, mediaType?: string): Image => {
  const bytes = new Uint8Array(Buffer.from(data, "base64"))
  return { bytes, mediaType: mediaType ?? MediaType.detect("", bytes) }
}

export const toBase64 = ({ bytes }: Image): string => Buffer.from(bytes).toString("base64")

/** Refuses what a provider would leave out without a word. */
export const refuse = (
  connector: string,
  request: ProviderRequest,
  unknown: ReadonlyArray<keyof ProviderRequest>
): Effect.Effect<void, ConnectorError> => {
  const given = unknown.filter((name) => request[name] !== undefined)
  return given.length === 0
    ? Effect.void
    : Effect.fail(invalid(connector, `${given.join(", ")}: it knows nothing of it`))
}

export const invalid = (connector: string, detail: string) =>
  new ConnectorError({ connector, method: "generate", reason: "InvalidInput", detail })

export const unreadable = (connector: string) =>
  new ConnectorError({
    connector,
    method: "generate",
    reason: "Protocol",
    detail: "the answer has another form; does the base URL name the API itself?"
  })
