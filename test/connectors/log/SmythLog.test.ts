import { assert, describe, it } from "@effect/vitest"
import { Client } from "@elastic/elasticsearch"
import { ConfigProvider, Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import * as LogLine from "../../../src/connectors/log/LogLine.ts"
import { SmythLog, SmythLogLive } from "../../../src/connectors/log/SmythLog.ts"
import type { BootError } from "../../../src/kernel/BootError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Log from "../../../src/subsystems/io/Log.ts"
import { record, suite } from "../../../src/testing/conformance/log.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { managedHost } from "../../fixtures/managed.ts"
import * as OtlpSink from "../../fixtures/OtlpSink.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import { elastic, eventually, isSent, linesIn, messages, numbered, open, recordingLogger } from "./sinks.ts"

describe("SmythLog to Elasticsearch", () => {
  it.scopedLive("the server here answers as its own client expects", () =>
    Effect.gen(function*() {
      const { server } = yield* elastic
      const client = new Client({ node: server.url, auth: { apiKey: "key" } })
      const bulk = (id: string) =>
        Effect.promise(() => client.bulk({ operations: [{ create: { _index: "i", _id: id } }, { message: "x" }] }))
      assert.strictEqual((yield* bulk("1")).errors, false)
      const again = yield* bulk("1")
      assert.deepStrictEqual([again.errors, again.items[0]?.create?.status], [true, 409])
      server.mode = "denied"
      const error = yield* Effect.flip(Effect.tryPromise(() => client.bulk({ operations: [] })))
      assert.include(String(error.cause), "security_exception")
    }))

  it.scopedLive("stores documents with the common fields, in the index it is told", () =>
    Effect.gen(function*() {
      const { folder, server, settings } = yield* elastic
      const log = yield* open({ ...settings, index: "my logs" })
      yield* log.write([record("done", { componentId: "C1", error: "broke", time: 1000 })])
      yield* isSent(folder)
      assert.strictEqual(server.requests[0]?.url, "/my%20logs/_bulk")
      assert.deepStrictEqual(JSON.parse(Array.from(server.documents.values())[0]!), {
        "@timestamp": "1970-01-01T00:00:01.000Z",
        log: { level: "error" },
        message: "done",
        error: { message: "broke" },
        sre: { candidate: "agent:a1", kind: "activity", agentId: "a1", componentId: "C1" }
      })
    }))

  it.scopedLive("not structured, a document is one line for people", () =>
    Effect.gen(function*() {
      const { folder, server, settings } = yield* elastic
      const log = yield* open({ ...settings, structured: false })
      yield* log.write([record("done", { error: "broke" }), record("chatter", { level: "debug" })])
      yield* isSent(folder)
      assert.deepStrictEqual(messages(server), ["1970-01-01T00:00:00.000Z ERROR   agent:a1 done error=broke"])
    }))

  it.scopedLive("secrets of records and of settings reach neither the server nor the log of the system", () =>
    Effect.gen(function*() {
      const { folder, server, settings } = yield* elastic
      const { layer, lines } = yield* recordingLogger
      const service = SmythLog.layer({ ...settings, apiKey: "wr0ng-key" })
      yield* Effect.scoped(
        Effect.flatMap(Effect.map(Layer.build(service), Context.get(Log.Log)), (log) =>
          log.record({
            level: "info",
            message: "Authorization: Bearer s3cret-one",
            input: { key: Redacted.make("s3cret-two"), password: "s3cret-three" },
            error: new Error("no access with sk-s3cret4567890123456")
          }))
      ).pipe(Candidate.as(Candidate.agent("a1")), Effect.provide(layer))
      assert.isAbove(lines.length, 0)
      yield* open(settings)
      yield* isSent(folder)
      assert.strictEqual(server.documents.size, 1)
      assert.notMatch([...lines, ...server.documents.values()].join(), /s3cret|wr0ng/)
    }))
})

describe("SmythLog to a managed host", () => {
  it.scopedLive("records stand in the host's log as the system's that sent them, once", () =>
    Effect.gen(function*() {
      const { folder: hostFolder, team, token, url } = yield* managedHost
      const folder = yield* tempFolder
      const endpoint = `${url}/smyth/v1/teams/${team}/log/records`
      const log = yield* open({ destination: "http", url: endpoint, token, folder, flushInterval: 10 })
      yield* log.write([
        record("done", { runId: "r1" }),
        record("nobody's", { candidate: undefined, agentId: undefined })
      ])
      yield* isSent(folder)
      // As a client does that did not hear the answer.
      const again = { records: [{ id: "same", record: record("twice") }] }
      for (let time = 0; time < 2; time++) {
        const { status } = yield* Effect.promise(() =>
          fetch(endpoint, {
            method: "POST",
            headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
            body: JSON.stringify(again)
          })
        )
        assert.strictEqual(status, 200)
      }
      const lines = (yield* Effect.promise(() => linesIn(join(hostFolder, "log"))))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      assert.deepStrictEqual(lines.map(({ agentId, candidate, message }) => [candidate, agentId, message]), [
        ["agent:acme", "acme/agent:a1", "done"],
        ["agent:acme", "acme", "nobody's"],
        ["agent:acme", "acme/agent:a1", "twice"]
      ])
    }), 30_000)
})

describe("SmythLog to a collector", () => {
  it.scopedLive("sends records with severity, time and who, and reports what the collector rejects", () =>
    Effect.gen(function*() {
      let status = 503
      const sink = yield* OtlpSink.make(() => ({
        status,
        body: status === 200 ? { partialSuccess: { rejectedLogRecords: "1", errorMessage: "no" } } : {}
      }))
      const folder = yield* tempFolder
      const { layer, lines } = yield* recordingLogger
      const log = yield* Effect.provide(
        open({ destination: "otlp", url: `${sink.url}/`, headers: { "x-key": "abc" }, folder, flushInterval: 10 }),
        layer
      )
      yield* log.write([record("one", { level: "warning", runId: "r1", count: 3 })])
      yield* eventually(() => sink.requests.length > 0)
      status = 200
      yield* isSent(folder)
      const sent = sink.logs()
      assert.strictEqual(sink.requests[0]?.headers["x-key"], "abc")
      assert.deepInclude(sent.at(-1), { body: "one", severityNumber: 13 })
      const { "log.record.uid": uid, ...attributes } = sent.at(-1)!.attributes
      assert.deepStrictEqual(attributes, {
        "sre.candidate": "agent:a1",
        "sre.kind": "activity",
        "sre.agentId": "a1",
        "sre.runId": "r1",
        "sre.count": "3"
      })
      assert.deepStrictEqual(sent.map((one) => one.attributes["log.record.uid"]), sent.map(() => uid))
      assert.include(lines.join(), "1 log records were refused")
    }))
})

describe("SmythLog to files", () => {
  it.scopedLive("begins another file when one is full, and removes the oldest", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const log = yield* open({ destination: "file", folder, maxBytes: 500, maxFiles: 3 })
      for (let n = 0; n < 40; n++) yield* log.write(numbered(n, n + 1))
      const names = (yield* Effect.promise(() => readdir(folder))).filter((name) => name.endsWith(".jsonl"))
      assert.strictEqual(names.length, 3)
      const kept = (yield* Effect.promise(() => linesIn(folder))).map((line) =>
        (JSON.parse(line) as { message: string }).message
      )
      assert.deepStrictEqual(kept, numbered(40 - kept.length, 40).map(({ message }) => message))
    }))

  it.scopedLive("a folder another process holds is refused", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* open({ destination: "file", folder })
      const error = yield* Effect.flip(open({ destination: "file", folder }))
      assert.include(error.message, "in use")
    }))
})

