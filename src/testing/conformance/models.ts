/** What every registry of models must do, whatever is in it. */
import { assert, layer } from "@effect/vitest"
import { Effect, type Layer, Schema } from "effect"
import { ModelEntry, ModelsConnector } from "../../subsystems/llm/Models.ts"

export const suite = <E>(name: string, connector: Layer.Layer<ModelsConnector, E>) =>
  layer(connector, { excludeTestServices: true, timeout: "30 seconds" })(`${name} is a ModelsConnector`, (it) => {
    const entry: ModelEntry = { provider: "Echo", modelId: "m-1", tokens: 10, params: { temperature: 0 } }
    const namesOf = (home: string) =>
      Effect.flatMap(ModelsConnector, ({ custom }) => Effect.map(custom(home), (all) => Array.from(all.keys()).sort()))

    it.effect("the operator's models are entries with a provider or an alias", () =>
      Effect.gen(function*() {
        const shared = yield* Effect.flatMap(ModelsConnector, ({ shared }) => shared)
        assert.isAbove(shared.size, 0)
        for (const [name, one] of shared) {
          assert.isTrue(Schema.is(ModelEntry)(one), name)
          assert.isTrue(one.provider !== undefined || one.alias !== undefined, name)
        }
      }))

    it.effect("a custom model comes back whole, to its own home alone", () =>
      Effect.gen(function*() {
        const models = yield* ModelsConnector
        yield* models.put("user:own", "mine", entry)
        assert.deepStrictEqual((yield* models.custom("user:own")).get("mine"), entry)
        for (const other of ["user:ow", "user:own2", "team:own", "agent:own"]) {
          assert.deepStrictEqual(yield* namesOf(other), [])
        }
      }))

    it.effect("a later one of the same name replaces it, as a whole", () =>
      Effect.gen(function*() {
        const models = yield* ModelsConnector
        yield* models.put("user:twice", "mine", entry)
        yield* models.put("user:twice", "mine", { alias: "other" })
        assert.deepStrictEqual((yield* models.custom("user:twice")).get("mine"), { alias: "other" })
        assert.deepStrictEqual(yield* namesOf("user:twice"), ["mine"])
      }))

    it.effect("what is custom changes nothing of what is everybody's", () =>
      Effect.gen(function*() {
        const models = yield* ModelsConnector
        const before = new Map(yield* models.shared)
        const [name = ""] = before.keys()
        yield* models.put("user:same", name, entry)
        assert.deepStrictEqual(new Map(yield* models.shared), before)
        yield* models.remove("user:same", name)
        assert.deepStrictEqual(new Map(yield* models.shared), before)
      }))

    it.effect("a removed one is gone, also when removed twice, and no other", () =>
      Effect.gen(function*() {
        const models = yield* ModelsConnector
        yield* models.put("user:less", "a", entry)
        yield* models.put("user:less", "b", entry)
        yield* models.put("user:more", "a", entry)
        yield* models.remove("user:less", "a")
        yield* models.remove("user:less", "a")
        yield* models.remove("user:nobody", "a")
        assert.deepStrictEqual(yield* namesOf("user:less"), ["b"])
        assert.deepStrictEqual(yield* namesOf("user:more"), ["a"])
      }))

    it.effect("any text is a name", () =>
      Effect.gen(function*() {
        const models = yield* ModelsConnector
        const names = ["", " ", "__proto__", "constructor", "a/b:c@1", "meta-llama/Llama 3", "模型", "x".repeat(500)]
        for (const name of names) yield* models.put("user:names", name, { ...entry, label: name })
        const all = yield* models.custom("user:names")
        assert.deepStrictEqual(names.map((name) => all.get(name)?.label), names)
      }))

    it.effect("what was read stays as it was, and of many writes at once none is lost", () =>
      Effect.gen(function*() {
        const models = yield* ModelsConnector
        const before = yield* models.custom("user:many")
        const names = Array.from({ length: 50 }, (_, n) => `m${n}`)
        yield* Effect.forEach(names, (name) => models.put("user:many", name, entry), { concurrency: "unbounded" })
        assert.strictEqual(before.size, 0)
        assert.deepStrictEqual(yield* namesOf("user:many"), names.slice().sort())
      }))
  })
