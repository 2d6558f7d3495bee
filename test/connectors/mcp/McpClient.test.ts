import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted } from "effect"
import { execFileSync } from "node:child_process"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { McpClient } from "../../../src/connectors/mcp/McpClient.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Mcp from "../../../src/subsystems/io/Mcp.ts"
import * as faults from "../../conformance/faults.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import * as McpServer from "../../fixtures/McpServer.ts"
import { perFile } from "../../fixtures/PerFile.ts"
import { stop } from "../../fixtures/ServerProcess.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const http = perFile(McpServer.everything("streamableHttp"))

const as = Candidate.as(Candidate.agent("a1"))

/** Processes that this one has started, with this text in their command lines. */
const childrenWith = (text: string) =>
  execFileSync("ps", ["--ppid", String(process.pid), "-o", "args="], { encoding: "utf8" }).split("\n")
    .filter((line) => line.includes(text) && line.includes("stdio"))

/** The guarded service, allowed to reach what stands in `allow`. */
const service = (
  allow: ReadonlyArray<string>,
  settings: Parameters<typeof McpClient.layer>[0] = {}
) =>
  Effect.map(
    Layer.build(Layer.provide(Mcp.layer, [McpClient.contract(settings), UndiciOutbound.layer({ allow })])),
    Context.get(Mcp.Mcp)
  )

const text = ({ content }: Mcp.ToolResult) => content.map((part) => part.type === "text" ? part.text : "").join("\n")

