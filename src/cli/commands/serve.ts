/** `sre serve`: agents over HTTP until a signal; then what is under way is finished. */
import { Console, Effect, Either, Option, Schema } from "effect"
import type { AgentDefinition } from "../../agents/AgentDefinition.ts"
import { Agents } from "../../agents/Agents.ts"
import { Boot } from "../../boot/Boot.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Server from "../../server/Server.ts"
import { Router } from "../../subsystems/io/Router.ts"
import * as Documents from "../Documents.ts"
import { signal } from "../Ending.ts"
import * as Screen from "../Screen.ts"
import * as Session from "../Session.ts"
import { version } from "../Version.ts"

interface Options {
  readonly paths: ReadonlyArray<string>
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
  readonly auth: "local" | "account"
  readonly owner: Option.Option<Candidate.Candidate>
  readonly cors: ReadonlyArray<string>
  readonly config: Option.Option<string>
  readonly json: boolean
}

export class NothingToServe extends Schema.TaggedError<NothingToServe>()("NothingToServe", {
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return ["No agent could be served.", ...this.problems].join("\n")
  }
}

export const run = (options: Options) =>
  Effect.raceFirst(
    serving(options).pipe(
      Effect.scoped,
      Candidate.as(Candidate.user("local")),
      Effect.provide(Session.layer(options.config))
    ),
    Effect.zipRight(signal, Console.error("finishing what is under way; the next signal ends at once"))
  )

const serving = Effect.fnUntraced(function*(options: Options) {
  const { auth, cors, json } = options
  const owner = Option.orElse(
    options.owner,
    () => auth === "local" ? Option.some(Candidate.user("local")) : Option.none()
  )
  const { agents, problems, replaced } = yield* loaded(options.paths, owner)
  if (agents.length === 0) return yield* new NothingToServe({ problems })
  yield* Server.serve({
    auth,
    host: Option.getOrUndefined(options.host),
    port: Option.getOrUndefined(options.port),
    cors: cors.length === 0 ? undefined : { origins: cors }
  })
  const served: Screen.Served = {
    version,
    auth,
    url: yield* Effect.flatMap(Router, ({ baseUrl }) => baseUrl),
    steps: yield* Effect.flatMap(Boot, ({ steps }) => steps),
    readyMillis: Math.round(performance.now()),
    agents,
    notes: [...problems, ...replaced]
  }
  yield* Console.log(json ? JSON.stringify(Screen.json(served)) : Screen.text(served))
  return yield* Effect.never
})

/** The agents that are valid, and what is wrong with the others. */
const loaded = Effect.fnUntraced(function*(paths: ReadonlyArray<string>, owner: Option.Option<Candidate.Candidate>) {
  const files = yield* Documents.find(paths)
  const results = yield* Effect.forEach(files, (file) => Effect.either(load(file, owner)))
  const [problems, found] = [results.flatMap(leftOf), results.flatMap(rightOf)]
  return {
    agents: found.map(({ agent }) => agent),
    problems,
    replaced: found.flatMap(({ replaced }) => Option.toArray(replaced))
  }
})

/** What is wrong with a file, with its name: an agent's own name may be that of another file. */
const load = (file: string, owner: Option.Option<Candidate.Candidate>) =>
  Effect.mapError(loadFile(file, owner), ({ message }) => message.startsWith(file) ? message : `${file}: ${message}`)

const loadFile = Effect.fnUntraced(function*(file: string, owner: Option.Option<Candidate.Candidate>) {
  const agents = yield* Agents
  const definition = yield* Documents.read(file)
  const replaced = yield* Session.missingKey(definition)
  // The operator gives the agent its identity, and an owner beside itself; who may call it follows from the account.
  const agent = yield* agents.load(Option.isSome(replaced) ? withModel(definition, Session.echo) : definition).pipe(
    Candidate.as(Option.getOrElse(owner, () => Candidate.agent(definition.id)))
  )
  return { agent, replaced }
})

/** The agent with another model for conversations that name none. */
const withModel = (definition: AgentDefinition, defaultModel: string): AgentDefinition => ({
  ...definition,
  document: { ...definition.document, defaultModel }
})

const leftOf = <A, E>(result: Either.Either<A, E>) => Option.toArray(Either.getLeft(result))
const rightOf = <A, E>(result: Either.Either<A, E>) => Option.toArray(Either.getRight(result))
