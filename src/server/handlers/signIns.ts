/** Sign-ins of components: an owner begins one, the browser brings back what it came to. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Option } from "effect"
import { Agents } from "../../agents/Agents.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Api, SignInRequest } from "../Api.ts"
import * as Body from "../Body.ts"
import { outside } from "../Failures.ts"
import { asAsker } from "../Identity.ts"
import { originOf } from "./agents.ts"

/** Where browsers are led to. */
export const returnPath = "/sign-in"

export const layer = (maxBodyBytes: number) =>
  HttpApiBuilder.group(
    Api,
    "signIns",
    (handlers) =>
      Effect.map(Agents, (agents) =>
        handlers.handleRaw("begin", ({ path, request }) =>
          asAsker(() =>
            Effect.gen(function*() {
              const { redirectUrl = `${originOf(request)}${returnPath}` } = yield* signInRequest(request, maxBodyBytes)
              const page = yield* agents.signIn(path.id, path.component, redirectUrl)
              return HttpServerResponse.unsafeJson(
                Option.match(page, {
                  onNone: () => ({ signedIn: true }),
                  onSome: (url) => ({ signedIn: false, url })
                })
              )
            }).pipe(outside)
          )))
  )

export const returns = HttpApiBuilder.group(
  Api,
  "signInReturns",
  (handlers) =>
    Effect.map(Agents, (agents) =>
      handlers.handleRaw("finish", ({ request }) =>
        agents.finishSignIn(request.url).pipe(
          Effect.as(
            HttpServerResponse.text("Signed in. This page can be closed.\n", {
              headers: { "cache-control": "no-store", "referrer-policy": "no-referrer" }
            })
          ),
          outside,
          Candidate.as(Candidate.anyone)
        )))
)

const signInRequest = Body.decode(SignInRequest)
