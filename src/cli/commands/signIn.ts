/** `sre sign-in`: signs a component in with a browser, which nobody but the one at the shell opens. */
import { Console, Effect, Option } from "effect"
import { Agents } from "../../agents/Agents.ts"
import * as Candidate from "../../security/Candidate.ts"
import { SignInFailed } from "../../subsystems/io/McpSignIn.ts"
import * as Documents from "../Documents.ts"
import * as Landing from "../Landing.ts"
import * as Session from "../Session.ts"

interface Options {
  readonly file: string
  readonly component: string
  readonly port: Option.Option<number>
  readonly as: Candidate.Candidate
  readonly config: Option.Option<string>
  readonly json: boolean
}

export const run = Effect.fnUntraced(function*(options: Options) {
  const definition = yield* Documents.read(options.file)
  yield* Effect.gen(function*() {
    const agents = yield* Agents
    yield* agents.load(definition)
    const landing = yield* Landing.make(Option.getOrElse(options.port, () => 0))
    const page = yield* agents.signIn(definition.id, options.component, landing.url)
    if (Option.isSome(page)) {
      yield* Console.log(options.json ? JSON.stringify({ url: page.value }) : `Open ${page.value}`)
      yield* landing.first(agents.finishSignIn, stateIn(page.value)).pipe(
        Effect.timeoutFail({
          duration: "10 minutes",
          onTimeout: () =>
            new SignInFailed({ connection: "", problem: "nobody came back from that page in 10 minutes" })
        })
      )
    }
    yield* Console.log(
      options.json
        ? JSON.stringify({ agent: definition.id, component: options.component, signedIn: true })
        : `"${options.component}" of ${definition.id} is signed in`
    )
  }).pipe(Effect.scoped, Candidate.as(options.as), Effect.provide(Session.layer(options.config)))
})

const stateIn = (page: string) => (URL.canParse(page) ? new URL(page).searchParams.get("state") : null) ?? ""
