/** The command tree. Each command's code is loaded when it is asked for: this file and what it imports is what `sre` costs. */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import { Config, Console, Effect, Layer, Logger, LogLevel, Schema } from "effect"
import { stripVTControlCharacters } from "node:util"
import * as Candidate from "../security/Candidate.ts"
import { codeOfCause, type Failure, told, untilStopped } from "./Ending.ts"
import * as Help from "./Help.ts"
import { version } from "./Version.ts"

/** A command: where its code is, and whether it answers for programs. */
const command = <C extends { readonly json: boolean }, E extends Failure, R>(
  load: () => Promise<(options: C) => Effect.Effect<void, E, R>>
) =>
(options: C) => told(options.json)(Effect.flatMap(Effect.promise(load), (run) => run(options)))

const stoppable = <C extends { readonly json: boolean }, E extends Failure, R>(
  load: () => Promise<(options: C) => Effect.Effect<void, E, R>>
) =>
  command(async () => {
    const run = await load()
    return (options: C) => untilStopped(run(options))
  })

const refused = (problem: string) => Effect.fail(ValidationError.invalidValue(HelpDoc.p(problem)))

const candidate = (text: string, problem: string) =>
  Effect.catchAll(Schema.decode(Candidate.FromString)(text), () => refused(problem))

const json = Options.boolean("json").pipe(Options.withDescription("Answer with JSON on standard output, errors too."))
const config = Options.text("config").pipe(
  Options.withPseudoName("FILE"),
  Options.withDescription("The configuration of the system. Default: SRE_CONFIG, else sre.config.json or .yaml here."),
  Options.optional
)
const as = Options.text("as").pipe(
  Options.withPseudoName("WHO"),
  Options.withDescription("Who is asking: user:ID, agent:ID or team:ID. Default: user:local."),
  Options.mapEffect((text) => candidate(text, `--as: expected user:ID, agent:ID or team:ID, got "${text}"`)),
  Options.withDefault(Candidate.user("local"))
)
const file = Args.text({ name: "FILE" }).pipe(Args.withDescription("An agent: a .smyth file."))
const paths = Args.text({ name: "FILE" }).pipe(
  Args.withDescription("Agents: .smyth files, or folders that hold some."),
  Args.atLeast(1)
)

const check = Command.make(
  "check",
  { paths, json },
  stoppable(async () => (await import("./commands/check.ts")).run)
).pipe(Command.withDescription("Reports everything that is wrong with agents, without running them."))

const run = Command.make("run", {
  file,
  endpoint: Args.text({ name: "ENDPOINT" }).pipe(Args.withDescription("Name of one of the agent's endpoints.")),
  input: Options.text("input").pipe(
    Options.withPseudoName("JSON"),
    Options.withDescription("The inputs by name: JSON, @file, or - for standard input."),
    Options.optional
  ),
  method: Options.choice("method", ["GET", "POST"]).pipe(
    Options.withDescription("For endpoints of one name. Default: POST where there is one."),
    Options.optional
  ),
  events: Options.boolean("events").pipe(Options.withDescription("Print what happens meanwhile on standard error.")),
  as,
  config,
  json
}, stoppable(async () => (await import("./commands/run.ts")).run)).pipe(
  Command.withDescription("Calls an endpoint of an agent and prints the answer.")
)

const debug = Command.make("debug", {
  file,
  endpoint: Args.text({ name: "ENDPOINT" }).pipe(
    Args.withDescription("Name of one of the agent's endpoints."),
    Args.optional
  ),
  component: Options.text("component").pipe(
    Options.withPseudoName("ID"),
    Options.withDescription("In place of an endpoint: this component alone."),
    Options.optional
  ),
  input: Options.text("input").pipe(
    Options.withPseudoName("JSON"),
    Options.withDescription("The inputs by name: JSON or @file."),
    Options.optional
  ),
  as,
  config,
  json
}, stoppable(async () => (await import("./commands/debug.ts")).run)).pipe(
  Command.withDescription("Runs an endpoint step by step, by commands: step, over, continue, break, help.")
)

