import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { OpenAPI } from "../../../src/components/ai/OpenAPI.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import * as Kernel from "./kernel.ts"

const model = "gpt-4o-mini"
const responses = { 200: { description: "ok" } }

/** An API for pets, which shows what it was sent. */
const document = (more: object = {}) => ({
  openapi: "3.0.3",
  info: { title: "Pets", version: "1" },
  servers: [{ url: "/{version}", variables: { version: { default: "v1" } } }],
  security: [{ key: [] }, { basic: [] }],
  paths: {
    "/pets/{id}": {
      parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
      get: {
        operationId: "getPet",
        summary: "One pet",
        parameters: [
          { name: "tags", in: "query", schema: { type: "array", items: { type: "string" } } },
          { name: "ids", in: "query", explode: false, schema: { type: "array", items: { type: "integer" } } },
          { name: "filter", in: "query", style: "deepObject", schema: { type: "object" } },
          { name: "X-Trace", in: "header", description: "Of the caller", schema: { type: "string" } },
          { name: "Authorization", in: "header", schema: { type: "string" } },
          { name: "X-Key", in: "header", schema: { type: "string" } }
        ],
        responses
      }
    },
    "/pets": {
      post: {
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: {
                type: "object",
                required: ["name"],
                properties: { name: { type: "string" }, age: { type: "integer", minimum: 0 } }
              }
            }
          }
        },
        responses
      },
      put: { operationId: "upload", requestBody: { content: { "image/png": {} } }, responses },
      patch: {
        operationId: "form",
        requestBody: { content: { "application/x-www-form-urlencoded": { schema: { type: "object" } } } },
        responses
      }
    }
  },
  components: {
    securitySchemes: {
      key: { type: "apiKey", in: "header", name: "X-Key" },
      basic: { type: "http", scheme: "basic" }
    }
  },
  ...more
})

const api = (more: object = {}) =>
  HttpServer.make(({ body, headers, method, url }, response) => {
    if (url === "/openapi.json") return HttpServer.json(response, 200, document(more))
    if (url === "/ai-plugin.json") {
      return HttpServer.json(response, 200, {
        schema_version: "v1",
        description_for_model: "About pets.",
        api: { type: "openapi", url: "/openapi.json" }
      })
    }
    if (url.startsWith("/v1/pets/missing")) return HttpServer.json(response, 404, { error: "no such pet" })
    HttpServer.json(response, 200, { method, url, body, key: headers["x-key"], auth: headers.authorization })
  })

const call = (name: string, args: Readonly<Record<string, unknown>>) => ({ toolCalls: [{ name, arguments: args }] })

type Results = ReadonlyArray<{ readonly result: unknown; readonly isFailure: boolean }>

