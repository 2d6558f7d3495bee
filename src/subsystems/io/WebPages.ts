/** WebPages: the text of a page of the web. Callers use {@link WebPages}, connectors implement {@link WebPagesConnector}. */
import { Context, Effect, Layer, type Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { retrying } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import { Vault, type VaultError } from "../../security/Vault.ts"
import { type Outbound, type OutboundError, shown } from "./Outbound.ts"

/** The page cannot be had, or has no text. */
export class PageUnreadable extends Schema.TaggedError<PageUnreadable>()("PageUnreadable", {
  /** Scheme and host. */
  url: Schema.String,
  /** `Forbidden`: its robots.txt asks not to. `Refused`: an answer that is no success. `Unsupported`: no page of text. */
  reason: Schema.Literal("InvalidUrl", "Forbidden", "Refused", "Unsupported"),
  detail: Schema.String
}) {
  override get message(): string {
    return `No text of ${this.url}: ${this.detail}`
  }
}

export type WebPagesError = PageUnreadable | VaultError | OutboundError

export interface PageRequest {
  readonly url: string
  readonly format: "markdown" | "text" | "html"
  /** Whether the page's own scripts run before it is read. A connector that cannot do this, or the next three, goes without. */
  readonly renderJs: boolean
  readonly autoScroll: boolean
  readonly antiBot: boolean
  /** Where the request seems to come from, as ISO codes. */
  readonly countries: ReadonlyArray<string>
}

export interface Page {
  /** What answered in the end. */
  readonly url: string
  readonly title: string
  readonly content: string
}

/** Reads one page, connecting by {@link Outbound} alone. No access code. */
export class WebPagesConnector extends Context.Tag("effect-sre/WebPagesConnector")<WebPagesConnector, {
  /** Name of the secret with the key, if it needs one. */
  readonly secret: string | undefined
  readonly read: (
    request: PageRequest,
    key: Redacted.Redacted | undefined
  ) => Effect.Effect<Page, PageUnreadable | OutboundError, Outbound>
}>() {}

export class WebPages extends Context.Tag("effect-sre/WebPages")<WebPages, {
  /** With the key of the asker's own vault. Default: Markdown, and no scripts. */
  readonly read: (
    request: Pick<PageRequest, "url"> & Partial<PageRequest>
  ) => Effect.Effect<Page, WebPagesError, Outbound | Vault>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

const make = Effect.gen(function*() {
  const connector = yield* WebPagesConnector
  const guard = yield* Access.guard("WebPages")

  return WebPages.of({
    read: Effect.fnUntraced(function*(asked) {
      yield* guard.candidate("read")
      const request: PageRequest = { ...defaults, ...asked }
      if (!URL.canParse(request.url) || !/^https?:$/.test(new URL(request.url).protocol)) {
        return yield* new PageUnreadable({
          url: "it",
          reason: "InvalidUrl",
          detail: "its URL is not one of http or https"
        })
      }
      const key = connector.secret === undefined
        ? undefined
        : yield* Effect.flatMap(Vault, (vault) => vault.get(connector.secret!))
      return yield* retrying(connector.read(request, key))
    }, traced("WebPages.read"))
  })
})

export const layer: Layer.Layer<WebPages, never, WebPagesConnector> = Layer.effect(WebPages, make)

const defaults: Omit<PageRequest, "url"> = {
  format: "markdown",
  renderJs: false,
  autoScroll: false,
  antiBot: false,
  countries: []
}

export const unreadable = (url: string, reason: PageUnreadable["reason"], detail: string) =>
  new PageUnreadable({ url: shown(new URL(url)), reason, detail })
