import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { MCPClient } from "../../../src/components/ai/MCPClient.ts"
import { JSONFileManagedVault } from "../../../src/connectors/managedvault/JSONFileManagedVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Mcp from "../../../src/subsystems/io/Mcp.ts"
import * as McpServer from "../../fixtures/McpServer.ts"
import * as McpSignInServer from "../../fixtures/McpSignInServer.ts"
import { perFile } from "../../fixtures/PerFile.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import * as Kernel from "./kernel.ts"

const server = perFile(McpServer.everything("streamableHttp"))
const model = "gpt-4o-mini"

describe("MCPClient", () => {
  it.scopedLive("lets a model use the tools of a server, whose schemas it sees whole", () =>
    Effect.gen(function*() {
      const { rule, url } = yield* server
      const kernel = yield* Kernel.make([
        { toolCalls: [{ name: "get-sum", arguments: { a: 2, b: 40 } }, { name: "get-sum", arguments: { a: "no" } }] },
        "It is 42."
      ], { allow: [rule] })
      const settings = { model, mcpUrl: url, descForModel: "For {{who}}.", prompt: "Add {{a}} and {{b}}" }
      const output = yield* kernel.run(MCPClient, { settings, inputs: { a: 2, b: 40 }, variables: { who: "Ann" } })
      assert.deepStrictEqual(output, { Output: "It is 42." })
      const [first, second] = yield* kernel.requests
      assert.deepStrictEqual(first?.messages[0], { role: "system", content: "For Ann." })
      const tool = first?.tools?.find(({ name }) => name === "get-sum")
      assert.deepInclude(tool?.parameters["properties"] as object, {
        a: { type: "number", description: "First number" }
      })
      const [good, bad] = second?.messages.at(-1)?.content as unknown as ReadonlyArray<Record<string, unknown>>
      assert.deepInclude(good, { isFailure: false })
      assert.include(String(good?.["result"]), "42")
      assert.deepInclude(bad, { isFailure: true })
    }))

  it.scopedLive("calls a tool without a model, with the inputs or the arguments given", () =>
    Effect.gen(function*() {
      const { rule, url } = yield* server
      const kernel = yield* Kernel.make([], { allow: [rule] })
      const run = (settings: Readonly<Record<string, unknown>>, inputs: Readonly<Record<string, unknown>> = {}) =>
        kernel.run(MCPClient, { settings: { mcpUrl: url, ...settings }, inputs })
      assert.include(String((yield* run({ tool: "get-sum" }, { a: 1, b: 2 }))["Output"]), "3")
      const weather = yield* run({ tool: "get-structured-content", arguments: { location: "{{city}}" } }, {
        city: "Chicago"
      })
      assert.hasAllKeys(weather["Output"], ["temperature", "conditions", "humidity"])
      assert.deepStrictEqual(
        yield* run({ tool: "get-structured-content", arguments: "{\"location\":\"{{city}}\"}" }, { city: "Chicago" }),
        weather
      )
      const image = yield* run({ tool: "get-tiny-image" })
      const file = (image["Output"] as ReadonlyArray<Record<string, unknown>>).find((one) => typeof one === "object")
      assert.deepInclude(file, { mimetype: "image/png" })
    }))

  it.scopedLive("knows its model by the older name, streams the answer on, and speaks the transport it is told", () =>
    Effect.gen(function*() {
      const { rule, url } = yield* server
      const older = yield* McpServer.everything("sse")
      const kernel = yield* Kernel.make(["It is 42."], { allow: [rule, older.rule] })
      const spoken: Array<string> = []
      const settings = { openAiModel: "gpt-4.1", mcpUrl: url, prompt: "Add", passthrough: "true" }
      yield* kernel.run(MCPClient, { settings, step: { emit: (_, text) => void spoken.push(text) } })
      assert.strictEqual(spoken.join(""), "It is 42.\n")
      assert.strictEqual((yield* kernel.requests)[0]?.modelId, "gpt-4.1")
      const echo = { tool: "echo", arguments: { message: "hi" } }
      const call = (mcpUrl: string, transport: string) =>
        kernel.run(MCPClient, { settings: { ...echo, mcpUrl, transport } })
      assert.include(String((yield* call(older.url, "SSE"))["Output"]), "hi")
      assert.include(String((yield* call(url, "http"))["Output"]), "hi")
      assert.include((yield* Effect.flip(call(older.url, "http"))).message, "McpClient.connect")
    }))

  it.scopedLive("sends the token of a connection, and fails with the place to sign in where it has none yet", () =>
    Effect.gen(function*() {
      const server = yield* McpSignInServer.make()
      const file = join(yield* tempFolder, "tokens.json")
      const kernel = yield* Kernel.make([], {
        allow: [server.rule],
        managedVault: JSONFileManagedVault.layer({ file })
      })
      const settings = { mcpUrl: server.url, tool: "whoami", oauth_con_id: "files" }
      const call = kernel.run(MCPClient, { settings })
      const { cause, message } = yield* Effect.flip(call)
      assert.instanceOf(cause, Mcp.SignInNeeded)
      const { url } = cause as Mcp.SignInNeeded
      assert.include(message, url)
      const address = yield* server.browse(url)
      yield* Effect.flatMap(Mcp.Mcp, (mcp) => mcp.signIn({ url: server.url, connection: "files" }, address)).pipe(
        Candidate.as(Kernel.agent),
        Effect.provide(kernel.context)
      )
      assert.deepStrictEqual(yield* call, { Output: "whoami ran" })
      const refused = yield* Effect.flip(kernel.run(MCPClient, { settings: { ...settings, oauth_con_id: "None" } }))
      assert.include(refused.message, "Unauthorized")
    }))

  it.scopedLive("says what is wrong", () =>
    Effect.gen(function*() {
      const { rule, url } = yield* server
      const kernel = yield* Kernel.make([{ text: "half", reason: "length" }], { allow: [rule] })
      const message = (settings: Readonly<Record<string, unknown>>, inputs: Readonly<Record<string, unknown>> = {}) =>
        Effect.map(
          Effect.flip(kernel.run(MCPClient, { settings: { mcpUrl: url, ...settings }, inputs })),
          (error) => error.message
        )
      assert.include(yield* message({ tool: "get-sun" }), "Did you mean \"get-sum\"?")
      assert.match(yield* message({ tool: "get-sum" }, { a: "x" }), /number/)
      assert.include(yield* message({ tool: "echo", arguments: "[1]" }), "arguments: expected an object")
      assert.include(yield* message({}), "Set a prompt")
      assert.include(yield* message({ prompt: "hi" }), "model: it is not set")
      assert.include(yield* message({ prompt: "hi", model: "gpt-4o-mimi" }), "gpt-4o-mini")
      assert.include(yield* message({ prompt: "hi", model }), "cut off")
      assert.include(yield* message({ mcpUrl: "stdio:rm", tool: "x" }), "allows no command")
      assert.include(yield* message({ mcpUrl: "http://127.0.0.2:1/", tool: "x" }), "refused")
      assert.include(yield* message({ tool: "echo", headers: "{\"k\":\"{{KEY(gone)}}\"}" }), "No secret named \"gone\"")
    }))
})