const prompt = Command.make("prompt", {
  file,
  text: Args.text({ name: "TEXT" }).pipe(Args.withDescription("What to say to the agent.")),
  model: Options.text("model").pipe(
    Options.withPseudoName("NAME"),
    Options.withDescription("In place of the agent's own model."),
    Options.optional
  ),
  conversation: Options.text("conversation").pipe(
    Options.withPseudoName("ID"),
    Options.withDescription("Go on with the conversation of this id, and keep it."),
    Options.optional
  ),
  as,
  config,
  json
}, stoppable(async () => (await import("./commands/prompt.ts")).run)).pipe(
  Command.withDescription("Says something to an agent and streams what it answers.")
)

const port = Options.integer("port").pipe(
  Options.withPseudoName("PORT"),
  Options.mapEffect((port) =>
    port >= 0 && port <= 65_535
      ? Effect.succeed(port)
      : refused(`--port: expected a number from 0 to 65535, got ${port}`)
  )
)

const signIn = Command.make("sign-in", {
  file,
  component: Args.text({ name: "COMPONENT" }).pipe(
    Args.withDescription("Id of a component that signs in somewhere, like an MCPClient.")
  ),
  port: port.pipe(
    Options.withDescription("Where the browser is led back to, on 127.0.0.1. Default: any free port."),
    Options.optional
  ),
  as,
  config,
  json
}, stoppable(async () => (await import("./commands/signIn.ts")).run)).pipe(
  Command.withDescription("Prints the page to sign a component in at, waits for it, and keeps the tokens.")
)

const serve = Command.make("serve", {
  paths,
  port: port.pipe(Options.withDescription("Default: 4111. 0 takes any free one."), Options.optional),
  host: Options.text("host").pipe(
    Options.withPseudoName("ADDRESS"),
    Options.withDescription("Address to listen on. Default: 127.0.0.1."),
    Options.optional
  ),
  auth: Options.choice("auth", ["local", "account"]).pipe(
    Options.withDescription(
      "local: this machine only, everybody is user:local. account: API keys and tokens. Default: local."
    ),
    Options.withDefault("local" as const)
  ),
  owner: Options.text("owner").pipe(
    Options.withPseudoName("WHO"),
    Options.withDescription(
      "Who may watch, debug and hold all runs, like user:ann. Default: user:local, with account nobody."
    ),
    Options.mapEffect((text) => candidate(text, `--owner: expected user:ID, agent:ID or team:ID, got "${text}"`)),
    Options.optional
  ),
  cors: Options.text("cors").pipe(
    Options.withPseudoName("ORIGIN"),
    Options.withDescription("Origin whose pages may use the server, like https://example.com; once for each."),
    Options.repeated,
    Options.mapEffect(Effect.forEach((origin) =>
      URL.canParse(origin) && new URL(origin).origin === origin
        ? Effect.succeed(origin)
        : refused(`--cors: expected an origin like https://example.com, without a path; got "${origin}"`)
    ))
  ),
  config,
  json
}, command(async () => (await import("./commands/serve.ts")).run)).pipe(
  Command.withDescription("Serves agents over HTTP until Ctrl-C.")
)

const secrets = {
  as,
  team: Options.text("team").pipe(
    Options.withPseudoName("ID"),
    Options.withDescription("The secrets of this team."),
    Options.mapEffect((id) => candidate(`team:${id}`, `--team: expected the id of a team, got "${id}"`)),
    Options.optional
  ),
  config,
  json
}

const setSecret = Command.make(
  "set",
  { name: Args.text({ name: "NAME" }).pipe(Args.withDescription("What the secret is called.")), ...secrets },
  stoppable(async () => (await import("./commands/vault.ts")).set)
).pipe(Command.withDescription("Keeps a secret, read from standard input or typed unseen."))

