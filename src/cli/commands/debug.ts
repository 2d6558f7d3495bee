/** `sre debug`: one run, or one component alone, step by step. Commands come from the terminal, or are piped in. */
import { Console, Effect, Either, Option, Stream } from "effect"
import type { AgentEvent } from "../../agents/AgentEvents.ts"
import { Agents, type RunRef } from "../../agents/Agents.ts"
import * as Json from "../../kernel/Json.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as DebugCommands from "../DebugCommands.ts"
import * as Documents from "../Documents.ts"
import { toJson, UsageError } from "../Ending.ts"
import * as Input from "../Input.ts"
import * as Lines from "../Lines.ts"
import * as Session from "../Session.ts"
import { line, RunFailed, show } from "./run.ts"

interface Options {
  readonly file: string
  readonly endpoint: Option.Option<string>
  readonly component: Option.Option<string>
  readonly input: Option.Option<string>
  readonly as: Candidate.Candidate
  readonly config: Option.Option<string>
  readonly json: boolean
}

export const run = Effect.fnUntraced(function*(options: Options) {
  const definition = yield* Documents.read(options.file)
  const what = yield* Option.isSome(options.endpoint) === Option.isSome(options.component)
    ? new UsageError({ message: "expected either an ENDPOINT or --component ID" })
    : Effect.succeed(Option.getOrElse(options.endpoint, () => Option.getOrElse(options.component, () => "")))
  const input = yield* Option.contains(options.input, "-")
    ? new UsageError({ message: "standard input has the commands: use --input JSON or --input @file" })
    : Input.read(options.input)
  yield* Effect.gen(function*() {
    const agents = yield* Agents
    yield* agents.load(definition)
    const debug = { hold: true }
    const { id } = yield* Option.isSome(options.component)
      ? agents.startComponent(definition.id, { component: what, inputs: input, debug })
      : agents.start(definition.id, { endpoint: what, body: input, query: input, debug })
    yield* session(agents, { agent: definition.id, run: id }, what, options.json)
  }).pipe(Effect.scoped, Candidate.as(options.as), Effect.provide(Session.layer(options.config)))
})

const session = Effect.fnUntraced(function*(
  agents: typeof Agents.Service,
  ref: RunRef,
  what: string,
  json: boolean
) {
  const nextLine = yield* Lines.reader
  let seen = 0

  /** Tells what happens until nothing more does: the run is held, or over. */
  const told = Effect.gen(function*() {
    const events = Stream.takeUntil(agents.events(ref, seen), ({ event }) => rests.has(event._tag))
    const last = yield* Stream.runLast(Stream.tap(events, (event) => {
      seen = event.seq + 1
      return Console.log(json ? Json.stringify(event) : line(event))
    }))
    return Option.filter(last, ({ event }) => event._tag !== "RunPaused")
  })

  const obey = (action: DebugCommands.Action) =>
    Effect.gen(function*() {
      yield* DebugCommands.apply(agents, ref, action)
      if (action._tag === "Advance" || action._tag === "Stop") return yield* told
      const now = yield* agents.inspect(ref)
      const text = action._tag === "Show" ? action.text(now) : undefined
      if (json) yield* Console.log(Json.stringify(now))
      else if (text !== undefined) yield* Console.log(text)
      return Option.none<AgentEvent>()
    })

  let over = yield* told
  while (Option.isNone(over)) {
    const typed = yield* nextLine("(debug) ")
    const action = Option.match(typed, { onNone: () => Either.right(stop), onSome: DebugCommands.read })
    over = yield* Effect.flatMap(action, obey).pipe(
      Effect.catchTag(
        "UsageError",
        "RunNotReady",
        "ComponentNotFound",
        (failure) => Effect.as(json ? Console.log(toJson(failure)) : Console.error(failure.message), Option.none())
      )
    )
  }
  const { event } = over.value
  if (event._tag === "RunFailed" && event.error !== "RunStopped") {
    return yield* new RunFailed({ endpoint: what, problem: event.message })
  }
  if (event._tag !== "RunEnded") return
  if (event.failed) {
    return yield* new RunFailed({ endpoint: what, problem: "no part could answer", answer: event.answer })
  }
  if (!json) yield* Console.log(show(event.answer))
})

const rests: ReadonlySet<string> = new Set(["RunPaused", "RunEnded", "RunFailed"])

const stop: DebugCommands.Action = { _tag: "Stop" }