describe("SmythLog", () => {
  it.scopedLive("is set up by variables, and says which of them is wrong", () =>
    Effect.gen(function*() {
      const { folder, server } = yield* elastic
      const live = (variables: Record<string, string>) =>
        Layer.build(
          Layer.provide(
            SmythLogLive,
            Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))
          )
        )
      const variables = { SRE_LOG_DESTINATION: "elasticsearch", SRE_LOG_URL: server.url, SRE_LOG_API_KEY: "key" }
      const context = yield* live({ ...variables, SRE_LOG_FOLDER: folder, SRE_LOG_INDEX: "mine" })
      yield* Candidate.as(
        Context.get(context, Log.Log).record({ level: "info", message: "said" }),
        Candidate.agent("a1")
      )
      yield* eventually(() => server.documents.size === 1)
      assert.strictEqual(server.requests[0]?.url, "/mine/_bulk")
      const error = yield* Effect.flip(Effect.scoped(live({ ...variables, SRE_LOG_URL: "ftp://x" })))
      assert.include(String(error), "url: expected a URL")
      assert.notInclude(String(error), "\"key\"")
    }))

  it.effect("wrong settings are refused at boot, without telling secrets", () =>
    Effect.gen(function*() {
      const refused = (settings: unknown) =>
        Effect.flip(Effect.scoped(Layer.build(SmythLog.fromUnknown(settings, "Log.Settings")))) as Effect.Effect<
          BootError
        >
      assert.strictEqual((yield* refused({ destination: "syslog", apiKey: "s3cret" })).path, "Log.Settings.destination")
      assert.strictEqual((yield* refused({})).path, "Log.Settings.destination")
      const error = yield* refused({ destination: "elasticsearch", url: "ftp://x", apiKey: "s3cret" })
      assert.strictEqual(error.path, "Log.Settings.url")
      assert.include(error.message, "expected a URL")
      assert.notInclude(error.message, "s3cret")
    }))
})

