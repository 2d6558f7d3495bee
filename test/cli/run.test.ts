import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { workspace } from "./sre.ts"

const digestOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

describe("sre run", { timeout: 60_000 }, () => {
  it.scopedLive("prints the answer, and nothing else on standard output", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      const { code, out } = yield* sre("run", "digest.smyth", "digest", "--input", "{\"text\":\"abc\"}")
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(JSON.parse(out), { digest: digestOfAbc })
    }))

  it.scopedLive("takes the input from a file and from standard input", () =>
    Effect.gen(function*() {
      const { sre, sreWith, write } = yield* workspace
      yield* write("input.json", "{\"text\":\"abc\"}")
      const fromFile = yield* sre("run", "digest.smyth", "digest", "--input", "@input.json", "--json")
      assert.strictEqual(fromFile.out, `{"digest":"${digestOfAbc}"}\n`)
      const piped = yield* sreWith("{\"text\":\"abc\"}", "run", "digest.smyth", "digest", "--input", "-", "--json")
      assert.strictEqual(piped.out, fromFile.out)
    }))

  it.scopedLive("shows the events as they come on standard error", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      const input = ["--input", "{\"text\":\"abc\"}", "--events", "--json"]
      const { err, out } = yield* sre("run", "digest.smyth", "digest", ...input)
      const events = err.trim().split("\n").map((line) => JSON.parse(line).event._tag)
      assert.strictEqual(events[0], "RunStarted")
      assert.strictEqual(events.at(-1), "RunEnded")
      assert.deepStrictEqual(JSON.parse(out), { digest: digestOfAbc })
    }))

  it.scopedLive("names the endpoint that was meant, the inputs that are missing, and what went wrong in a run", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      const unknown = yield* sre("run", "digest.smyth", "digset")
      assert.strictEqual(unknown.code, 1)
      assert.match(unknown.err, /^Agent "digest" has no endpoint .*digset\. Did you mean "digest"\?.*\n$/)
      const missing = yield* sre("run", "digest.smyth", "digest", "--json")
      assert.strictEqual(missing.code, 1)
      assert.deepInclude(JSON.parse(missing.out), { error: "BadInput", endpoint: "digest" })
      const failed = yield* sre("run", "weather.smyth", "weather", "--input", "{\"city\":\"x\"}", "--json")
      assert.strictEqual(failed.code, 1)
      const { answer, error } = JSON.parse(failed.out)
      assert.strictEqual(error, "RunFailed")
      assert.match(answer.result._error, /127\.0\.0\.1:4112 refused/)
    }))

  it.scopedLive("refuses what it cannot read with code 2, before anything is started", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      const input = yield* sre("run", "digest.smyth", "digest", "--input", "{\"text\"")
      assert.deepStrictEqual(input, {
        code: 2,
        out: "",
        err: "--input is not JSON: expected a colon at line 1, column 8, found the end\n"
      })
      const as = yield* sre("run", "digest.smyth", "digest", "--as", "bob", "--json")
      assert.strictEqual(as.code, 2)
      assert.deepStrictEqual(JSON.parse(as.out), {
        error: "UsageError",
        message: "--as: expected user:ID, agent:ID or team:ID, got \"bob\""
      })
    }))

  it.scopedLive("one process at a time uses a data folder; the other is told so", () =>
    Effect.gen(function*() {
      const { sre, start } = yield* workspace
      const server = yield* start(["serve", "digest.smyth", "--port", "0"])
      yield* server.says(/ready in/)
      const { code, out } = yield* sre("run", "digest.smyth", "digest", "--input", "{\"text\":\"abc\"}", "--json")
      assert.strictEqual(code, 1)
      const { error, message } = JSON.parse(out)
      assert.strictEqual(error, "BootError")
      assert.match(message, /in use by another process/)
    }))

  it.scopedLive("a signal stops it with the code of the signal, also while it waits for input", () =>
    Effect.gen(function*() {
      const { start } = yield* workspace
      const waiting = yield* start(["run", "digest.smyth", "digest", "--input", "-", "--events"])
      // More than a pipe holds: it is written when somebody reads.
      yield* Effect.async<void>((resume) => {
        waiting.child.stdin!.write(" ".repeat(500_000), () => resume(Effect.void))
      })
      waiting.child.kill("SIGINT")
      const { code, err } = yield* waiting.ended
      assert.deepStrictEqual({ code, err }, { code: 130, err: "stopped by SIGINT\n" })
    }))
})
