/** Uses the tools of an MCP server: a model does, or the step calls one of them itself. */
import { Effect, Encoding, Redacted, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import * as Files from "../../subsystems/io/Files.ts"
import * as Mcp from "../../subsystems/io/Mcp.ts"
import * as Component from "../Component.ts"
import * as Headers from "../external/apicall/Headers.ts"
import * as Templated from "../external/apicall/Templated.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Completion from "./Completion.ts"
import * as Talk from "./Talk.ts"

export const MCPClient = Component.make("MCPClient", {
  description: "Lets a model work with the tools of an MCP server, or calls one of its tools without a model.",
  category: "ai",
  config: Schema.Struct({
    ...Talk.settings,
    /** `http(s)://…`, or `stdio:<name>` of a command that the operator has allowed. */
    mcpUrl: Settings.text({ max: 2048 }),
    transport: Settings.literal(Mcp.Transport.literals, { default: "auto" }),
    /** Sent with every request: an object, or its JSON text; `{{KEY(name)}}` is a secret of the vault. */
    headers: Settings.optional(Templated.FromUnknown),
    /** The OAuth connection whose token goes with every request; where it has none yet, the failure says where to sign in. */
    oauth_con_id: Settings.text({ default: "None" }),
    /** What is asked of the model. */
    prompt: Settings.optional(Settings.template({ max: 5000 })),
    /** The tool to call without a model. */
    tool: Settings.optional(Settings.text({ max: 200 })),
    /** What it is called with. Default: the inputs, by name. */
    arguments: Settings.optional(Templated.FromUnknown)
  }),
  outputs: Schema.Struct({ Output: Port.Any }),
  openInputs: true,
  openOutputs: true,
  signIn: Effect.fnUntraced(function*({ config, variables }, redirectUrl) {
    const server = yield* serverOf(config, variables)
    if (server.connection === undefined) return yield* new Component.ComponentFailed({ message: noConnection })
    return yield* Effect.flatMap(Mcp.Mcp, (mcp) => mcp.beginSignIn(server, redirectUrl))
  }),
  check: ({ prompt, tool }) => prompt === undefined && tool === undefined ? [{ problem: nothingToDo }] : [],
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const server = yield* serverOf(config, step.data)
    if (config.tool !== undefined) {
      const given = config.arguments === undefined
        ? inputs
        : yield* argumentsOf(config.arguments, Templated.filler(step.data))
      return { Output: yield* callDirectly(server, config.tool, given) }
    }
    if (config.prompt === undefined) return yield* new Component.ComponentFailed({ message: nothingToDo })
    const mcp = yield* Mcp.Mcp
    const tools = Talk.named(yield* mcp.tools(server), ({ name }) => name)
    const text = yield* Talk.ask({
      config,
      system: step.render(config.descForModel),
      prompt: Completion.render(config.prompt, step),
      tools: tools.map(([name, tool]) => ({
        tool: { name, description: tool.description, parameters: tool.inputSchema },
        status: `Calling ${tool.name}`,
        run: (args) => call(server, tool.name, args)
      })),
      step
    })
    return { Output: text }
  })
})

const serverOf = (
  { headers, mcpUrl: url, oauth_con_id, transport }: {
    readonly headers?: Templated.Templated | undefined
    readonly mcpUrl: string
    readonly oauth_con_id: string
    readonly transport: Mcp.Transport
  },
  data: Readonly<Record<string, unknown>>
) =>
  Effect.map(Headers.render(headers, Templated.filler(data)), (sent): Mcp.Server => ({
    url,
    transport,
    headers: Redacted.make(sent),
    connection: /^\s*(none)?\s*$/i.test(oauth_con_id) ? undefined : oauth_con_id
  }))

const noConnection = "oauth_con_id: name the connection its tokens are to be kept under"

const nothingToDo = "Set a prompt for a model, or the name of a tool to be called without one"

const argumentsOf = (setting: Templated.Templated, filler: Templated.Filler) =>
  Effect.flatMap(
    setting._tag === "Text"
      ? Effect.map(filler.text(setting.template, "json"), Json.extract)
      : filler.whole(setting),
    (value) =>
      Completion.isObject(value) && !Array.isArray(value) ? Effect.succeed(value) : Effect.fail(
        new Component.ComponentFailed({
          message: `arguments: expected an object, or its JSON text, got ${Json.preview(value)}`
        })
      )
  )

/** The name is looked up first, since servers say of an unknown one only that it failed. */
const callDirectly = Effect.fnUntraced(function*(
  server: Mcp.Server,
  name: string,
  args: Readonly<Record<string, unknown>>
) {
  const mcp = yield* Mcp.Mcp
  const names = (yield* mcp.tools(server)).map((tool) => tool.name)
  if (!names.includes(name)) return yield* new Mcp.ToolNotFound({ name, available: names })
  const result = yield* call(server, name, args)
  return typeof result === "string" ? Json.extract(result) : result
})

const call = Effect.fnUntraced(function*(
  server: Mcp.Server,
  name: string,
  args: Readonly<Record<string, unknown>>
) {
  const mcp = yield* Mcp.Mcp
  const { content, isError, structured } = yield* mcp.call(server, name, args)
  if (isError) {
    return yield* new Component.ComponentFailed({
      message: content.flatMap((part) => part.type === "text" ? [part.text] : []).join("\n") || `${name} failed`
    })
  }
  if (structured !== undefined) return structured
  const parts = yield* Effect.forEach(content, partOf)
  return parts.every((part) => typeof part === "string") ? parts.join("\n") : parts.length === 1 ? parts[0] : parts
})

/** Text as it is; bytes become a file. */
const partOf = Effect.fnUntraced(function*(part: Mcp.Content) {
  if (part.type === "text") return part.text
  if (part.type === "link") return { uri: part.uri, name: part.name }
  const bytes = yield* Effect.mapError(
    Encoding.decodeBase64(part.data),
    () => new Component.ComponentFailed({ message: "The tool gave bytes that are not base64" })
  )
  return yield* Files.store({ bytes, mediaType: part.mediaType, name: part.name ?? "output" })
})
