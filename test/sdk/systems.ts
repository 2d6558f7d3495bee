/** Systems for tests of the Promise API: in memory, with a scripted server of models, stopped with their scope. */
import { Effect } from "effect"
import { SRE } from "effect-sre/sdk"
import type { SreConfig } from "../../src/boot/Configuration.ts"
import type { Options } from "../../src/boot/Sre.ts"
import * as OpenAIServer from "../fixtures/OpenAIServer.ts"

export const inMemory: SreConfig = {
  Storage: { Connector: "Memory" },
  NKV: { Connector: "RAM" },
  Vault: { Connector: "NullVault" },
  ManagedVault: { Connector: "NullManagedVault" },
  Log: { Connector: "ConsoleLog", Settings: { level: "error" } }
}

export const start = (config: SreConfig = {}, options: Options = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => SRE.init({ ...inMemory, ...config }, options)),
    (sre) => Effect.promise(() => sre.stop().catch(() => {}))
  )

/** A system whose OpenAI is a server of the test that answers with these turns. */
export const withServer = (...turns: ReadonlyArray<OpenAIServer.Turn>) =>
  Effect.gen(function*() {
    const server = yield* OpenAIServer.make(...turns)
    const sre = yield* start({ LLM: { Connector: "OpenAI", Settings: { apiKey: "sk-1", baseURL: server.baseURL } } })
    return { server, sre }
  })

/** What a promise was rejected with; a defect when it was not. */
export const rejection = (run: () => PromiseLike<unknown>): Effect.Effect<Error & { readonly _tag?: string }> =>
  Effect.promise(() =>
    Promise.resolve(run()).then(
      (value) => {
        throw new Error(`not rejected, but: ${JSON.stringify(value)}`)
      },
      (error: unknown) => error as Error
    )
  )
