/** The hashing agent of the format's documentation, in every form a document may have. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentDocument from "../../src/agents/AgentDocument.ts"
import * as Compile from "../../src/agents/Compile.ts"
import { builtIn } from "../../src/components/registry.ts"
import { compiled, runDocument } from "./documents.ts"

const digest = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"

const hasher = (
  options: { readonly format?: string; readonly algorithm?: string; readonly errorTo?: string } = {}
) => ({
  id: "demo-1",
  version: "1.0.0",
  name: "Hasher",
  teamId: "default",
  behavior: "You compute digests.",
  variables: { salt: "pepper" },
  components: [
    {
      id: "E",
      name: "APIEndpoint",
      displayName: "APIEndpoint",
      title: "Digest",
      data: { endpoint: "digest", method: "POST", description: "Digest a text", ai_exposed: true },
      inputs: [{ name: "text", type: "Text", optional: false }],
      outputs: [
        { name: "headers", default: true },
        { name: "body", default: true },
        { name: "query", default: true },
        { name: "text", expression: "body.text", default: false }
      ]
    },
    {
      id: "H",
      name: "FHash",
      displayName: "F:Hash",
      title: "sha256",
      data: { algorithm: options.algorithm ?? "sha256", encoding: "hex" },
      inputs: [{ name: "Data", type: "Any", default: true }],
      outputs: [{ name: "Hash", default: true }, { name: "_error", default: true }]
    },
    {
      id: "O",
      name: "APIOutput",
      displayName: "APIOutput",
      title: "Out",
      data: { format: options.format ?? "minimal" },
      inputs: [{ name: "digest", type: "Any" }],
      outputs: [{ name: "Output", default: true }]
    }
  ],
  connections: [
    { sourceId: "E", sourceIndex: 3, targetId: "H", targetIndex: 0 },
    { sourceId: "H", sourceIndex: "Hash", targetId: "O", targetIndex: "digest" }
  ] as Array<Record<string, unknown>>
})

const registry = Compile.registry(builtIn)
const post = (document: unknown, body: Record<string, unknown>) =>
  Effect.map(runDocument(document, { body }, { registry, key: "POST digest" }), ({ answer }) => answer)

describe("the worked example", () => {
  it.effect("minimal: the bare output", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* post(hasher(), { text: "hi" }), { digest })
    }))

  it.effect("full: the record", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* post(hasher({ format: "full" }), { text: "hi" }), {
        id: "O",
        name: "APIOutput",
        result: { Output: { digest } }
      })
    }))

  it.effect("an unsupported algorithm answers with the record and _error, and is told when the document is loaded", () =>
    Effect.gen(function*() {
      const document = hasher({ algorithm: "sha257" })
      const answer = yield* post(document, { text: "hi" })
      assert.deepInclude(answer as object, { id: "H", name: "F:Hash" })
      assert.match(
        JSON.stringify(answer),
        /"result":{"_error":"unknown digest \\"sha257\\"\. Did you mean \\"sha256\\"/
      )
      const { warnings } = yield* compiled(document, registry)
      assert.deepInclude(warnings[0], { severity: "warning", component: "H", path: "components[1].data.algorithm" })
    }))

  it.effect("a missing required input refuses the request", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(post(hasher(), {}))
      assert.strictEqual(error._tag, "BadInput")
      assert.deepInclude(error, { inputs: [{ input: "text", reason: "missing", problem: "required Text is missing" }] })
    }))

  for (
    const [form, change] of Object.entries({
      "numeric text": [{ sourceIndex: "3", targetIndex: "0" }, { sourceIndex: "0", targetIndex: 0 }],
      "names": [{ sourceIndex: "text", targetIndex: "Data" }, { sourceIndex: "Hash", targetIndex: "digest" }],
      "positions": [{ sourceIndex: 3, targetIndex: 0 }, { sourceIndex: 0, targetIndex: 0 }]
    })
  ) {
    it.effect(`connections by ${form}, flat and wrapped, answer the same`, () =>
      Effect.gen(function*() {
        const document = hasher()
        document.connections = document.connections.map((connection, at) => ({ ...connection, ...change[at] }))
        assert.deepStrictEqual(yield* post(document, { text: "hi" }), { digest })
        const { id, ...data } = document
        const wrapped = { id: "row-7", version: "3", data: { id, ...data }, updatedAt: "2025-01-01" }
        assert.deepStrictEqual(yield* post(wrapped, { text: "hi" }), { digest })
      }))
  }

  it.effect("decoding and encoding lose nothing, in either layout", () =>
    Effect.gen(function*() {
      const document = { ...hasher(), ui: { panzoom: { currentZoom: 1 } }, planInfo: null, introMessage: "hi" }
      const wrapped = { id: "row-7", version: "3", data: document, updatedAt: "2025-01-01" }
      assert.deepStrictEqual(AgentDocument.encode(yield* AgentDocument.decode(document)), document)
      assert.deepStrictEqual(AgentDocument.encode(yield* AgentDocument.decode(wrapped)), wrapped)
    }))
})
