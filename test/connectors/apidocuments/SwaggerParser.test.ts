import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SwaggerParser } from "../../../src/connectors/apidocuments/SwaggerParser.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { ApiDocuments } from "../../../src/subsystems/io/ApiDocuments.ts"

const documents = <A, E>(
  use: (documents: typeof ApiDocuments.Service) => Effect.Effect<A, E>,
  settings: Parameters<typeof SwaggerParser.layer>[0] = {}
) =>
  Effect.flatMap(ApiDocuments, use).pipe(
    Effect.provide(SwaggerParser.layer(settings)),
    Candidate.as(Candidate.user("u"))
  )

const info = { title: "T", version: "1" }
const responses = { 200: { description: "ok" } }
const parse = (document: unknown, settings = {}) =>
  documents((one) => one.parse(typeof document === "string" ? document : JSON.stringify(document)), settings)
const problem = (document: unknown, settings = {}) =>
  Effect.map(Effect.flip(parse(document, settings)), (error) => {
    assert.deepInclude(error, { _tag: "InvalidApiDocument" })
    return error.message
  })

describe("SwaggerParser", () => {
  it.effect("reads JSON and YAML, with references written out", () =>
    Effect.gen(function*() {
      const read = yield* parse({
        openapi: "3.0.3",
        info,
        paths: { "/a/{id}": { get: { parameters: [{ $ref: "#/components/parameters/Id" }], responses } } },
        components: {
          parameters: { Id: { name: "id", in: "path", required: true, schema: { $ref: "#/components/schemas/Node" } } },
          schemas: { Node: { type: "object", properties: { next: { $ref: "#/components/schemas/Node" } } } }
        }
      })
      assert.deepStrictEqual(read.paths["/a/{id}"]?.get?.parameters, [{
        name: "id",
        in: "path",
        description: "",
        required: true,
        content: {},
        schema: { type: "object", properties: { next: {} } }
      }])
      const yaml = yield* parse("openapi: 3.1.0\ninfo: {title: T, version: '1'}\nservers: [{url: /v1}]\npaths: {}\n")
      assert.deepStrictEqual(yaml.servers, [{ url: "/v1", variables: {} }])
    }))

  it.effect("asks nobody for what a document refers to", () =>
    Effect.gen(function*() {
      for (const $ref of ["http://127.0.0.1:1/x.json", "file:///etc/hostname", "/etc/hostname", "other.yaml#/a"]) {
        const document = { openapi: "3.1.0", info, paths: { "/a": { get: { parameters: [{ $ref }], responses } } } }
        assert.include(yield* problem(document), `"${$ref}", which is not in it`)
      }
    }))

  it.effect("says what is wrong with a document", () =>
    Effect.gen(function*() {
      assert.include(yield* problem({ openapi: "3.0.3", info: { title: "T" }, paths: {} }), "#/info")
      assert.include(yield* problem({ swagger: "2.0", info, paths: {} }), "openapi")
      yield* problem("<html>")
      yield* problem("")
      yield* problem("[]")
      yield* problem("{")
    }))

  it.effect("a document that grows without bound is refused", () =>
    Effect.gen(function*() {
      const schemas: Record<string, unknown> = { s0: { type: "string" } }
      for (let n = 1; n < 30; n++) {
        const one = { $ref: `#/components/schemas/s${n - 1}` }
        schemas[`s${n}`] = { type: "object", properties: { a: one, b: one, c: one, d: one } }
      }
      const document = { openapi: "3.1.0", info, paths: {}, components: { schemas } }
      assert.include(yield* problem(document, { maxValues: 10_000 }), "more than 10000 values")
    }))

  it.live("a large document does not hold up the process", () =>
    Effect.gen(function*() {
      const head = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\nx-large:\n"
      const large = `${head}${"- {a: {b: [c]}}\n".repeat(100_000)}`
      const ticks = Effect.as(Effect.repeatN(Effect.sleep("5 millis"), 20), "ticks")
      assert.strictEqual(yield* Effect.raceFirst(Effect.as(parse(large), "document"), ticks), "ticks")
    }))

  it.effect("judges values, also by the bounds of 3.0, and by no expression of a stranger", () =>
    Effect.gen(function*() {
      const read = yield* parse({
        openapi: "3.0.3",
        info,
        paths: {
          "/a": {
            get: {
              parameters: [
                { name: "n", in: "query", schema: { type: "number", minimum: 1, exclusiveMinimum: true } },
                { name: "t", in: "query", schema: { type: "string", pattern: "^(a+)+$" } },
                { name: "u", in: "query", schema: { type: "string", pattern: { $ref: "#/x-pattern" } } }
              ],
              responses
            }
          }
        },
        "x-pattern": "^(a+)+$"
      })
      const [n, t, u] = read.paths["/a"]!.get!.parameters.map(({ schema }) => schema!)
      const problems = (schema: typeof n, value: unknown) => documents((one) => one.problems(schema!, value))
      assert.deepStrictEqual(yield* problems(n, 2), [])
      assert.lengthOf(yield* problems(n, 1), 1)
      assert.deepStrictEqual([t, u], [{ type: "string" }, { type: "string" }])
      assert.deepStrictEqual(yield* problems(t, `${"a".repeat(40)}!`), [])
      assert.deepStrictEqual(yield* problems({ enum: ["a", "b"] }, "c"), [
        "the arguments: must be equal to one of the allowed values ([\"a\",\"b\"])"
      ])
      assert.deepStrictEqual(yield* problems({ type: "nonsense" }, "c"), [])
    }))
})
