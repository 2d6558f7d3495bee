/** A step that is interrupted while it waits for somebody on the network leaves no request behind. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { MCPClient } from "../../src/components/ai/MCPClient.ts"
import { MultimodalLLM } from "../../src/components/ai/MultimodalLLM.ts"
import { OpenAPI } from "../../src/components/ai/OpenAPI.ts"
import { ECMASandbox } from "../../src/components/code/ECMASandbox.ts"
import type * as Component from "../../src/components/Component.ts"
import { APICall } from "../../src/components/external/APICall.ts"
import { WebScrape } from "../../src/components/external/WebScrape.ts"
import { DataSourceIndexer } from "../../src/components/rag/DataSourceIndexer.ts"
import { FileStore } from "../../src/components/storage/FileStore.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"
import * as Kernel from "./ai/kernel.ts"
import type { RunOptions } from "./harness.ts"

const cases: ReadonlyArray<readonly [Component.Any, (url: string) => RunOptions]> = [
  [APICall, (url) => ({ settings: { url, method: "POST", body: "x" } })],
  [OpenAPI, (url) => ({ settings: { specUrl: url, model: "gpt-4o-mini" }, inputs: { Prompt: "x" } })],
  [MCPClient, (url) => ({ settings: { mcpUrl: url, tool: "t" } })],
  [MultimodalLLM, (url) => ({ settings: { model: "gpt-4o-mini", prompt: "x" }, inputs: { Input: url } })],
  [WebScrape, (url) => ({ inputs: { URLs: url } })],
  [DataSourceIndexer, (url) => ({ settings: { namespace: "n", id: "d" }, inputs: { Source: url } })],
  [FileStore, (url) => ({ inputs: { Data: url } })],
  [ECMASandbox, (url) => ({ settings: { code: "async function main(url) { await fetch(url) }" }, inputs: { url } })]
]

describe("interruption", () => {
  for (const [component, options] of cases) {
    it.scopedLive(`${component.name} ends its request at once`, () =>
      Effect.gen(function*() {
        const server = yield* HttpServer.make(() => undefined)
        const kernel = yield* Kernel.make([], { allow: [server.rule] })
        const fiber = yield* Effect.fork(kernel.run(component, options(`${server.url}/file.txt`)))
        yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.length > 0 }).pipe(
          Effect.raceFirst(Fiber.join(fiber))
        )
        yield* Fiber.interrupt(fiber)
        yield* Effect.promise(() => server.aborted)
        assert.lengthOf(server.requests, 1)
      }))
  }

  it.scopedLive("ECMASandbox ends code that never does", () =>
    Effect.gen(function*() {
      const kernel = yield* Kernel.make([])
      for (const body of ["for (;;) {}", "await new Promise(() => {})"]) {
        const lines: Array<string> = []
        const code = `async function main() { ${body} }`
        const fiber = yield* Effect.fork(
          kernel.run(ECMASandbox, { settings: { code }, step: { log: (_, text) => void lines.push(text) } })
        )
        yield* Effect.sleep("100 millis")
        yield* Fiber.interrupt(fiber)
        const again = yield* kernel.run(ECMASandbox, { settings: { code: "async function main() { return 1 }" } })
        assert.deepStrictEqual(again, { Output: 1 })
      }
    }))
})
