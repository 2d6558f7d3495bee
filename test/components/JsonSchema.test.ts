import { assert, describe, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import { ParseResult, type Schema } from "effect"
import * as JsonSchema from "../../src/components/JsonSchema.ts"
import { builtIn } from "../../src/components/registry.ts"

const ajv = new Ajv2020({ strict: false })
const named = (name: string) => JsonSchema.of(builtIn.find((one) => one.name === name)!)

describe("JSON Schemas of components", () => {
  it("tell what settings are, and what they are where they are not set", () => {
    const { inputs, outputs, settings } = named("APICall")
    assert.deepInclude(settings, { type: "object", required: ["url"], additionalProperties: true })
    assert.deepStrictEqual(settings.properties["url"], { type: "string", minLength: 1, maxLength: 8192 })
    assert.deepStrictEqual(settings.properties["retries"], {
      type: ["integer", "string"],
      minimum: 0,
      maximum: 10,
      default: 0
    })
    assert.deepInclude(settings.properties["method"], { type: "string", default: "GET" })
    assert.include(settings.properties["method"]?.["enum"] as ReadonlyArray<string>, "PATCH")
    assert.isTrue(inputs.additionalProperties)
    assert.deepStrictEqual(outputs.properties, {
      Response: { title: "Any" },
      Headers: { title: "Object", type: "object" }
    })
    assert.deepStrictEqual(named("VisionLLM").settings.properties["temperature"], {
      type: ["number", "string"],
      minimum: 0,
      maximum: 5
    })
    assert.deepStrictEqual(named("FileStore").inputs, {
      type: "object",
      properties: { Data: { title: "Binary" } },
      required: ["Data"],
      additionalProperties: false
    })
  })

  for (const component of builtIn) {
    it(`of ${component.name} are valid, take its defaults, and require what it requires`, () => {
      const schemas = JsonSchema.of(component)
      for (const schema of Object.values(schemas)) assert.doesNotThrow(() => ajv.compile(schema))
      const { properties, required } = schemas.settings
      assert.sameMembers(Object.keys(properties), Object.keys(component.config.fields))
      const decode = ParseResult.decodeUnknownEither(component.config as unknown as Schema.Schema<unknown>)
      assert.strictEqual(decode({})._tag, required.length === 0 ? "Right" : "Left")
      for (const [name, schema] of Object.entries(properties)) {
        if ("default" in schema) assert.isTrue(ajv.validate(schema, schema["default"]), `${component.name}.${name}`)
      }
    })
  }
})
