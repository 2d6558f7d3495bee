import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { workspace } from "./sre.ts"

describe("sre", { timeout: 60_000 }, () => {
  it.scopedLive("explains itself without colours where there is no terminal", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      const help = yield* sre("--help")
      assert.strictEqual(help.code, 0)
      for (const command of ["check", "run", "prompt", "sign-in", "serve", "vault", "components"]) {
        assert.include(help.out, command)
      }
      assert.notInclude(help.out, "\u001b")
      assert.match((yield* sre("--version")).out, /^\d+\.\d+\.\d+/)
      assert.match((yield* sre("--completions", "bash")).out, /complete -F/)
      const unknown = yield* sre("chek", "x.smyth")
      assert.deepStrictEqual({ code: unknown.code, out: unknown.out }, { code: 2, out: "" })
      assert.include(unknown.err, "Did you mean check? sre --help shows how it is used.")
    }))

  it.scopedLive("has a page for every command, asked for in any way", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      const page = yield* sre("run", "--help")
      assert.match(page.out, /^sre run FILE ENDPOINT \[options\]\n\nCalls an endpoint of an agent/)
      assert.include(page.out, "--input JSON         The inputs by name: JSON, @file, or - for standard input.\n")
      assert.include(page.out, "--method GET | POST")
      assert.include(page.out, `sre run agent.smyth greet --input '{"name":"Ann"}'`)
      for (const line of page.out.split("\n")) assert.isAtMost(line.length, 100)
      assert.deepStrictEqual(yield* sre("help", "run"), page)
      assert.deepStrictEqual(yield* sre("run", "x.smyth", "-h"), page)
      const group = yield* sre("vault")
      assert.match(group.out, /^sre vault COMMAND \[options\]\n(.|\n)*\n  set {6}Keeps a secret/)
      assert.match((yield* sre("vault", "convert", "--help")).out, /^sre vault convert \[FILE\] \[options\]\n/)
      assert.match((yield* sre("serve", "--help")).out, /^sre serve FILE\.\.\. \[options\]\n/)
      assert.deepStrictEqual(yield* sre(), yield* sre("--help"))
    }))

  it.scopedLive("says of words it does not take what was meant, and where the help is", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      assert.deepStrictEqual(yield* sre("run"), {
        code: 2,
        out: "",
        err: "Missing argument <FILE>\nsre run --help shows how it is used.\n"
      })
      const misspelt = yield* sre("run", "digest.smyth", "digest", "--inptu", "{}")
      assert.deepStrictEqual([misspelt.code, misspelt.out], [2, ""])
      assert.include(misspelt.err, "Did you mean --input? sre run --help shows how it is used.")
      const inGroup = yield* sre("vault", "lst")
      assert.match(inGroup.err, /\nDid you mean list\? sre vault --help shows how it is used\.\n$/)
    }))

  it.scopedLive("prompt streams the answer; without a key it says in one line that Echo answers", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      assert.deepStrictEqual(yield* sre("prompt", "assistant.smyth", "hi there"), {
        code: 0,
        out: "hi there\n",
        err: "assistant: no OPENAI_API_KEY, conversations use the built-in Echo model\n"
      })
      const named = yield* sre("prompt", "digest.smyth", "hi", "--model", "Echo", "--json")
      assert.deepStrictEqual(named.out.trim().split("\n").map((line) => JSON.parse(line).type), [
        "start",
        "content",
        "end"
      ])
      const none = yield* sre("prompt", "digest.smyth", "hi", "--json")
      assert.strictEqual(none.code, 1)
      assert.deepInclude(JSON.parse(none.out), { error: "NoModel", agent: "digest" })
      const unknown = yield* sre("prompt", "digest.smyth", "hi", "--model", "gpt-4o-mni")
      assert.strictEqual(unknown.code, 1)
      assert.match(unknown.err, /gpt-4o-mini/)
    }))

  it.scopedLive("prompt keeps a conversation that has an id, and no other", () =>
    Effect.gen(function*() {
      const { folder, sre } = yield* workspace
      const kept = Effect.promise(async () => {
        const files = await readdir(join(folder, "data"), { recursive: true, withFileTypes: true })
        const texts = files.filter((one) => one.isFile()).map((one) => readFile(join(one.parentPath, one.name), "utf8"))
        return (await Promise.all(texts)).join("\n")
      })
      yield* sre("prompt", "digest.smyth", "fleeting", "--model", "Echo")
      assert.strictEqual(
        (yield* sre("prompt", "digest.smyth", "lasting", "--model", "Echo", "--conversation", "c1")).out,
        "lasting\n"
      )
      const text = yield* kept
      assert.include(text, "lasting")
      assert.notInclude(text, "fleeting")
    }))

  it.scopedLive("vault keeps secrets from standard input, lists names, and never shows a value", () =>
    Effect.gen(function*() {
      const { folder, sre, sreWith, write } = yield* workspace
      const kept = yield* sreWith("s3cret\n", "vault", "set", "openai")
      assert.deepStrictEqual(kept, { code: 0, out: "openai is kept for user:local\n", err: "" })
      yield* sreWith("other", "vault", "set", "shared", "--team", "t1")
      assert.strictEqual((yield* sre("vault", "list")).out, "openai\n")
      assert.deepStrictEqual(JSON.parse((yield* sre("vault", "list", "--team", "t1", "--json")).out), {
        home: "team:t1",
        names: ["shared"]
      })
      assert.strictEqual((yield* sreWith("\n", "vault", "set", "empty")).code, 2)
      assert.strictEqual((yield* sreWith("x", "vault", "set", "x", "--team", "no id")).code, 2)
      const file = join(folder, "data", "vault.json")
      assert.notInclude(yield* Effect.promise(() => readFile(file, "utf8")), "s3cret")
      yield* write("plain.json", JSON.stringify({ default: { openai: "s3cret" } }))
      const converted = yield* sre("vault", "convert", "plain.json")
      assert.deepStrictEqual(converted, { code: 0, out: "plain.json is encrypted\n", err: "" })
      assert.notInclude(yield* Effect.promise(() => readFile(join(folder, "plain.json"), "utf8")), "s3cret")
    }))

  it.scopedLive("components come from the registry", () =>
    Effect.gen(function*() {
      const { sre } = yield* workspace
      const [hash] = JSON.parse((yield* sre("components", "FHash", "--json")).out)
      assert.deepInclude(hash.settings, { name: "algorithm", required: true, accepted: [] })
      assert.deepInclude(hash.inputs, { name: "Data", type: "Any", required: true })
      const unknown = yield* sre("components", "FHsh")
      assert.strictEqual(unknown.code, 1)
      assert.match(unknown.err, /Did you mean "FHash"/)
      const { out } = yield* sre("components")
      assert.match(out, /^FSleep +\S/m)
      const names = out.trimEnd().split("\n").map((line) => line.slice(0, line.indexOf(" ")))
      assert.deepStrictEqual(names, [...names].sort((a, b) => a.localeCompare(b, "en")))
      assert.deepInclude(hash.schemas.settings, { required: ["algorithm"] })
    }))
})