describe("McpClient", () => {
  it.scopedLive("lists the tools of a server with their whole schemas, and calls them over Streamable HTTP", () =>
    Effect.gen(function*() {
      const { rule, url } = yield* http
      const mcp = yield* service([rule])
      const tools = yield* as(mcp.tools({ url }))
      const sum = tools.find(({ name }) => name === "get-sum")
      assert.deepInclude(sum?.inputSchema, { type: "object", required: ["a", "b"] })
      assert.deepInclude((sum?.inputSchema as { properties: object }).properties, {
        a: { type: "number", description: "First number" }
      })
      assert.isAbove(tools.length, 8)
      assert.include(text(yield* as(mcp.call({ url }, "get-sum", { a: 2, b: 40 }))), "42")
      const structured = yield* as(mcp.call({ url }, "get-structured-content", { location: "Chicago" }))
      assert.isNumber(structured.structured?.["temperature"])
      const image = yield* as(mcp.call({ url }, "get-tiny-image", {}))
      assert.deepInclude(image.content.find(({ type }) => type === "binary"), { mediaType: "image/png" })
    }))

  it.scopedLive("a wrong argument is a result that says so", () =>
    Effect.gen(function*() {
      const { rule, url } = yield* http
      const mcp = yield* service([rule])
      const result = yield* as(mcp.call({ url }, "get-sum", { a: "two" }))
      assert.isTrue(result.isError)
      assert.match(text(result), /expected number|Invalid/i)
    }))

  it.scopedLive("answers forms with their defaults where the operator says so, and is not asked otherwise", () =>
    Effect.gen(function*() {
      const seats = { type: "integer", default: 2 } as const
      const server = yield* McpServer.asking({
        type: "object",
        properties: { seats, name: { type: "string" }, meal: { type: "string", enum: ["a", "b"], default: "b" } },
        required: ["seats"]
      })
      const open = yield* McpServer.asking({
        type: "object",
        properties: { seats, name: { type: "string" } },
        required: ["name", "seats"]
      })
      const mcp = yield* service([server.rule, open.rule], { elicitation: "defaults" })
      const book = (url: string) => Effect.map(as(mcp.call({ url }, "book", {})), text)
      assert.deepStrictEqual(JSON.parse(yield* book(server.url)), {
        action: "accept",
        content: { seats: 2, meal: "b" }
      })
      assert.deepStrictEqual(JSON.parse(yield* book(open.url)), { action: "cancel" })
      const alone = yield* McpServer.asking({ type: "object", properties: { seats } })
      const silent = yield* service([alone.rule])
      const refused = yield* Effect.flip(as(silent.call({ url: alone.url }, "book", {})))
      assert.include(refused.message, "does not support")
    }))

  it.scopedLive("falls back to SSE where a server knows nothing newer", () =>
    Effect.gen(function*() {
      const { rule, url } = yield* McpServer.everything("sse")
      const mcp = yield* service([rule])
      assert.include(text(yield* as(mcp.call({ url }, "echo", { message: "hi" }))), "hi")
      assert.include(text(yield* as(mcp.call({ url, transport: "sse" }, "echo", { message: "you" }))), "you")
    }))

  it.scopedLive("starts commands that the operator has named, and no others", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* Effect.promise(() => writeFile(join(folder, "a.txt"), "inside"))
      const mcp = yield* service([], {
        commands: { files: McpServer.filesystemCommand(folder), everything: McpServer.everythingCommand }
      })
      const read = yield* as(mcp.call({ url: "stdio:files" }, "read_text_file", { path: join(folder, "a.txt") }))
      assert.strictEqual(text(read), "inside")
      yield* as(
        mcp.call({ url: "stdio://files" }, "write_file", { path: join(folder, "b.txt"), content: "written" })
      )
      assert.strictEqual(yield* Effect.promise(() => readFile(join(folder, "b.txt"), "utf8")), "written")
      const outside = yield* as(mcp.call({ url: "stdio:files" }, "read_text_file", { path: "/etc/hostname" }))
      assert.isTrue(outside.isError)
      assert.include(text(yield* as(mcp.call({ url: "stdio:everything" }, "echo", { message: "hi" }))), "hi")
      const unknown = yield* Effect.flip(as(mcp.tools({ url: "stdio:file" })))
      assert.deepInclude(unknown, { _tag: "McpRefused" })
      assert.include(unknown.message, "Did you mean \"files\"?")
    }))

  it.scopedLive("connects to no place that the policy forbids", () =>
    Effect.gen(function*() {
      const { url } = yield* http
      const mcp = yield* service([])
      const own = yield* Effect.flip(as(mcp.tools({ url })))
      assert.deepInclude(own, { _tag: "McpRefused" })
      const named = yield* Effect.flip(as(mcp.tools({ url: url.replace("127.0.0.1", "localhost") })))
      assert.deepInclude(named, { _tag: "McpRefused" })
      assert.deepInclude(yield* Effect.flip(as(mcp.tools({ url: "file:///etc/passwd" }))), { _tag: "McpRefused" })
      for (const url of ["nonsense", "stdio:", "stdio:%", "stdio:%E0%A4%A"]) {
        assert.deepInclude(yield* Effect.flip(as(mcp.tools({ url }))), { _tag: "McpRefused" })
      }
    }))

  it.scopedLive("sends credentials with every request, and says when they are refused", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ headers }, response) =>
        HttpServer.json(response, 401, { error: `not with ${headers.authorization}` })
      )
      const mcp = yield* service([server.rule])
      const headers = Redacted.make({ authorization: "Bearer secret-token" })
      const error = yield* Effect.flip(as(mcp.tools({ url: server.url, headers })))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unauthorized" })
      assert.include(error.message, "not with Bearer [secret]")
      assert.notInclude(JSON.stringify(error), "secret-token")
      assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer secret-token")
    }))

  it.scopedLive("opens a session anew when the server has forgotten it", () =>
    Effect.gen(function*() {
      const { child, port, rule, url } = yield* McpServer.everything("streamableHttp")
      const mcp = yield* service([rule])
      const echo = as(mcp.call({ url }, "echo", { message: "hi" }))
      yield* echo
      yield* stop(child)
      assert.deepInclude(yield* Effect.flip(echo), { _tag: "ConnectorError", reason: "Unavailable" })
      yield* McpServer.everything("streamableHttp", port)
      assert.include(text(yield* echo), "hi")
    }))

  it.scopedLive("keeps one session for each candidate and its credentials, and closes it when it is idle", () =>
    Effect.gen(function*() {
      const server = yield* McpServer.silent
      const mcp = yield* service([server.rule], { idle: 100 })
      const wait = (who: string, key: string) =>
        Effect.fork(Candidate.as(
          mcp.call({ url: server.url, headers: Redacted.make({ key }) }, "wait", {}),
          Candidate.agent(who)
        ))
      const all = [yield* wait("a1", "k"), yield* wait("a1", "k"), yield* wait("a2", "k"), yield* wait("a1", "other")]
      yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => server.told("tools/call") === 4 })
      assert.strictEqual(server.told("initialize"), 3)
      yield* Fiber.interruptAll(all)
      yield* Effect.sleep("300 millis")
      yield* Fiber.interrupt(
        yield* Effect.tap(wait("a1", "k"), () =>
          Effect.repeat(Effect.sleep("10 millis"), {
            until: () => server.told("tools/call") === 5
          }))
      )
      assert.strictEqual(server.told("initialize"), 4)
    }))

  it.scopedLive("is kept busy by no expression of a server", () =>
    Effect.gen(function*() {
      const outputSchema = { type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } }
      const server = yield* McpServer.saying({
        "tools/list": () => ({ tools: [{ name: "t", inputSchema: { type: "object" }, outputSchema }] }),
        "tools/call": () => ({ content: [], structuredContent: { a: `${"a".repeat(40)}!` } })
      })
      const mcp = yield* service([server.rule])
      yield* as(mcp.tools({ url: server.url }))
      assert.isDefined((yield* as(mcp.call({ url: server.url }, "t", {}))).structured)
    }))

  it.scopedLive("waits neither for a list without end, nor for a server that never says where it is to be asked", () =>
    Effect.gen(function*() {
      const endless = yield* McpServer.saying({ "tools/list": () => ({ tools: [], nextCursor: "more" }) })
      const mute = yield* HttpServer.make((_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
      })
      const mcp = yield* service([endless.rule, mute.rule], { timeout: 500 })
      for (const server of [{ url: endless.url }, { url: mute.url, transport: "sse" as const }]) {
        assert.deepInclude(yield* Effect.flip(as(mcp.tools(server))), { _tag: "ConnectorError", reason: "Timeout" })
      }
    }))

  it.scopedLive("takes keys, and what is sent, to no other origin", () =>
    Effect.gen(function*() {
      const other = yield* HttpServer.make((_, response) => HttpServer.json(response, 200, {}))
      for (const status of [301, 302, 303, 307, 308]) {
        const server = yield* HttpServer.make(({ url }, response) =>
          void response.writeHead(status, { location: url === "/" ? "/there" : `${other.url}/there` }).end()
        )
        const mcp = yield* service([server.rule, other.rule])
        const headers = Redacted.make({ "x-api-key": "secret-key" })
        yield* Effect.flip(as(mcp.tools({ url: server.url, headers })))
        yield* Effect.flip(as(mcp.tools({ url: server.url, headers, transport: "sse" })))
        assert.strictEqual(server.requests[1]?.headers["x-api-key"], "secret-key", "where it was meant to go")
      }
      assert.isAbove(other.requests.length, 0)
      for (const { body, headers } of other.requests) {
        assert.notInclude(JSON.stringify([headers, body]), "secret-key")
        assert.strictEqual(body, "")
      }
    }))

  it.scopedLive("a candidate has a bounded number of sessions, and one process for a command", () =>
    Effect.gen(function*() {
      const server = yield* McpServer.saying({ "tools/list": () => ({ tools: [] }) })
      const mcp = yield* service([server.rule], { commands: { everything: McpServer.everythingCommand } })
      const keyed = (key: number) => mcp.tools({ url: server.url, headers: Redacted.make({ key: String(key) }) })
      yield* Effect.forEach(Array.from({ length: 100 }), (_, key) => as(keyed(key)))
      assert.deepInclude(yield* Effect.flip(as(keyed(100))), { _tag: "ConnectorError", reason: "Full" })
      assert.deepStrictEqual(yield* Candidate.as(keyed(100), Candidate.agent("a2")), [])
      const sessions = yield* Effect.forEach(
        ["stdio:everything", "stdio://everything", "STDIO:everything", "stdio:%65verything"],
        (url, key) =>
          Candidate.as(
            mcp.call({ url, headers: Redacted.make({ key: String(key) }) }, "get-env", {}),
            Candidate.agent("a2")
          ),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(sessions, 4)
      assert.lengthOf(childrenWith("server-everything"), 1)
    }))

  it.scopedLive("tells the server to stop what nobody waits for any more", () =>
    Effect.gen(function*() {
      const server = yield* McpServer.silent
      const mcp = yield* service([server.rule])
      const fiber = yield* Effect.fork(as(mcp.call({ url: server.url }, "wait", {})))
      yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => server.told("tools/call") === 1 })
      yield* Fiber.interrupt(fiber)
      yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => server.told("notifications/cancelled") === 1 })
    }))

  it.scopedLive("ends what takes too long; the session is as good as before", () =>
    Effect.gen(function*() {
      const { rule, url } = yield* http
      const mcp = yield* service([rule])
      const late = yield* Effect.flip(as(
        mcp.call({ url }, "trigger-long-running-operation", { duration: 30, steps: 30 }, { timeout: "500 millis" })
      ))
      assert.deepInclude(late, { _tag: "ConnectorError", reason: "Timeout" })
      assert.include(text(yield* as(mcp.call({ url }, "echo", { message: "still here" }))), "still here")
    }))
})

/** Calls the server behind the proxy: its address is the caller's, not the connector's. */
class Call extends Context.Tag("test/McpClient/Call")<
  Call,
  (
    name: string,
    args?: Readonly<Record<string, unknown>>
  ) => Effect.Effect<string, Mcp.McpError>
>() {}

for (const answers of ["json", "events"] as const) {
  faults.suite(`McpClient of a server that answers as ${answers}`, {
    server: McpServer.remembering(answers),
    connector: ({ port, timeoutMillis: timeout }) =>
      Layer.scoped(
        Call,
        Effect.map(service([`127.0.0.1:${port}`], { timeout }), (mcp) => (name, args = {}) =>
          Effect.map(as(mcp.call({ url: `http://127.0.0.1:${port}/` }, name, args, { timeout })), text))
      ),
    read: Effect.flatMap(Call, (call) => call("get")),
    write: (value) => Effect.flatMap(Call, (call) => Effect.asVoid(call("set", { value })))
  })
}
