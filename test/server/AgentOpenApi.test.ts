import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import * as AgentOpenApi from "../../src/server/AgentOpenApi.ts"
import { agentDocument, compiled, endpoint } from "../agents/documents.ts"

const document = agentDocument(
  {
    Find: {
      name: "APIEndpoint",
      data: { endpoint: "find", method: "GET", description: "For models", doc: "For people" },
      in: [
        { name: "q", type: "Text", description: "What to find" },
        { name: "tags", type: "Array", optional: true },
        { name: "filter", type: "Object", optional: true },
        { name: "limit", type: "Integer", defaultVal: 10 }
      ]
    },
    Send: {
      name: "APIEndpoint",
      data: { endpoint: "send", method: "POST", doc: "Sends" },
      in: [{ name: "file", type: "Binary" }, { name: "note", type: "Any", optional: true }]
    },
    Hidden: { name: "APIEndpoint", data: { endpoint: "hidden", method: "POST", ai_exposed: false } },
    Same: { ...endpoint(), data: { endpoint: "find", method: "POST" } }
  },
  [],
  { behavior: "Be kind", shortDescription: "Finds things", description: "Long", version: "2.3.4" }
)

const make = (options: Partial<AgentOpenApi.Options> = {}) =>
  Effect.gen(function*() {
    const { program } = yield* compiled(document)
    const definition = yield* AgentDefinition.fromUnknown(document)
    const agent = {
      name: program.agent.name,
      definition,
      endpoints: Array.from(program.plans.values(), ({ endpoint }) => endpoint)
    }
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a document is read as its readers do
    return AgentOpenApi.make(agent, { serverUrl: "https://x.example/agents/a1", ...options }) as any
  })

describe("an agent's OpenAPI document", () => {
  it.effect("for people", () =>
    Effect.gen(function*() {
      const { info, openapi, paths, servers } = yield* make()
      assert.strictEqual(openapi, "3.0.1")
      assert.deepStrictEqual(info, { title: "Test agent", description: "Finds things", version: "2.3.4" })
      assert.deepStrictEqual(servers, [{ url: "https://x.example/agents/a1" }])
      assert.deepStrictEqual(Object.keys(paths), ["/api/find", "/api/send", "/api/hidden"])
      assert.deepStrictEqual(Object.keys(paths["/api/find"]), ["get", "post"])
      assert.strictEqual(paths["/api/find"].get.summary, "For people")
      assert.notProperty(paths["/api/find"].post, "requestBody")
      assert.deepStrictEqual(paths["/api/find"].get.parameters, [
        { name: "q", in: "query", description: "What to find", required: true, schema: { type: "string" } },
        {
          name: "tags",
          in: "query",
          description: "",
          required: false,
          schema: { type: "array", items: {} },
          style: "form",
          explode: false
        },
        {
          name: "filter",
          in: "query",
          description: "",
          required: false,
          schema: { type: "object", additionalProperties: true },
          style: "deepObject",
          explode: true
        },
        { name: "limit", in: "query", description: "", required: false, schema: { type: "integer", default: 10 } }
      ])
      assert.deepStrictEqual(paths["/api/send"].post.requestBody, {
        required: true,
        content: {
          "multipart/form-data": {
            schema: {
              type: "object",
              properties: {
                file: { type: "string", description: "", format: "binary" },
                note: { type: "string", description: "" }
              },
              required: ["file"]
            }
          }
        }
      })
    }))

  it.effect("for models: only what is exposed, files as text", () =>
    Effect.gen(function*() {
      const { info, paths } = yield* make({ forModels: true })
      assert.strictEqual(info.description, "Be kind")
      assert.deepStrictEqual(Object.keys(paths), ["/api/find", "/api/send"])
      assert.strictEqual(paths["/api/find"].get.summary, "For models")
      assert.strictEqual(paths["/api/find"].get.operationId, "find")
      assert.property(paths["/api/send"].post.requestBody.content, "application/json")
    }))

  it.effect("a version stands before the paths, unless it is the latest", () =>
    Effect.gen(function*() {
      const versioned = yield* make({ version: "1.2" })
      assert.property(versioned.paths, "/v1.2/api/find")
      assert.strictEqual(versioned.info.version, "1.2")
      assert.property((yield* make({ version: "latest" })).paths, "/api/find")
    }))
})
