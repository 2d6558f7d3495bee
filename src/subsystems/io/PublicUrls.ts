/** Addresses under which others may fetch a stored object. Without a server there are none: `SharedFiles` replaces this. */
import { Context, type Duration, Effect } from "effect"
import { type Address, toUri } from "../../security/Address.ts"
import type { StorageError } from "./Storage.ts"

export interface PublicUrlsService {
  /**
   * A URL of an object the asker may read, which works for anybody until `timeToLive` has passed, at most as long as the
   * object lives.
   */
  readonly make: (
    address: Pick<Address, "home" | "path">,
    timeToLive: Duration.Duration
  ) => Effect.Effect<string, StorageError>
}

/** Without a server: the object's `smythfs://` URI, which other components of this system can read. */
export class PublicUrls extends Context.Reference<PublicUrls>()("effect-sre/PublicUrls", {
  defaultValue: (): PublicUrlsService => ({ make: (address) => Effect.succeed(toUri(address)) })
}) {}
