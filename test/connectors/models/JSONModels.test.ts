import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { builtInModels } from "../../../src/subsystems/llm/BuiltInModels.ts"
import { Models } from "../../../src/subsystems/llm/Models.ts"
import { suite } from "../../../src/testing/conformance/models.ts"

/** A folder with these files for the time of the scope. */
const folder = (files: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const path = await mkdtemp(join(tmpdir(), "models-"))
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(path, name)), { recursive: true })
        await writeFile(join(path, name), text)
      }
      return path
    }),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )

const names = (settings: Parameters<typeof JSONModels.layer>[0]) =>
  Effect.flatMap(Models, ({ list }) => Effect.map(list, (all) => all.map(({ name }) => name))).pipe(
    Effect.provide(JSONModels.layer(settings)),
    Candidate.as(Candidate.user("u1"))
  )

describe("JSONModels", () => {
  it.effect("has the built-in models, and those of its settings over them or instead of them", () =>
    Effect.gen(function*() {
      const models = { mine: { provider: "Echo" }, "gpt-4o": { llm: "Echo" } }
      assert.lengthOf(yield* names({}), builtInModels.size)
      assert.lengthOf(yield* names({ models }), builtInModels.size + 1)
      assert.deepStrictEqual(yield* names({ models, mode: "replace" }), ["gpt-4o", "mine"])
    }))

  it.effect("has the prices of its settings in place of the built-in ones, under every name of a model", () =>
    Effect.gen(function*() {
      const prices = { "gpt-4o-2024-08-06": { input: 1, output: 2 } }
      const costs = Effect.flatMap(
        Models,
        (models) =>
          Effect.forEach(
            ["gpt-4o", "gpt-4o-2024-08-06", "gpt-5"],
            (name) => Effect.map(models.get(name), ({ prices }) => prices?.input)
          )
      )
      const asked = costs.pipe(Effect.provide(JSONModels.layer({ prices })), Candidate.as(Candidate.user("u1")))
      assert.deepStrictEqual(yield* asked, [1, 1, 1.25])
      const { message } = yield* Effect.flip(names({ prices: { "gpt-5-min": { input: 0, output: 0 } } }))
      assert.match(message, /Models\.Settings\.prices.*no model is called "gpt-5-min".*Did you mean "gpt-5-mini"/)
    }))

  it.scopedLive("reads a file of one entry, a file of many, and a folder of both", () =>
    Effect.gen(function*() {
      const path = yield* folder({
        "one.json": `{"modelId": "one", "provider": "Echo"}`,
        "sub/many.json": `{"two": {"provider": "Echo"}, "three": {"alias": "two"}}`,
        ".hidden/x.json": `{"x": {"provider": "Echo"}}`,
        "readme.md": "no models here"
      })
      assert.deepStrictEqual(yield* names({ models: join(path, "one.json"), mode: "replace" }), ["one"])
      assert.deepStrictEqual(yield* names({ models: path, mode: "replace" }), ["one", "three", "two"])
    }))

  it.scopedLive("names file, entry and field of everything that is wrong", () =>
    Effect.gen(function*() {
      const path = yield* folder({
        "a.json": `{"m": {"provider": "Echo", "tokens": "many"}, "n": {}}`,
        "b.json": `{"o": {"provider": "Echo", "baseURL": "ftp://x"}}`
      })
      const { message } = yield* Effect.flip(names({ models: path }))
      assert.include(message, `${join(path, "a.json")}: m.tokens: `)
      assert.include(message, `${join(path, "a.json")}: n.provider: a model needs a provider`)
      assert.include(message, `${join(path, "b.json")}: o.baseURL: expected an http or https URL`)
    }))

  it.scopedLive("says where a file is not JSON, and which cannot be read", () =>
    Effect.gen(function*() {
      const path = yield* folder({ "a.json": `{"m": {"provider": }}` })
      assert.match((yield* Effect.flip(names({ models: path }))).message, /a\.json: .* at line 1, column/)
      assert.include((yield* Effect.flip(names({ models: join(path, "none") }))).message, "none cannot be read")
    }))
})

// Last: the suite's `layer` replaces the `it.effect` of all that is described after it.
suite("JSONModels", JSONModels.contract({}))
