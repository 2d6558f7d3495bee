/**
 * Signing in as the package does it: it finds the authorization server, registers the client where it has to, and leads through
 * https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization. What it would keep, our caller keeps.
 */
import type { OAuthClientProvider, OAuthDiscoveryState } from "@modelcontextprotocol/sdk/client/auth.js"
import type { OAuthClientInformationMixed, OAuthTokens } from "@modelcontextprotocol/sdk/shared/auth.js"
import { Either, Option, Redacted } from "effect"
import * as ClientAssertion from "../../subsystems/io/ClientAssertion.ts"
import type { Authorize, Authorized } from "../../subsystems/io/McpSignIn.ts"
import type { Connection } from "../../subsystems/io/OAuthTokens.ts"
import type { Fetch } from "./PolicedFetch.ts"

export interface Settings {
  readonly redirectUrl: string
  readonly clientMetadataUrl: string | undefined
}

type Package = typeof import("@modelcontextprotocol/sdk/client/auth.js")

/** What the first part of a sign-in leaves for the second. */
interface Kept {
  client?: OAuthClientInformationMixed
  verifier?: string
  discovery?: OAuthDiscoveryState
}

/** `id`: unguessable and used once. `now`: milliseconds since 1970. */
export const run = async (
  sdk: Package,
  { clientMetadataUrl, redirectUrl: usualRedirectUrl }: Settings,
  server: URL,
  { answer, client, metadataUrl, redirectUrl = usualRedirectUrl, scope, state }: Authorize,
  fetch: Fetch,
  { id, now }: Pick<ClientAssertion.Assertion, "id" | "now">
): Promise<Authorized> => {
  const kept: Kept = Option.match(answer, {
    onNone: () => ({}),
    onSome: ({ kept }) => JSON.parse(Redacted.value(kept)) as Kept
  })
  const privateKey = Option.filterMap(
    client,
    ({ authentication, secret }) => authentication === "private_key_jwt" ? secret : Option.none()
  )
  const known = Option.map(client, ({ id, secret }): OAuthClientInformationMixed => ({
    client_id: id,
    ...Option.isNone(secret) || Option.isSome(privateKey) ? {} : { client_secret: Redacted.value(secret.value) }
  }))
  const isForItself = Option.exists(client, ({ grant }) => grant === "client_credentials")
  const wanted = scope ?? Option.getOrUndefined(Option.flatMap(client, (one) => one.scope))
  let given: OAuthTokens | undefined
  let page: URL | undefined

  const provider: OAuthClientProvider = {
    redirectUrl: isForItself ? undefined : redirectUrl,
    clientMetadata: {
      client_name: "effect-sre",
      redirect_uris: [redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"]
    },
    ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl }),
    ...(isForItself
      ? {
        prepareTokenRequest: () =>
          clientCredentials(wanted ?? kept.discovery?.resourceMetadata?.scopes_supported?.join(" "))
      }
      : {}),
    ...Option.match(privateKey, {
      onNone: () => ({}),
      onSome: (privateKey) => ({
        addClientAuthentication: (_headers, form, url, metadata) => {
          const { client_id: clientId } = Option.getOrThrow(known)
          const audience = metadata?.issuer ?? String(url)
          const proof = Either.getOrThrowWith(
            ClientAssertion.parameters({ clientId, privateKey, audience, id, now }),
            (problem) => new Error(problem)
          )
          for (const [name, value] of Object.entries({ client_id: clientId, ...proof })) form.set(name, value)
        }
      } satisfies Partial<OAuthClientProvider>)
    }),
    state: () => state,
    clientInformation: () => kept.client ?? Option.getOrUndefined(known),
    saveClientInformation: (client) => void (kept.client = client),
    // Those there are have been tried already.
    tokens: () => undefined,
    saveTokens: (tokens) => void (given = tokens),
    redirectToAuthorization: (url) => void (page = url),
    saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
    codeVerifier: () => kept.verifier ?? "",
    saveDiscoveryState: (discovery) => void (kept.discovery = discovery),
    discoveryState: () => kept.discovery
  }
  await sdk.auth(provider, {
    serverUrl: server,
    fetchFn: fetch,
    ...(wanted === undefined ? {} : { scope: wanted }),
    ...(metadataUrl === undefined ? {} : { resourceMetadataUrl: metadataUrl }),
    ...Option.match(answer, { onNone: () => ({}), onSome: ({ code }) => ({ authorizationCode: code }) })
  })
  return given === undefined
    ? { _tag: "Browser", url: page?.href ?? "", kept: Redacted.make(JSON.stringify(kept)) }
    : { _tag: "Connection", connection: connectionOf(sdk, kept, given, { isForItself, privateKey, wanted, now }) }
}

const connectionOf = (
  sdk: Package,
  { client = { client_id: "" }, discovery }: Kept,
  { access_token, expires_in, refresh_token, scope }: OAuthTokens,
  { isForItself, now, privateKey, wanted }: {
    readonly isForItself: boolean
    readonly privateKey: Option.Option<Redacted.Redacted>
    readonly wanted: string | undefined
    readonly now: number
  }
): Connection => {
  const { authorizationServerMetadata: metadata, authorizationServerUrl = "", resourceMetadata } = discovery ?? {}
  const method = sdk.selectClientAuthMethod(client, metadata?.token_endpoint_auth_methods_supported ?? [])
  return {
    tokenUrl: metadata?.token_endpoint ?? new URL("/token", authorizationServerUrl).href,
    clientId: client.client_id,
    clientSecret: Option.getOrUndefined(
      Option.orElse(privateKey, () => Option.map(Option.fromNullable(client.client_secret), Redacted.make))
    ),
    scope: scope ?? wanted,
    resource: resourceMetadata?.resource,
    grant: isForItself ? "client_credentials" : "refresh_token",
    authentication: Option.isSome(privateKey) ? "private_key_jwt" : method === "client_secret_basic" ? "basic" : "body",
    issuer: metadata?.issuer,
    access: Redacted.make(access_token),
    refresh: refresh_token === undefined ? undefined : Redacted.make(refresh_token),
    expiresAt: expires_in === undefined ? undefined : now + expires_in * 1000
  }
}

const clientCredentials = (scope: string | undefined) =>
  new URLSearchParams({ grant_type: "client_credentials", ...(scope === undefined ? {} : { scope }) })
