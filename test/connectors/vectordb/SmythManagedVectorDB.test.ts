import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { SmythManagedVectorDB } from "../../../src/connectors/vectordb/SmythManagedVectorDB.ts"
import { VectorDBConnector } from "../../../src/subsystems/io/VectorDB.ts"
import { suite } from "../../../src/testing/conformance/vectordb.ts"
import * as faults from "../../conformance/faults.ts"
import { managedHost, tokens } from "../../fixtures/managed.ts"

const open = (settings: Parameters<typeof SmythManagedVectorDB.contract>[0]) =>
  Effect.map(Layer.build(SmythManagedVectorDB.contract(settings)), Context.get(VectorDBConnector))

describe("SmythManaged", () => {
  it.scopedLive("collections and spaces of two teams do not meet, also where their names do", () =>
    Effect.gen(function*() {
      const { url } = yield* managedHost
      const acme = yield* open({ url, team: "acme", token: tokens.acme })
      const other = yield* open({ url, team: "other", token: tokens.other })
      const vector = Float32Array.of(1, 0)
      yield* acme.upsert("c1", [{ id: "p", vector, payload: "acme's", terms: [], words: "" }])
      yield* acme.put("user:ann", "n", "acme's", Option.none())
      assert.deepStrictEqual(yield* other.fetch("c1", ["p"]), [])
      assert.deepStrictEqual(yield* other.get("user:ann", "n"), Option.none())
      yield* other.drop("c1")
      assert.strictEqual((yield* acme.fetch("c1", ["p"])).length, 1)
      for (const name of ["tacme/c1", "c1'; drop", ""]) {
        assert.strictEqual((yield* Effect.flip(other.drop(name))).reason, "InvalidInput")
      }
    }))
})

suite(
  "SmythManaged",
  Layer.unwrapScoped(
    Effect.map(managedHost, ({ team, token, url }) => SmythManagedVectorDB.contract({ url, team, token }))
  )
)

faults.suite("SmythManaged", {
  server: Effect.map(managedHost, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    SmythManagedVectorDB.contract({
      url: `http://127.0.0.1:${port}`,
      team: "acme",
      token: tokens.acme,
      timeout: timeoutMillis
    }),
  read: Effect.flatMap(
    VectorDBConnector,
    (store) => Effect.map(store.get("user:ann", "k"), Option.map(({ value }) => value))
  ),
  write: (value) =>
    Effect.gen(function*() {
      const store = yield* VectorDBConnector
      const found = yield* store.get("user:ann", "k")
      yield* store.put("user:ann", "k", value, Option.map(found, ({ version }) => version))
    })
})