describe("OpenAPI", () => {
  it.scopedLive("calls the operations a model chooses, with parameters as the document wants them", () =>
    Effect.gen(function*() {
      const server = yield* api()
      const kernel = yield* Kernel.make([
        call("getPet", {
          id: "a/b",
          tags: ["x", "y z"],
          ids: [1, 2],
          filter: { color: "red" },
          "X-Trace": "t1"
        }),
        call("post_pets", { body: { name: "Rex", age: 3 } }),
        call("form", { body: { name: "R x", list: [1, 2] } }),
        "Done."
      ], { allow: [server.rule], secrets: { pets: "s3cret" } })
      const output = yield* kernel.run(OpenAPI, {
        settings: {
          model,
          specUrl: `${server.url}/openapi.json`,
          credentials: { key: "{{KEY(pets)}}" },
          descForModel: ""
        },
        inputs: { Query: "Pets?" }
      })
      assert.deepStrictEqual(output, { Output: "Done." })
      const requests = yield* kernel.requests
      const tool = requests[0]?.tools?.find(({ name }) => name === "getPet")
      assert.sameMembers(Object.keys(tool?.parameters["properties"] as object), [
        "id",
        "tags",
        "ids",
        "filter",
        "X-Trace"
      ])
      assert.notInclude(JSON.stringify(requests), "upload")
      const [, get, post, form] = server.requests
      assert.strictEqual(get?.url, "/v1/pets/a%2Fb?tags=x&tags=y+z&ids=1%2C2&filter%5Bcolor%5D=red")
      assert.deepInclude(get?.headers, { "x-trace": "t1", "x-key": "s3cret" })
      assert.strictEqual(post?.body, "{\"name\":\"Rex\",\"age\":3}")
      assert.strictEqual(post?.headers["content-type"], "application/json")
      assert.strictEqual(form?.body, "name=R+x&list=1&list=2")
      // The API shows the key; the settings do not.
      assert.notInclude(JSON.stringify(requests[0]), "s3cret")
    }))

  it.scopedLive("tells the model of arguments that do not fit, and of what the API refused", () =>
    Effect.gen(function*() {
      const server = yield* api()
      const kernel = yield* Kernel.make([
        call("post_pets", { body: { age: -1 }, more: 1 }),
        call("getPet", { id: "missing" }),
        "Sorry."
      ], { allow: [server.rule] })
      yield* kernel.run(OpenAPI, {
        settings: { model, specUrl: `${server.url}/openapi.json` },
        inputs: { Prompt: { ask: "it" } }
      })
      const requests = yield* kernel.requests
      const [bad, refused] = requests.slice(1).map(({ messages }) =>
        (messages.at(-1)?.content as unknown as Results)[0]
      )
      assert.deepInclude(bad, { isFailure: true })
      for (const text of ["Not sent", "required property 'name'", "must be >= 0", "additional properties"]) {
        assert.include(String(bad?.result), text)
      }
      assert.include(String(refused?.result), "404")
      assert.include(String(refused?.result), "no such pet")
      assert.lengthOf(server.requests, 2)
    }))

  it.scopedLive("reads plugin manifests, and takes what they say to models", () =>
    Effect.gen(function*() {
      const server = yield* api()
      const kernel = yield* Kernel.make(["Hi."], { allow: [server.rule] })
      const settings = { openAiModel: model, specUrl: `${server.url}/ai-plugin.json`, descForModel: "" }
      yield* kernel.run(OpenAPI, { settings, inputs: { Prompt: "Hi" } })
      const [request] = yield* kernel.requests
      assert.deepStrictEqual(request?.messages[0], { role: "system", content: "About pets." })
      assert.lengthOf(request?.tools ?? [], 3)
    }))

  it.scopedLive("sends credentials to no other place than the document's own, unless told to", () =>
    Effect.gen(function*() {
      const other = yield* HttpServer.make((_, response) => HttpServer.json(response, 200, {}))
      const server = yield* api({ servers: [{ url: `${other.url}/v2` }] })
      const kernel = yield* Kernel.make([call("getPet", { id: "1" }), "Done."], {
        allow: [server.rule, other.rule],
        secrets: { pets: "user:pw" }
      })
      const settings = { model, specUrl: `${server.url}/openapi.json`, credentials: "{\"basic\":\"{{KEY(pets)}}\"}" }
      const refused = yield* Effect.flip(kernel.run(OpenAPI, { settings, inputs: { Prompt: "Hi" } }))
      assert.include(refused.message, "Set serverUrl")
      yield* kernel.run(OpenAPI, { settings: { ...settings, serverUrl: `${other.url}/v3` }, inputs: { Prompt: "Hi" } })
      assert.strictEqual(other.requests[0]?.url, "/v3/pets/1")
      assert.strictEqual(other.requests[0]?.headers.authorization, `Basic ${btoa("user:pw")}`)
    }))

  it.scopedLive("says what is wrong", () =>
    Effect.gen(function*() {
      const server = yield* api({ openapi: "2.0" })
      const kernel = yield* Kernel.make([], { allow: [server.rule] })
      const message = (settings: Readonly<Record<string, unknown>>, Prompt = "Hi") =>
        Effect.map(
          Effect.flip(kernel.run(OpenAPI, { settings: { model, ...settings }, inputs: { Prompt } })),
          (error) => error.message
        )
      assert.include(yield* message({ specUrl: `${server.url}/openapi.json` }), "Not an OpenAPI document")
      assert.include(yield* message({ specUrl: `${server.url}/v1/pets/missing` }), "status 404")
      assert.include(yield* message({ specUrl: "http://127.0.0.2:9/" }), "refused")
      assert.include(yield* message({ specUrl: "nonsense" }), "refused")
      assert.include(yield* message({ specUrl: server.url }, ""), "Prompt")
      assert.include(yield* message({ specUrl: server.url, credentials: "[]" }), "credentials: expected an object")
    }))
})
