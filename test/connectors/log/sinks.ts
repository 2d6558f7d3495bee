/** Sinks of the log and what has come to them. */
import { Context, Effect, Layer, Logger, Schedule } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { SmythLog } from "../../../src/connectors/log/SmythLog.ts"
import * as Log from "../../../src/subsystems/io/Log.ts"
import { record } from "../../../src/testing/conformance/log.ts"
import * as ElasticsearchServer from "../../fixtures/ElasticsearchServer.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

type Settings = Parameters<typeof SmythLog.contract>[0]

export const open = (settings: Settings) =>
  Effect.map(Layer.build(SmythLog.contract(settings)), Context.get(Log.LogConnector))

/** Files of records that wait, or of the log itself. */
export const linesIn = async (folder: string): Promise<ReadonlyArray<string>> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".jsonl")).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8").catch(() => "")))
  return texts.flatMap((text) => text.split("\n").slice(0, -1))
}

export const eventually = (holds: () => boolean | Promise<boolean>) =>
  Effect.repeat(Effect.promise(async () => holds()), {
    until: (done) => done,
    schedule: Schedule.spaced("10 millis")
  }).pipe(Effect.timeout("15 seconds"))

export const isSent = (folder: string) =>
  eventually(async () => !(await readdir(folder)).some((name) => name.endsWith(".jsonl")))

export const elastic = Effect.gen(function*() {
  const server = yield* ElasticsearchServer.make({ apiKey: "key" })
  const folder = yield* tempFolder
  const settings = {
    destination: "elasticsearch",
    url: server.url,
    apiKey: "key",
    folder,
    flushInterval: 10,
    drainTimeout: 200
  } as const
  return { server, folder, settings }
})

export const messages = ({ documents }: ElasticsearchServer.ElasticsearchServer) =>
  Array.from(documents.values(), (line) => (JSON.parse(line) as { message: string }).message)

export const recordingLogger = Effect.sync(() => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
})

export const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => record(`n-${from + n}`))
