/** AgentData of one document, named on the command line: `--agent <file>`. It answers for every version. */
import { Config, Effect, Option, Schema } from "effect"
import { readFile, stat } from "node:fs/promises"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as AgentData from "../../subsystems/io/AgentData.ts"
import * as DataFolder from "../DataFolder.ts"
import * as AgentFile from "./AgentFile.ts"

export const CLIAgentData = Connector.make({
  name: "CLI",
  aliases: ["CLIAgentData"],
  contract: AgentData.AgentDataConnector,
  service: AgentData.layer,
  settings: Schema.Struct({
    /** `--agent <file>` or `--agent=<file>`, among others. Default: what the process was started with. */
    args: Schema.optionalWith(Schema.Array(Schema.String), { default: () => process.argv.slice(2) }),
    /** The team that owns the document. */
    team: Schema.optionalWith(Candidate.CandidateId, { default: () => "default" })
  }),
  make: Effect.fnUntraced(function*({ args, team }) {
    const file = yield* fileIn(args)
    const owned = AgentFile.ownedBy(Candidate.team(team))
    const load = Effect.timeoutFail(read(file), {
      duration: "10 seconds",
      onTimeout: () => new ConnectorError({ connector: name, method: "read", reason: "Timeout", detail: file })
    })
    const { problem } = yield* load
    if (problem !== undefined) return yield* boot(`${file}: ${problem}`)

    return AgentData.AgentDataConnector.of({
      get: (id) =>
        Effect.flatMap(load, (one) =>
          one.id !== id
            ? Effect.succeedNone
            : one.problem === undefined
            ? Effect.succeedSome({ id, document: one.document, source: file, ...owned(id) })
            : Effect.fail(
              new ConnectorError({
                connector: name,
                method: "get",
                reason: "Corrupted",
                detail: `${file}: ${one.problem}`
              })
            )),
      findByDomain: (domain) =>
        Effect.map(
          load,
          (one) => one.domain === domain ? Option.some({ id: one.id, ...owned(one.id) }) : Option.none()
        ),
      list: Effect.map(load, ({ id, name, problem }) => [
        { id, name, source: file, deployed: problem === undefined, problem, ...owned(id) }
      ])
    })
  })
})

/** The document that `--agent` names, owned by the team in `AGENTS_TEAM`. */
export const CLIAgentDataLive = CLIAgentData.layerConfig(
  Config.all({
    args: Config.sync(() => process.argv.slice(2)),
    team: Config.withDefault(Config.string("AGENTS_TEAM"), "default")
  })
)

const name = "CLI"

const fileIn = (args: ReadonlyArray<string>): Effect.Effect<string, BootError> => {
  const at = args.findIndex((one) => /^--agent(=|$)/.test(one))
  const file = args[at]?.includes("=") === true ? args[at].slice("--agent=".length) : args[at + 1]
  return at < 0 || file === undefined || file === ""
    ? boot("no document is named. Start with --agent <file>, or give the setting args")
    : Effect.succeed(file)
}

const read = (file: string) =>
  Effect.gen(function*() {
    const { size } = yield* DataFolder.attempt(name, "read", () => stat(file))
    if (size > AgentFile.maxBytes) return AgentFile.broken(file, `larger than ${AgentFile.maxBytes} bytes`)
    const text = yield* DataFolder.attempt(name, "read", (signal) => readFile(file, { encoding: "utf8", signal }))
    return AgentFile.parse(file, text)
  })

const boot = (problem: string) =>
  Effect.fail(new BootError({ service: "AgentData", connector: name, path: "AgentData.Settings.args", problem }))
