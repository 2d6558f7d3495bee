import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Layer } from "effect"
import * as Endpoint from "../../../src/agents/Endpoint.ts"
import { APIEndpoint } from "../../../src/components/system/APIEndpoint.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import { runComponent } from "../harness.ts"

const settings = { endpoint: "go", method: "POST" }

const request = (body: unknown) => ({
  run: { request: { method: "POST", endpoint: "go", headers: { "x-a": "1" }, body, query: { q: "2" } } }
})

const services = Layer.merge(MemoryStorage.layer({}), UndiciOutbound.layer({}))

/** The door in front of the component: what it does to a request before anything runs. */
const door = (
  ports: ReadonlyArray<Record<string, unknown> & { readonly name: string }>,
  method: "GET" | "POST" = "POST"
) =>
  Endpoint.make({
    endpoint: "go",
    method,
    description: "",
    doc: "",
    ai_exposed: true,
    endpointLabel: "",
    status_message: ""
  }, ports as never)

const fitted = (type: string, value: unknown, rest: Record<string, unknown> = {}) =>
  Either.match(door([{ name: "v", type, ...rest }]).prepare({ body: { v: value } }), {
    onLeft: ({ inputs }) => inputs[0]?.reason,
    onRight: ({ body }) => (body as { readonly v: unknown }).v
  })

describe("APIEndpoint", () => {
  it.effect("hands on headers, body and query of the request", () =>
    Effect.gen(function*() {
      const outputs = yield* runComponent(APIEndpoint, { settings, inputs: {}, step: request({ a: 1 }) as never })
      assert.deepStrictEqual(outputs, { headers: { "x-a": "1" }, body: { a: 1 }, query: { q: "2" }, params: {} })
    }).pipe(Effect.provide(services), Candidate.as(Candidate.agent("a1"))))

  it.effect("keeps uploads under the agent's home and hands on where they are", () =>
    Effect.gen(function*() {
      const outputs = yield* runComponent(APIEndpoint, {
        settings,
        inputs: {},
        ports: [{ name: "file", type: "Binary", optional: true }, { name: "files", type: "Image", optional: true }],
        step: request({
          file: "data:text/plain;base64,aGk=",
          files: ["data:image/png;base64,iVBORw0KGgo="],
          text: "x"
        }) as never
      })
      const body = outputs["body"] as {
        readonly file: { readonly url: string; readonly mimetype: string; readonly size: number }
        readonly files: ReadonlyArray<unknown>
      }
      assert.deepInclude(body.file, { mimetype: "text/plain", size: 2 })
      assert.match(body.file.url, /^smythfs:\/\/a1\.agent\/_temp\//)
      assert.strictEqual(body.files.length, 1)
      const stored = yield* (yield* Storage).read(body.file.url)
      assert.strictEqual(new TextDecoder().decode(stored), "hi")
    }).pipe(Effect.provide(services), Candidate.as(Candidate.agent("a1"))))
})

describe("the door of an endpoint", () => {
  it("makes what is sent fit, and refuses what does not", () => {
    assert.strictEqual(fitted("Number", "1337.42"), 1337.42)
    assert.strictEqual(fitted("Integer", "42"), 42)
    assert.strictEqual(fitted("Boolean", "true"), true)
    assert.deepStrictEqual(fitted("Array", "[1,2,3]"), [1, 2, 3])
    assert.deepStrictEqual(fitted("Array", "a,b,c"), ["a", "b", "c"])
    assert.deepStrictEqual(fitted("Object", "{\"key\":\"value\"}"), { key: "value" })
    assert.deepStrictEqual(fitted("Object", "{key: 'value'}"), { key: "value" })
    for (const type of ["Number", "Integer", "Boolean", "Object", "Date"]) {
      assert.strictEqual(fitted(type, "abc"), "invalid")
    }
  })

  it("takes the default where nothing was sent, also a falsy one, and never where something was", () => {
    assert.strictEqual(fitted("Number", undefined, { defaultVal: "123" }), 123)
    assert.strictEqual(fitted("Boolean", undefined, { defaultVal: false }), false)
    assert.strictEqual(fitted("Number", "", { defaultVal: 0 }), 0)
    assert.strictEqual(fitted("Number", 0, { defaultVal: 7 }), 0)
    assert.strictEqual(fitted("Text", undefined), "missing")
    assert.strictEqual(fitted("Number", ""), "missing")
    assert.strictEqual(fitted("Text", undefined, { optional: true }), undefined)
  })

  it("parses text that looks like an object only where anything is welcome", () => {
    assert.deepStrictEqual(fitted("Any", "{\"a\":1}"), { a: 1 })
    assert.strictEqual(fitted("Text", "{\"a\":1}"), "{\"a\":1}")
  })

  it("keeps what is not declared, and a body named like a prototype is data", () => {
    const body = JSON.parse("{\"v\":1,\"extra\":2,\"__proto__\":{\"admin\":true}}") as Record<string, unknown>
    const prepared = Either.getOrThrow(door([{ name: "v" }]).prepare({ body }))
    assert.deepStrictEqual(Object.keys(prepared.body as object), ["v", "extra", "__proto__"])
    assert.strictEqual((prepared.body as Record<string, unknown>)["admin"], undefined)
  })

  it("reads the query of a GET endpoint, and names headers in lower case", () => {
    const prepared = Either.getOrThrow(
      door([{ name: "n", type: "Number" }], "GET").prepare({ query: { n: "5" }, headers: { "X-A": "1" } })
    )
    assert.deepStrictEqual(prepared.query, { n: 5 })
    assert.deepStrictEqual(prepared.headers, { "x-a": "1" })
  })

  it("wants an object where there are inputs", () => {
    const refused = Either.flip(door([{ name: "v" }]).prepare({ body: [1] }))
    assert.match(Either.getOrThrow(refused).message, /expected an object with "v"/)
  })
})
