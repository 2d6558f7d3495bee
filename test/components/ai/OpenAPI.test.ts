import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { join } from "node:path"
import { OpenAPI } from "../../../src/components/ai/OpenAPI.ts"
import { JSONFileManagedVault } from "../../../src/connectors/managedvault/JSONFileManagedVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { OAuthTokens } from "../../../src/subsystems/io/OAuthTokens.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
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
        call("getPet", { id: ".." }),
        "Sorry."
      ], { allow: [server.rule] })
      yield* kernel.run(OpenAPI, {
        settings: { model, specUrl: `${server.url}/openapi.json` },
        inputs: { Prompt: { ask: "it" } }
      })
      const requests = yield* kernel.requests
      const [bad, refused, outside] = requests.slice(1).map(({ messages }) =>
        (messages.at(-1)?.content as unknown as Results)[0]
      )
      assert.deepInclude(bad, { isFailure: true })
      for (const text of ["Not sent", "required property 'name'", "must be >= 0", "additional properties"]) {
        assert.include(String(bad?.result), text)
      }
      assert.include(String(refused?.result), "404")
      assert.include(String(refused?.result), "no such pet")
      assert.include(String(outside?.result), "/pets/.. leads out of /pets/{id}")
      assert.lengthOf(server.requests, 2)
    }))

  it.scopedLive("sends the token of a connection, knows its model by the older name, and streams the answer on", () =>
    Effect.gen(function*() {
      const server = yield* api()
      const file = join(yield* tempFolder, "tokens.json")
      const kernel = yield* Kernel.make([call("getPet", { id: "1" }), "A pet."], {
        allow: [server.rule],
        managedVault: JSONFileManagedVault.layer({ file })
      })
      yield* Effect.flatMap(
        OAuthTokens,
        (tokens) => tokens.save("pets", { tokenUrl: "", clientId: "", access: Redacted.make("token-of-a1") })
      ).pipe(
        Candidate.as(Kernel.agent),
        Effect.provide(kernel.context)
      )
      const spoken: Array<string> = []
      const settings = {
        specUrl: `${server.url}/openapi.json`,
        oauth_con_id: "pets",
        openAiModel: "gpt-4.1",
        passthrough: true
      }
      yield* kernel.run(OpenAPI, {
        settings,
        inputs: { Prompt: "Which?" },
        step: { emit: (_, text) => void spoken.push(text) }
      })
      assert.strictEqual(spoken.join(""), "A pet.\n")
      assert.strictEqual((yield* kernel.requests)[0]?.modelId, "gpt-4.1")
      assert.deepStrictEqual(server.requests.map(({ headers }) => headers.authorization), [
        undefined,
        "Bearer token-of-a1"
      ])
    }))

  it.scopedLive("reads plugin manifests, and takes what they say to models", () =>
    Effect.gen(function*() {
      const server = yield* api()
      const kernel = yield* Kernel.make(["Hi."], { allow: [server.rule] })
      const settings = { openAiModel: model, specUrl: `${server.url}/ai-plugin.json`, descForModel: "" }
      yield* kernel.run(OpenAPI, { settings, inputs: { Prompt: "Hi" } })
      const [request] = yield* kernel.requests
      assert.deepStrictEqual(request?.messages[0], { role: "system", content: "About pets." })
      assert.lengthOf(request?.tools ?? [], 4)
    }))

  it.scopedLive("sends files: alone, in forms, those of the inputs and those the API gave; and no others of the agent", () =>
    Effect.gen(function*() {
      const png = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10, 1, 2, 3])
      const file = { type: "string", format: "binary" }
      const form = {
        type: "object",
        required: ["photo"],
        properties: {
          title: { type: "string" },
          tags: { type: "array", items: { type: "string" } },
          about: { type: "object" },
          photo: { ...file, description: "Of the pet" },
          more: { type: "array", items: { type: "string", contentMediaType: "application/pdf" } }
        }
      }
      const body = (content: object) => ({ requestBody: { required: true, content }, responses })
      const server = yield* HttpServer.make(({ method, url }, response) => {
        if (url === "/openapi.json") {
          return HttpServer.json(response, 200, {
            openapi: "3.1.0",
            info: { title: "Files", version: "1" },
            paths: {
              "/form": { post: { operationId: "form", ...body({ "multipart/form-data": { schema: form } }) } },
              "/raw": {
                put: { operationId: "raw", ...body({ "image/*": { schema: file } }) },
                get: { operationId: "fetchOne", responses }
              },
              "/octets": { post: { operationId: "octets", ...body({ "application/octet-stream": {} }) } },
              "/xml": { post: { operationId: "xml", ...body({ "application/xml": { schema: { type: "object" } } }) } }
            }
          })
        }
        if (method === "GET") return void response.writeHead(200, { "content-type": "image/png" }).end(png)
        return HttpServer.json(response, 200, { ok: true })
      })
      const kernel = yield* Kernel.make([
        call("form", {
          body: { title: "Rex", tags: ["a", "b"], about: { age: 3 }, photo: "photo", more: ["data:text/csv,a;b"] }
        }),
        call("raw", { body: "photo" }),
        call("fetchOne", {}),
        "Done.",
        call("octets", { body: "smythfs://a1.agent/secret.txt" }),
        call("form", { body: { title: "no photo" } }),
        "Sorry."
      ], { allow: [server.rule] })
      const settings = { model, specUrl: `${server.url}/openapi.json` }
      const inputs = { Prompt: "Go", photo: png }
      const ports = ["Prompt", { name: "photo", type: "Binary" }]
      yield* kernel.run(OpenAPI, { settings, inputs, ports })
      const requests = yield* kernel.requests
      assert.include(JSON.stringify(requests[0]?.messages.at(-1)), `Files you were given, by name: \\"photo\\"`)
      const tools = requests[0]?.tools ?? []
      assert.sameMembers(tools.map(({ name }) => name), ["form", "raw", "fetchOne", "octets"])
      const shown = JSON.stringify(tools.find(({ name }) => name === "form")?.parameters)
      assert.include(shown, "Of the pet. A file:")
      assert.notInclude(shown, "binary")

      const [, posted, put] = server.requests
      assert.match(posted?.headers["content-type"] ?? "", /^multipart\/form-data; boundary=/)
      const sent = yield* Effect.promise(() =>
        new Response(posted?.bytes, { headers: { "content-type": posted?.headers["content-type"] ?? "" } }).formData()
      )
      assert.deepStrictEqual(sent.getAll("tags"), ["a", "b"])
      assert.deepStrictEqual([sent.get("title"), sent.get("about")], ["Rex", `{"age":3}`])
      const photo = sent.get("photo") as File
      assert.strictEqual(photo.type, "image/png")
      assert.deepStrictEqual(new Uint8Array(yield* Effect.promise(() => photo.arrayBuffer())), png)
      assert.strictEqual(yield* Effect.promise(() => (sent.get("more") as File).text()), "a;b")
      assert.strictEqual(put?.headers["content-type"], "image/png")
      assert.deepStrictEqual(new Uint8Array(put?.bytes ?? []), png)
      const given = JSON.stringify(requests[3]?.messages.at(-1))
      assert.match(given, /smythfs:/)
      assert.include(given, "image/png")

      yield* kernel.run(OpenAPI, { settings, inputs: { Prompt: "Steal" } })
      const [stolen, missing] = (yield* kernel.requests).slice(5).map(({ messages }) =>
        (messages.at(-1)?.content as unknown as Results)[0]
      )
      assert.include(String(stolen?.result), "there is no file")
      assert.include(String(missing?.result), "required property 'photo'")
      assert.lengthOf(server.requests.filter(({ method }) => method !== "GET"), 2)
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
