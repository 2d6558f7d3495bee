import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { workspace } from "./sre.ts"

const broken = (folder: string) =>
  Effect.promise(async () =>
    (await readFile(join(folder, "digest.smyth"), "utf8"))
      .replace("\"sha256\"", "\"sha25\"").replace("\"targetIndex\": \"digest\"", "\"targetIndex\": \"digst\"")
  )

describe("sre check", { timeout: 60_000 }, () => {
  it.scopedLive("finds nothing wrong with the examples", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      const { code, err, out } = yield* sre("check", ".")
      assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
      assert.match(out, /weather\.smyth: ok/)
      assert.match(out, /4 files, 0 errors, 0 warnings/)
    }))

  it.scopedLive("reports all problems together, each with its place, what is accepted and the nearest name", () =>
    Effect.gen(function*() {
      const { folder, sre, write } = yield* workspace
      yield* write("broken.smyth", yield* broken(folder))
      yield* write("torn.smyth", "{\n  \"components\": [,\n")
      const { code, out } = yield* sre("check", "broken.smyth", "torn.smyth", "digest.smyth")
      assert.strictEqual(code, 1)
      assert.match(out, /warning components\[1\]\.data\.algorithm \(H\): .*"sha25".*Did you mean "sha256"/)
      assert.match(out, /error connections\[1\]\.targetIndex \(O\.digst\): .*Did you mean "digest"\? Accepted: digest/)
      assert.match(out, /not JSON: .* at line 2, column 18/)
      assert.match(out, /digest\.smyth: ok/)
      assert.match(out, /3 files, 2 errors, 1 warnings?/)
    }))

  it.scopedLive("gives the same as JSON", () =>
    Effect.gen(function*() {
      const { folder, sre, write } = yield* workspace
      yield* write("broken.smyth", yield* broken(folder))
      const { code, out } = yield* sre("check", "broken.smyth", "--json")
      const report = JSON.parse(out)
      assert.strictEqual(code, 1)
      assert.strictEqual(report.errors, 1)
      const problem = report.files[0].problems.find(({ path }: { readonly path: string }) => path.startsWith("conn"))
      assert.deepInclude(problem, {
        path: "connections[1].targetIndex",
        component: "O",
        port: "digst",
        accepted: ["digest"]
      })
    }))

  it.scopedLive("a file that is not there is one message, and a usage error needs no file", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      assert.deepStrictEqual(yield* sre("check", "nope.smyth"), {
        code: 1,
        out: "",
        err: "nope.smyth: no such file or folder\n"
      })
      const { code, out } = yield* sre("check", "nope.smyth", "--json")
      assert.strictEqual(code, 1)
      assert.deepInclude(JSON.parse(out), { error: "UnreadableFile", file: "nope.smyth" })
      assert.strictEqual((yield* sre("check")).code, 2)
    }))
})
