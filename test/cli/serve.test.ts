import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { agentDocument, endpoint } from "../agents/documents.ts"
import { workspace } from "./sre.ts"

const shell = (line: string) =>
  Effect.map(Effect.promise(() => promisify(execFile)("sh", ["-c", line])), ({ stdout }) => stdout)

const slow = agentDocument(
  {
    E: endpoint("text"),
    S: { name: "FSleep", data: { delay: 2 }, in: ["Input"], out: ["Output"] },
    O: { name: "APIOutput", data: { format: "minimal" }, in: ["text"] }
  },
  ["E.text -> S.Input", "S.Output -> O.text"],
  { id: "slow" }
)

describe("sre serve", { timeout: 60_000 }, () => {
  it.scopedLive("shows how it started and a line for each agent that works when pasted; a signal ends it with 0", () =>
    Effect.gen(function*() {
      const { start } = yield* workspace
      const server = yield* start(["serve", ".", "--port", "0"])
      yield* server.says(/Ctrl-C stops it\./)
      assert.match(server.out, /^ {2}Vault +\S+ +\d+ ms$/m)
      assert.match(server.out, /^sre \S+ at http:\/\/127\.0\.0\.1:\d+, ready in \d+ ms$/m)
      assert.match(server.out, /^ {2}POST digest\(text: Text\) {2}The SHA-256 digest of a text$/m)
      assert.include(server.out, "assistant: no OPENAI_API_KEY, conversations use the built-in Echo model")
      const answers = yield* Effect.forEach(server.out.match(/curl .*/g) ?? [], shell)
      assert.lengthOf(answers, 4)
      assert.match(answers[0]!, /event: content\ndata: .*\n[^]*event: end/)
      assert.deepStrictEqual(JSON.parse(answers[1]!), {
        digest: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
      })
      assert.deepStrictEqual(JSON.parse(answers[2]!), { ship: true, order: { id: 1 } })
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(server.out)![0]
      const debugged = yield* Effect.promise(() =>
        fetch(`${url}/agents/digest/runs`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ endpoint: "digest", input: { text: "x" }, debug: {} })
        })
      )
      assert.strictEqual(debugged.status, 202, "who serves owns the agents")
      server.child.kill("SIGINT")
      const { code, err } = yield* server.ended
      assert.strictEqual(code, 0)
      assert.include(err, "finishing what is under way")
    }))

  it.scopedLive("finishes a request that is under way when the signal comes", () =>
    Effect.gen(function*() {
      const { start, write } = yield* workspace
      yield* write("slow.smyth", JSON.stringify(slow))
      const server = yield* start(["serve", "slow.smyth", "--port", "0", "--log-level", "debug"])
      const line = yield* server.says(/curl .*/)
      const answer = yield* Effect.fork(shell(line))
      yield* Effect.sleep("700 millis")
      server.child.kill("SIGINT")
      // As under npm, which passes on what the terminal has sent already.
      yield* Effect.sleep("20 millis")
      server.child.kill("SIGINT")
      assert.deepStrictEqual(JSON.parse(yield* Fiber.join(answer)), { text: "hello" })
      assert.strictEqual((yield* server.ended).code, 0)
    }))

  it.scopedLive("serves the agents that are valid and reports the others; as JSON for programs", () =>
    Effect.gen(function*() {
      const { start, write } = yield* workspace
      yield* write("torn.smyth", "{")
      const server = yield* start(["serve", "torn.smyth", "digest.smyth", "--port", "0", "--json"])
      const served = JSON.parse(yield* server.says(/^.*\n/))
      assert.deepStrictEqual(served.agents.map(({ id }: { readonly id: string }) => id), ["digest"])
      assert.match(served.notes[0], /torn\.smyth[^]*not JSON/)
      server.child.kill("SIGTERM")
      assert.strictEqual((yield* server.ended).code, 0)
    }))

  it.scopedLive("ends with 1 when there is nothing to serve, when the port is taken, and without credentials on all addresses", () =>
    Effect.gen(function*() {
      const { sre, write } = yield* workspace
      yield* write("torn.smyth", "{")
      const nothing = yield* sre("serve", "torn.smyth", "--port", "0")
      assert.strictEqual(nothing.code, 1)
      assert.match(nothing.err, /No agent could be served\.\n.*torn\.smyth/)
      const other = yield* (yield* workspace).start(["serve", "digest.smyth", "--port", "0", "--json"])
      const { url } = JSON.parse(yield* other.says(/^.*\n/))
      const { port } = new URL(url)
      const taken = yield* sre("serve", "digest.smyth", "--port", port)
      assert.strictEqual(taken.code, 1)
      assert.match(taken.err, new RegExp(`port ${port} .* is in use.*--port`))
      const open = yield* sre("serve", "digest.smyth", "--host", "0.0.0.0", "--port", "0")
      assert.strictEqual(open.code, 1)
      assert.match(open.err, /credentials/)
      assert.strictEqual((yield* sre("serve", "digest.smyth", "--port", "70000")).code, 2)
    }))
})