for (const destination of ["elasticsearch", "otlp", "http", "file"] as const) {
  const scope = Effect.runSync(Scope.make())
  const state = Effect.gen(function*() {
    const folder = yield* tempFolder
    const server = yield* HttpServer.make(({ body }, response) =>
      HttpServer.json(
        response,
        200,
        destination === "elasticsearch"
          ? { items: body.split("\n").filter((_, at) => at % 2 === 1).map(() => ({ create: { status: 201 } })) }
          : {}
      )
    )
    return { folder, server }
  }).pipe(Scope.extend(scope), Effect.cached, Effect.runSync)

  const connector = Layer.unwrapScoped(Effect.gen(function*() {
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const { folder, server: { url } } = yield* state
    const to = { folder, flushInterval: 10 }
    return SmythLog.contract(
      destination === "file"
        ? { destination, folder }
        : destination === "http"
        ? { destination, url, token: "t", ...to }
        : { destination, url, ...to }
    )
  }))
  const escaped = (value: unknown) => JSON.stringify(value).replaceAll("\u2028", "\\u2028")
  const written = Effect.gen(function*() {
    const { folder, server } = yield* state
    if (destination === "file") return yield* Effect.promise(() => linesIn(folder))
    yield* isSent(folder)
    return server.requests.flatMap(({ body }): ReadonlyArray<string> =>
      destination === "elasticsearch"
        ? body.split("\n").filter((_, at) => at % 2 === 1)
        : destination === "http"
        ? (JSON.parse(body) as { records: ReadonlyArray<{ record: Log.LogRecord }> }).records.map(({ record }) =>
          LogLine.json(record)
        )
        : (JSON.parse(body) as { resourceLogs: [{ scopeLogs: [{ logRecords: ReadonlyArray<unknown> }] }] })
          .resourceLogs[0].scopeLogs[0].logRecords.map(escaped)
    )
  }).pipe(Effect.orDie)
  suite(`SmythLog (${destination})`, { connector, written })
}
