/** Pictures, speech and MCP servers of a whole system, as a configuration chooses them. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import * as Configuration from "../../src/boot/Configuration.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { Mcp } from "../../src/subsystems/io/Mcp.ts"
import { Images } from "../../src/subsystems/llm/Images.ts"
import { Speech } from "../../src/subsystems/llm/Speech.ts"
import * as ImagesServer from "../fixtures/ImagesServer.ts"
import * as McpServer from "../fixtures/McpServer.ts"
import * as SpeechServer from "../fixtures/SpeechServer.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const asAnn = Candidate.as(Candidate.user("ann"))

const booted = (config: unknown) =>
  Effect.map(tempFolder, (folder) =>
    Layer.provide(
      Configuration.layerFromConfig(config),
      Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["SRE_DATA", folder]])))
    ))

describe("Images, Speech and Mcp of a system", () => {
  it.scopedLive("are those of the configuration", () =>
    Effect.gen(function*() {
      const server = yield* ImagesServer.make
      const speakers = yield* SpeechServer.make
      const system = yield* booted({
        Storage: { Connector: "Memory" },
        Images: { Connector: "OpenAI", Settings: { baseURL: `${server.url}/v1`, apiKey: "sk" } },
        Speech: { Connector: "OpenAI", Settings: { baseURL: `${speakers.url}/v1`, apiKey: "sk" } },
        Mcp: { Connector: "McpClient", Settings: { commands: { everything: McpServer.everythingCommand } } }
      })
      yield* Effect.gen(function*() {
        const images = yield* (yield* Images).generate({ model: "gpt-image-1", prompt: "a dot" })
        assert.deepStrictEqual(images, [ImagesServer.picture])
        const spoken = yield* (yield* Speech).speak({ model: "tts-1", text: "Hello" })
        assert.strictEqual(new TextDecoder().decode(spoken.bytes), "Hello")
        const tools = yield* (yield* Mcp).tools({ url: "stdio:everything" })
        assert.include(tools.map(({ name }) => name), "echo")
      }).pipe(asAnn, Effect.provide(system))
    }), 30_000)

  it.scopedLive("a mistake in it names the place", () =>
    Effect.gen(function*() {
      const error = (config: unknown) =>
        Effect.flatMap(booted(config), (system) => Effect.flip(Effect.scoped(Layer.build(system))))
      assert.deepInclude(yield* error({ Images: { Connector: "OpenAi2" } }), { path: "Images.Connector" })
      assert.deepInclude(yield* error({ Speech: { Connector: "OpenAi2" } }), { path: "Speech.Connector" })
      const command = { Connector: "McpClient", Settings: { commands: { x: {} } } }
      assert.deepInclude(yield* error({ Mcp: command }), { path: "Mcp.Settings.commands.x.command" })
    }), 30_000)
})
