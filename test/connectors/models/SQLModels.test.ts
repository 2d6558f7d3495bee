import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer } from "effect"
import { SQLModels, SQLModelsLive } from "../../../src/connectors/models/SQLModels.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Models, ModelsConnector } from "../../../src/subsystems/llm/Models.ts"
import { suite } from "../../../src/testing/conformance/models.ts"
import { databases, execute, on, sqlite } from "../../fixtures/Databases.ts"

const opened = (settings: Parameters<typeof SQLModels.contract>[0]) =>
  Effect.map(Layer.build(Layer.fresh(SQLModels.contract(settings))), Context.get(ModelsConnector))

describe("SQLModels", () => {
  it.scopedLive("custom models last, and the operator's come from the settings", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const operator = { mine: { provider: "Echo" } }
      yield* (yield* opened({ url })).put("user:u", "own", { provider: "Echo", label: "Own" })
      const again = yield* opened({ url, models: operator, mode: "replace" })
      assert.deepStrictEqual(Array.from(yield* again.shared), [["mine", { provider: "Echo" }]])
      assert.deepStrictEqual(Array.from(yield* again.custom("user:u")), [["own", { provider: "Echo", label: "Own" }]])
      const wrong = yield* Effect.flip(opened({ url, models: { mine: {} } }))
      assert.include(wrong.message, "mine.provider")
    }))

  it.scopedLive("at most a thousand of one candidate, and a damaged one is named", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const models = yield* opened({ url })
      const hex = Buffer.from("user:u").toString("hex")
      yield* execute(
        url,
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO sre_models SELECT X'${hex}', CAST('m' || i AS BLOB), '{"provider":"Echo"}' FROM n`
      )
      assert.strictEqual((yield* models.custom("user:u")).size, 1000)
      assert.strictEqual((yield* Effect.flip(models.put("user:u", "more", { provider: "Echo" }))).reason, "Full")
      assert.strictEqual((yield* models.custom("user:u")).size, 1000)
      yield* models.put("user:u", "m1", { provider: "Echo", label: "again" })
      yield* execute(url, `UPDATE sre_models SET entry = '{' WHERE name = CAST('m7' AS BLOB)`)
      const error = yield* Effect.flip(models.custom("user:u"))
      assert.strictEqual(error.reason, "Corrupted")
      assert.include(error.message, "\"m7\" of user:u")
      yield* models.remove("user:u", "m7")
      assert.strictEqual((yield* models.custom("user:u")).size, 999)
    }))

  it.scopedLive("the Live layer is in SRE_SQL_URL, and what one adds no other sees", () =>
    Effect.gen(function*() {
      const environment = ConfigProvider.fromMap(new Map([["SRE_SQL_URL", yield* sqlite]]))
      yield* Effect.gen(function*() {
        const { add, get } = yield* Models
        yield* Candidate.as(add("own", { provider: "Echo" }), Candidate.user("u"))
        assert.isTrue((yield* Candidate.as(get("own"), Candidate.user("u"))).isCustom)
        assert.strictEqual((yield* Effect.flip(Candidate.as(get("own"), Candidate.user("v"))))._tag, "ModelNotFound")
      }).pipe(Effect.provide(Layer.provide(SQLModelsLive, Layer.setConfigProvider(environment))))
    }))
})

for (const [name, database] of databases) {
  suite(`SQLModels on ${name}`, on(database, (url) => SQLModels.contract({ url })))
}
