import { it } from "@effect/vitest"
import { Effect } from "effect"
import { SDK, SRE } from "effect-sre/sdk"
import * as OpenAIServer from "../fixtures/OpenAIServer.ts"
it.scopedLive("x", () => Effect.gen(function*() {
  const server = yield* OpenAIServer.make((r) => { console.error("ASK", r.body.slice(0,3000)); const b = JSON.parse(r.body); return b.messages.at(-1).role === "tool" ? "done" : { toolCalls: [{ name: "getWeather", arguments: { location: "Paris" } }] } })
  const sre = SRE.init({ Storage: { Connector: "Memory" }, NKV: { Connector: "RAM" }, Vault: { Connector: "NullVault" }, ManagedVault: { Connector: "NullManagedVault" }, LLM: { Connector: "OpenAI", Settings: { apiKey: "sk", baseURL: server.baseURL } } })
  const agent = new SDK.Agent({ name: "W", model: "gpt-4" })
  agent.addSkill({ name: "getWeather", process: async (location) => { console.error("CALLED", location); return { t: 72 } } })
  const s = yield* Effect.promise(() => agent.prompt("weather?").stream())
  yield* Effect.promise(async () => { try { for await (const e of s) console.error(JSON.stringify(e)) } catch (e) { console.error("ERR", e) } })
  yield* Effect.promise(() => sre.stop())
}))
