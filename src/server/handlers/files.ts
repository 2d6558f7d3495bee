/** Files that agents share by address: see `SharedFiles`. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import { SharedFiles } from "../../subsystems/io/SharedFiles.ts"
import { Api } from "../Api.ts"
import { outside, RouteNotFound } from "../Failures.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "files",
  (handlers) =>
    Effect.map(
      Effect.serviceOption(SharedFiles),
      (files) =>
        handlers.handleRaw("get", ({ path, request: { method, url } }) => {
          const unknown = () => new RouteNotFound({ method, path: url.replace(/\?.*$/s, "") })
          return Effect.gen(function*() {
            const { open } = yield* Effect.mapError(files, unknown)
            const { body, contentType, sizeBytes } = yield* Effect.flatten(open(path)).pipe(
              Effect.catchTag("NoSuchElementException", unknown),
              // What is wrong with a home is no business of those who have an address in it.
              Effect.catchTags({ AccessDenied: unknown, InvalidKey: unknown, ObjectNotFound: unknown })
            )
            return HttpServerResponse.stream(body, {
              contentType,
              contentLength: sizeBytes,
              headers: headersFor(contentType)
            })
          }).pipe(outside)
        })
    )
)

/** Somebody else wrote what is in it: what a browser would run has no rights of this server's pages. */
const headersFor = (contentType: string) => ({
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "private, no-store",
  ...(/html|xml|svg/i.test(contentType) ? { "content-security-policy": "sandbox" } : {})
})
