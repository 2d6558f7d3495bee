/** Addresses under which others may fetch a stored object. Only a server can hand them out, so it replaces the default. */
import { Context, type Duration, Effect } from "effect"
import { type Address, toUri } from "../../security/Address.ts"

export interface PublicUrlsService {
  /** A URL of the object that works until `timeToLive` has passed, at most as long as the object lives. */
  readonly make: (address: Pick<Address, "home" | "path">, timeToLive: Duration.Duration) => Effect.Effect<string>
}

/** Without a server: the object's `smythfs://` URI, which other components of this system can read. */
export class PublicUrls extends Context.Reference<PublicUrls>()("effect-sre/PublicUrls", {
  defaultValue: (): PublicUrlsService => ({ make: (address) => Effect.succeed(toUri(address)) })
}) {}
