/** Runs `APICall` against real servers on loopback. */
import { assert } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { APICall } from "../../../src/components/external/APICall.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { EnvVault } from "../../../src/connectors/vault/EnvVault.ts"
import { Teams } from "../../../src/security/Access.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { runComponent, type RunOptions } from "../harness.ts"

export type Settings = Readonly<Record<string, unknown>>

interface Options extends Pick<RunOptions, "ports"> {
  readonly secrets?: Readonly<Record<string, string>>
}

/** Runs the component as an agent that may connect to `server` and whose team has `secrets`. */
export const call = (
  server: HttpServer.HttpServer,
  settings: Settings,
  inputs: Settings = {},
  { secrets = {}, ...options }: Options = {}
) =>
  runComponent(APICall, { settings, inputs, ...options }).pipe(
    Candidate.as(Candidate.agent("a1")),
    Effect.provide(services(server, secrets))
  )

export const failure = (...args: Parameters<typeof call>) => Effect.flip(call(...args))

const services = (server: HttpServer.HttpServer, secrets: Readonly<Record<string, string>>) => {
  const variables = Object.entries(secrets).map(([name, value]): [string, string] => [
    `SRE_SECRET_${name.toUpperCase().replaceAll(" ", "_")}`,
    value
  ])
  return Layer.mergeAll(
    UndiciOutbound.layer({ allow: [server.rule] }),
    EnvVault.layer({ team: "t1" }).pipe(
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(variables)))),
      Layer.provide(Layer.succeed(Teams, () => Effect.succeed(["t1"])))
    ),
    MemoryStorage.layer({})
  ).pipe(Layer.orDie)
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
