/** What can be typed at a run that is held. */
import { Effect, Either } from "effect"
import type { RunInspection } from "../agents/AgentRun.ts"
import type { Advance, Agents, DebugChange, RunRef } from "../agents/Agents.ts"
import * as Json from "../kernel/Json.ts"
import * as JsonText from "../kernel/JsonText.ts"
import { didYouMean } from "../kernel/Nearest.ts"
import { UsageError } from "./Ending.ts"

/** A command, understood: the run goes on, ends, is changed, or is only looked at. */
export type Action =
  | { readonly _tag: "Advance"; readonly how: Advance }
  | { readonly _tag: "Stop" }
  | { readonly _tag: "Change"; readonly change: (now: RunInspection) => DebugChange }
  | { readonly _tag: "Show"; readonly text: (now: RunInspection) => string }

interface Command {
  readonly usage: string
  readonly help: string
  readonly read: (rest: string) => Either.Either<Action, UsageError>
}

const commands: Readonly<Record<string, Command>> = {
  step: { usage: "step, s", help: "one step; into loops", read: () => advance("into") },
  over: { usage: "over, n", help: "one step; a loop is one", read: () => advance("over") },
  continue: { usage: "continue, c", help: "to the next breakpoint, or the end", read: () => advance("continue") },
  break: {
    usage: "break ID, b ID",
    help: "hold in front of this component, or no longer",
    read: (rest) =>
      rest === ""
        ? wrong("break: expected the id of a component")
        : Either.right({ _tag: "Change", change: ({ breakpoints }) => ({ breakpoints: toggled(breakpoints, rest) }) })
  },
  inject: {
    usage: "inject ID JSON",
    help: "outputs in place of its next turn",
    read: (rest) => Either.map(outputs("inject", rest), (inject) => ({ _tag: "Change", change: () => ({ inject }) }))
  },
  mock: {
    usage: "mock ID JSON",
    help: "the same for every turn",
    read: (rest) => Either.map(outputs("mock", rest), (mocks) => ({ _tag: "Change", change: () => ({ mocks }) }))
  },
  print: { usage: "print, p", help: "what comes next, and the values on their way there", read: () => look(state) },
  list: { usage: "list, l", help: "the steps so far, with what each got and gave", read: () => look(history) },
  stop: { usage: "stop, q", help: "ends the run", read: () => Either.right({ _tag: "Stop" }) },
  help: { usage: "help, h", help: "shows this", read: () => look(() => help) }
}

const short: Readonly<Record<string, string>> = {
  s: "step",
  n: "over",
  c: "continue",
  b: "break",
  p: "print",
  state: "print",
  inputs: "print",
  l: "list",
  q: "stop",
  quit: "stop",
  h: "help",
  "?": "help"
}

/** An empty line is a step. */
export const read = (line: string): Either.Either<Action, UsageError> => {
  const [, typed = "", rest = ""] = /^\s*(\S*)\s*(.*?)\s*$/.exec(line) ?? []
  const name = typed === "" ? "step" : short[typed] ?? typed
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  return command?.read(rest) ??
    wrong(`there is no command "${typed}".${didYouMean(typed, Object.keys(commands))} Type help for what there is`)
}

/** Does what changes the run; gives nothing else. */
export const apply = (agents: typeof Agents.Service, ref: RunRef, action: Action) => {
  switch (action._tag) {
    case "Advance":
      return Effect.asVoid(agents.resume(ref, action.how))
    case "Stop":
      return Effect.asVoid(agents.stop(ref, "its debugger stopped it"))
    case "Change":
      return Effect.flatMap(agents.inspect(ref), (now) => Effect.asVoid(agents.debug(ref, action.change(now))))
    case "Show":
      return Effect.void
  }
}

const advance = (how: Advance): Either.Either<Action> => Either.right({ _tag: "Advance", how })
const look = (text: (now: RunInspection) => string): Either.Either<Action> => Either.right({ _tag: "Show", text })
const wrong = (message: string) => Either.left(new UsageError({ message }))

const toggled = (breakpoints: ReadonlyArray<string>, id: string) =>
  breakpoints.includes(id) ? breakpoints.filter((one) => one !== id) : [...breakpoints, id]

/** `ID {"port": value}` */
const outputs = (command: string, rest: string) => {
  const [, id = "", text = ""] = /^(\S*)\s*(.*)$/.exec(rest) ?? []
  return JsonText.parse(text).pipe(
    Either.filterOrLeft(isRecord, () => "not an object"),
    Either.mapBoth({
      onLeft: (problem) =>
        new UsageError({ message: `${command}: expected an id and outputs by name, like ID {"out":1}: ${problem}` }),
      onRight: (values) => ({ [id]: values })
    })
  )
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const state = ({ breakpoints, next = [], values }: RunInspection): string =>
  [
    `next: ${next.join(", ") || "nothing"}`,
    ...values.map(({ from, to, value }) => `  ${from} -> ${to} = ${Json.preview(value, 200)}`),
    ...(breakpoints.length === 0 ? [] : [`breakpoints: ${breakpoints.join(", ")}`])
  ].join("\n")

const history = ({ steps }: RunInspection): string =>
  steps.length === 0 ?
    "no step yet" :
    steps.map(({ error, inputs, key, outputs }) =>
      `${key} ${Json.preview(inputs, 200)} -> ${error ?? (outputs === undefined ? "…" : Json.preview(outputs, 200))}`
    ).join("\n")

const help = Object.values(commands).map(({ help, usage }) => `  ${usage.padEnd(16)} ${help}`).join("\n")