const listSecrets = Command.make(
  "list",
  secrets,
  stoppable(async () => (await import("./commands/vault.ts")).list)
).pipe(Command.withDescription("Names of the secrets one may use; never their values."))

const convert = Command.make(
  "convert",
  {
    file: Args.text({ name: "FILE" }).pipe(
      Args.withDescription("Default: vault.json in the data folder."),
      Args.optional
    ),
    json
  },
  stoppable(async () => (await import("./commands/vault.ts")).convert)
).pipe(Command.withDescription("Encrypts a vault file in plain text, in place."))

const vault = Command.make("vault").pipe(
  Command.withDescription("Secrets of users, teams and agents."),
  Command.withSubcommands([setSecret, listSecrets, convert])
)

const components = Command.make(
  "components",
  {
    names: Args.text({ name: "NAME" }).pipe(Args.withDescription("Shows all about these."), Args.repeated),
    json
  },
  stoppable(async () => (await import("./commands/components.ts")).run)
).pipe(Command.withDescription("Lists what agents can be made of, with settings and ports."))

const whole = Command.make("sre").pipe(
  Command.withDescription("Runs AI agents written as .smyth documents."),
  Command.withSubcommands([check, run, debug, prompt, signIn, serve, vault, components])
)

const program = Command.run(whole, { name: "sre", version, executable: "sre" })

const help: Help.Topic = {
  name: "sre",
  command: whole,
  examples: ["serve agent.smyth", `run agent.smyth greet --input '{"name":"Ann"}'`, "help run"],
  topics: [
    { name: "check", command: check, examples: ["agent.smyth", "agents/ --json"] },
    {
      name: "run",
      command: run,
      examples: [`agent.smyth greet --input '{"name":"Ann"}'`, "agent.smyth greet --input @ann.json --json"]
    },
    { name: "debug", command: debug, examples: [`agent.smyth greet --input '{"name":"Ann"}'`] },
    { name: "prompt", command: prompt, examples: [`agent.smyth "Who are you?" --conversation first`] },
    { name: "sign-in", command: signIn, examples: ["agent.smyth MCPClient_1"] },
    { name: "serve", command: serve, examples: ["agents/ --port 8080", "agent.smyth --auth account --host 0.0.0.0"] },
    {
      name: "vault",
      command: vault,
      topics: [
        { name: "set", command: setSecret, examples: ["OPENAI_API_KEY < key.txt"] },
        { name: "list", command: listSecrets },
        { name: "convert", command: convert }
      ]
    },
    { name: "components", command: components, examples: ["", "GenAILLM FHash"] }
  ]
}

/** Logs go to standard error, where `--log-level` lets them. */
const surroundings = Layer.mergeAll(
  NodePath.layer,
  NodeFileSystem.layer,
  NodeTerminal.layer,
  Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))
)

/** Runs `node sre …arguments` and gives the exit code. */
export const sre = (argv: ReadonlyArray<string>): Effect.Effect<number> => {
  const words = argv.slice(2)
  const page = words[0] === "--version" ? version : Help.asked(help, words)
  return (page === undefined ? program(argv) : Console.log(page)).pipe(
    Effect.as(0),
    Effect.catchAllCause((cause) => codeOfCause(cause, words.includes("--json"), () => Help.hint(help, words))),
    uncoloured,
    Effect.provide(surroundings),
    Logger.withMinimumLogLevel(LogLevel.Warning)
  )
}

/** What is refused is written with colours and an empty line after it; colours are for terminals, where they are wanted. */
const uncoloured = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Effect.orElseSucceed(Config.string("NO_COLOR"), () => ""),
    (unwanted) =>
      Console.consoleWith((usual) => {
        const plain = unwanted !== "" || !process.stderr.isTTY
        const error = (text: string) => usual.error((plain ? stripVTControlCharacters(text) : text).trimEnd())
        return Console.withConsole(self, { ...usual, error })
      })
  )
