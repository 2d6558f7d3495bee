import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import * as Compile from "../../../src/agents/Compile.ts"
import { ECMASandbox } from "../../../src/components/code/ECMASandbox.ts"
import { APIEndpoint } from "../../../src/components/system/APIEndpoint.ts"
import { ECMASandbox as Sandbox } from "../../../src/connectors/code/ECMASandbox.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { agentDocument, endpoint } from "../../agents/documents.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { runComponent, type RunOptions } from "../harness.ts"

const run = (code: string, inputs: Record<string, unknown> = {}, options: RunOptions = {}) =>
  Candidate.as(runComponent(ECMASandbox, { settings: { code }, inputs, ...options }), Candidate.agent("a1"))

const services = Layer.merge(Sandbox.layer({ workers: 1 }), UndiciOutbound.layer({ allow: ["127.0.0.1"] }))

layer(services, { excludeTestServices: true })("ECMASandbox", (it) => {
  it.effect("gives main the inputs its parameters name, and what it returns is Output", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* run("async function main(v) { return v + 1 }", { v: "a" }), { Output: "a1" })
      const inputs = { text: "it's ' \" ` ${x} {{text}}", object: { a: [1] }, list: [1, 2] }
      const { Output } = yield* run("async function main(list, object, text) { return { list, object, text } }", inputs)
      assert.deepStrictEqual(Output, inputs)
      assert.deepStrictEqual(yield* run("async function main({ list }) { return list.length }", inputs), { Output: 2 })
      assert.isUndefined((yield* run("async function main() {}")).Output)
    }))

  it.effect("templates in the code are text, and variables enter as data", () =>
    Effect.gen(function*() {
      const code = "async function main(v) { return '{{v}} {{who}} {{KEY(k)}}' + v }"
      const { Output } = yield* run(code, { v: "'+process+'" }, { variables: { who: "W" } })
      assert.strictEqual(Output, "{{v}} {{who}} {{KEY(k)}}'+process+'")
    }))

  it.effect("fails with what went wrong and where", () =>
    Effect.gen(function*() {
      const message = (code: string) => Effect.map(Effect.flip(run(code)), (error) => error.message)
      assert.strictEqual(
        yield* message("async function main() {\n throw new Error('no')\n}"),
        "Error: no (line 2, column 17)"
      )
      assert.include(yield* message("async function other() {}"), "async function main")
      assert.include(yield* message("function main() {}"), "async")
      assert.include(yield* message("async function main() {\n  return (\n}"), "(line 3")
      assert.include(yield* message("async function main() { return require('fs') }"), "require")
      assert.include(yield* message(""), "code")
    }))

  it.effect("what keeps code from running is told when the document is loaded, in the words of the run, with its place", () =>
    Effect.gen(function*() {
      const told = (code: string) =>
        AgentDefinition.fromUnknown(
          agentDocument({ E: endpoint("v"), C: { name: "ECMASandbox", data: { code }, in: ["v"] } }, ["E.v -> C.v"])
        ).pipe(
          Effect.flatMap((definition) => Compile.compile(definition, Compile.registry([ECMASandbox, APIEndpoint]))),
          Effect.map(({ warnings }) => warnings)
        )
      for (
        const [code, place] of [
          ["async function main() {\n  return (\n}", "(line 3, column 1)"],
          ["const a = 1\nconst a = 2\nasync function main() {}", "(line 2, column 7)"],
          ["function main() {}", "async"],
          ["1", "async function main"]
        ] as const
      ) {
        const [warning] = yield* told(code)
        assert.deepInclude(warning, { component: "C", path: "components[1].data.code" })
        assert.include(warning?.problem, place)
        assert.strictEqual((yield* Effect.flip(run(code))).message, warning?.problem)
      }
      assert.deepStrictEqual(yield* told("import x from 'x'\nexport const main = async (a, b) => a?.b ?? 1n"), [])
      assert.deepStrictEqual(yield* told("async function main({ a }) { return `${a}` }"), [])
    }))

  it.effect("what the code says is told to whoever watches the run", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const log = (level: string, text: string) => void lines.push(`${level} ${text}`)
      yield* run("async function main() { console.log('a', 1); console.warn('b') }", {}, { step: { log } })
      assert.deepStrictEqual(lines.slice(0, 2), ["info a 1", "warning b"])
    }))

  it.effect("is what documents call Code, too", () => Effect.sync(() => assert.include(ECMASandbox.aliases, "Code")))

  it.scoped("fetch goes where the policy of the network lets it", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ body, method }, response) =>
        HttpServer.json(response, 201, { method, body })
      )
      const code = `async function main(url) {
        const response = await fetch(url, { method: "post", body: "hi", headers: { "x-a": "1" } })
        return [response.status, response.ok, response.headers.get("Content-Type"), await response.json()]
      }`
      const { Output } = yield* run(code, { url: server.url })
      assert.deepStrictEqual(Output, [201, true, "application/json", { method: "POST", body: "hi" }])
      assert.strictEqual(server.requests[0]?.headers["x-a"], "1")
      const refused = yield* Effect.flip(run(code, { url: "http://10.0.0.1/" }))
      assert.include(refused.message, "refused")
    }))
})
