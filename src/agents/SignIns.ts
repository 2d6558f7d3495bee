/** Sign-ins of components: begun by an owner of the agent, finished with what a browser brings back. Tokens are the agent's. */
import { Effect, type Option } from "effect"
import type { Services } from "../components/Services.ts"
import type { ConnectorError } from "../kernel/ConnectorError.ts"
import { traced } from "../kernel/Trace.ts"
import type * as Access from "../security/Access.ts"
import * as Candidate from "../security/Candidate.ts"
import type { AgentNotFound } from "../subsystems/io/AgentData.ts"
import * as Mcp from "../subsystems/io/Mcp.ts"
import { ComponentNotFound, SignInRefused } from "./AgentErrors.ts"
import type { Processes } from "./Processes.ts"
import { find, idsOf } from "./Program.ts"

/** What the process table offers of sign-ins. */
export interface SignInCalls {
  /** For owners. The page to open in a browser, which leads to `redirectUrl` in the end; none: it is signed in. */
  readonly signIn: (
    id: string,
    component: string,
    redirectUrl: string
  ) => Effect.Effect<Option.Option<string>, AgentNotFound | ComponentNotFound | SignInRefused | Access.AccessError>
  /** `address`: where the browser was led to. Its state says whose sign-in it is and proves it, so anybody may bring it, once. */
  readonly finishSignIn: (
    address: string
  ) => Effect.Effect<void, Mcp.SignInFailed | ConnectorError | Candidate.NoCandidate>
}

export const make = (processes: Processes): Effect.Effect<SignInCalls, never, Services> =>
  Effect.map(Effect.context<Services>(), (services) => ({
    signIn: Effect.fnUntraced(function*(id, component, redirectUrl) {
      const { candidate, program } = yield* processes.owned("signIn", id)
      const place = find(program, component)
      if (place === undefined) return yield* new ComponentNotFound({ agent: id, component, available: idsOf(program) })
      const { component: { name, signIn }, config, info } = place.node
      const refused = (problem: string) => new SignInRefused({ agent: id, component, problem })
      if (signIn === undefined) return yield* refused(`a component ${name} knows no sign-in`)
      const variables = { ...info.templateValues, ...program.agent.variables }
      return yield* Effect.suspend(() => signIn({ config: config as never, variables }, redirectUrl)).pipe(
        Effect.timeoutFail({ duration: "1 minute", onTimeout: () => ({ message: "it took longer than a minute" }) }),
        Effect.mapError(({ message }) => refused(message)),
        Effect.provide(services),
        Candidate.as(candidate)
      )
    }, traced("Agents.signIn")),
    finishSignIn: (address) =>
      Effect.flatMap(Mcp.Mcp, (mcp) => mcp.finishSignIn(address)).pipe(
        Effect.catchAll((error): Effect.Effect<never, Mcp.SignInFailed | ConnectorError | Candidate.NoCandidate> =>
          isTold(error)
            ? Effect.fail(error)
            : new Mcp.SignInFailed({
              connection: "",
              problem: "the authorization server refused it, or it is not kept"
            })
        ),
        Effect.provide(services),
        traced("Agents.finishSignIn")
      )
  }))

/** What is wrong with the home of somebody is no business of those who have an address. */
const isTold = (error: Mcp.McpError): error is Mcp.SignInFailed | ConnectorError | Candidate.NoCandidate =>
  error._tag === "SignInFailed" || error._tag === "NoCandidate" ||
  (error._tag === "ConnectorError" && error.reason !== "Unauthorized")
