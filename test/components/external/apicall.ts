/** Runs `APICall` against real servers on loopback. */
import { assert } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import { join } from "node:path"
import { APICall } from "../../../src/components/external/APICall.ts"
import { JSONFileManagedVault } from "../../../src/connectors/managedvault/JSONFileManagedVault.ts"
import { NullManagedVault } from "../../../src/connectors/managedvault/NullManagedVault.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { EnvVault } from "../../../src/connectors/vault/EnvVault.ts"
import { Teams } from "../../../src/security/Access.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { ManagedVault } from "../../../src/security/ManagedVault.ts"
import * as OAuthTokens from "../../../src/subsystems/io/OAuthTokens.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import { runComponent, type RunOptions } from "../harness.ts"

export type Settings = Readonly<Record<string, unknown>>

interface Options extends Pick<RunOptions, "ports"> {
  readonly secrets?: Readonly<Record<string, string>>
  /** What the agent's managed vault holds. */
  readonly connections?: Readonly<Record<string, unknown>>
  /** What the agent has stored, by key. */
  readonly files?: Readonly<Record<string, string>>
  /** What it may connect to beside the server. */
  readonly allow?: ReadonlyArray<string>
}

/** Runs the component as an agent that may connect to `server` and whose team has `secrets`. */
export const call = (
  server: HttpServer.HttpServer,
  settings: Settings,
  inputs: Settings = {},
  { allow = [], connections = {}, files = {}, secrets = {}, ...options }: Options = {}
) =>
  Effect.zipRight(
    Effect.zipRight(stored(connections), written(files)),
    runComponent(APICall, { settings, inputs, ...options })
  ).pipe(
    Candidate.as(Candidate.agent("a1")),
    Effect.provide(services([server.rule, ...allow], secrets, Object.keys(connections).length > 0))
  )

const stored = (connections: Readonly<Record<string, unknown>>) =>
  Effect.flatMap(ManagedVault, (vault) =>
    Effect.forEach(
      Object.entries(connections),
      ([key, value]) => Effect.orDie(vault.set(key, Redacted.make(JSON.stringify(value))))
    ))

export const failure = (...args: Parameters<typeof call>) => Effect.flip(call(...args))

const written = (files: Readonly<Record<string, string>>) =>
  Effect.flatMap(Storage, (storage) =>
    Effect.forEach(
      Object.entries(files),
      ([key, text]) => Effect.orDie(storage.write(key, new TextEncoder().encode(text)))
    ))

const managedVault = Layer.unwrapScoped(
  Effect.map(tempFolder, (folder) => JSONFileManagedVault.layer({ file: join(folder, "managed.json") }))
)

const services = (allow: ReadonlyArray<string>, secrets: Readonly<Record<string, string>>, keeps: boolean) => {
  const variables = Object.entries(secrets).map(([name, value]): [string, string] => [
    `SRE_SECRET_${name.toUpperCase().replaceAll(" ", "_")}`,
    value
  ])
  return OAuthTokens.layer().pipe(
    Layer.provideMerge(Layer.mergeAll(
      UndiciOutbound.layer({ allow }),
      EnvVault.layer({ team: "t1" }).pipe(
        Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(variables)))),
        Layer.provide(Layer.succeed(Teams, () => Effect.succeed(["t1"])))
      ),
      keeps ? managedVault : NullManagedVault.layer({}),
      MemoryStorage.layer({})
    )),
    Layer.orDie
  )
}

export const echo = HttpServer.make((_, response) => HttpServer.json(response, 200, { ok: true }))

/** Runs the component against a server that answers `{"ok":true}` and gives the request the server received. */
export const received = (settings: Settings, inputs: Settings = {}, options: Options = {}) =>
  Effect.gen(function*() {
    const server = yield* echo
    const url = String(settings["url"] ?? "/").replace(/^\//, `${server.url}/`)
    const outputs = yield* call(server, { method: "POST", ...settings, url }, { base: server.url, ...inputs }, options)
    assert.deepStrictEqual(outputs["Response"], { ok: true })
    return server.requests[0]!
  })

export const answering = (status: number, contentType: string | undefined, body: string | Uint8Array) =>
  HttpServer.make((_, response) => {
    response.writeHead(status, contentType === undefined ? {} : { "content-type": contentType }).end(body)
  })

/** The outputs for a given answer. */
export const reply = (status: number, contentType: string | undefined, body: string | Uint8Array) =>
  Effect.flatMap(answering(status, contentType, body), (server) => call(server, { url: server.url }))

/** Bytes that are no text. */
export const png = Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex")
