import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ServerlessCode } from "../../../src/components/code/ServerlessCode.ts"
import { DummyAccount } from "../../../src/connectors/account/DummyAccount.ts"
import { AWSLambda } from "../../../src/connectors/code/AWSLambda.ts"
import { ECMASandbox } from "../../../src/connectors/code/ECMASandbox.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import * as LambdaServer from "../../fixtures/LambdaServer.ts"
import { memoryVault } from "../../fixtures/MemoryVault.ts"
import { runComponent, type RunOptions } from "../harness.ts"

const run = (settings: Record<string, unknown>, options: RunOptions = {}) =>
  Candidate.as(runComponent(ServerlessCode, { settings, ...options }), Candidate.agent("a1"))

const vault = Layer.provide(
  Vault.layer,
  Layer.merge(
    memoryVault({ "team:ta": { key: "it's secret" } }),
    DummyAccount.layer({ data: { ta: { users: {}, agents: { a1: {} } } } })
  )
)

layer(Layer.merge(ECMASandbox.layer({ workers: 1 }), vault), { excludeTestServices: true })("ServerlessCode", (it) => {
  it.effect("text inputs that are JSON are what they say", () =>
    Effect.gen(function*() {
      const code = "async function main(a, b, c) { return [a, b, c] }"
      const { Output } = yield* run({ code }, { inputs: { a: "{\"x\":1}", b: "{{a}} is no JSON", c: 7 } })
      assert.deepStrictEqual(Output, [{ x: 1 }, "{{a}} is no JSON", 7])
    }))

  it.effect("runs code in two parts as older documents have it", () =>
    Effect.gen(function*() {
      const settings = { code_imports: "const base = 40", code_body: "return base + n" }
      assert.deepStrictEqual(yield* run(settings, { inputs: { n: "2", "not a name": "x" } }), { Output: 42 })
    }))

  it.effect("vault keys are values of the run and no part of the code", () =>
    Effect.gen(function*() {
      const code = "async function main(v) { return [{{KEY(key)}}, \"{{ KEY(key) }}\", v] }"
      const { Output } = yield* run({ code }, { inputs: { v: "{{KEY(key)}}" } })
      assert.deepStrictEqual(Output, ["it's secret", "it's secret", "{{KEY(key)}}"])
      assert.include(
        (yield* Effect.flip(run({ code: "async function main() { return {{KEY(none)}} }" }))).message,
        "none"
      )
    }))

  it.effect("keys of one's own are asked for, and for a connector that knows them", () =>
    Effect.gen(function*() {
      const code = "async function main() { return 1 }"
      assert.include((yield* Effect.flip(run({ code, use_own_keys: "true" }))).message, "accessKeyId")
      const own = {
        code,
        use_own_keys: true,
        accessKeyId: "{{KEY(key)}}",
        secretAccessKey: "{{KEY(key)}}",
        region: "eu-west-1"
      }
      const { message } = yield* Effect.flip(run(own))
      assert.include(message, "AWSLambda")
      assert.notInclude(message, "secret")
    }))

  it.scoped("an account of one's own is the vendor's business, with its region and its role", () =>
    Effect.gen(function*() {
      const server = yield* LambdaServer.make
      const { accessKeyId, secretAccessKey } = LambdaServer.others
      const secrets = memoryVault({ "agent:a1": { id: accessKeyId, secret: secretAccessKey } })
      const lambda = AWSLambda.layer({ region: "eu-central-1", endpoint: server.url, ...LambdaServer.credentials })
      const own = {
        code: "async function main(n) { return n + 1 }",
        use_own_keys: true,
        accessKeyId: "{{KEY(id)}}",
        secretAccessKey: "{{KEY(secret)}}",
        region: "eu-west-1"
      }
      const runs = (settings: Record<string, unknown>) =>
        run(settings, { inputs: { n: 1 } }).pipe(
          Effect.provide(Layer.merge(lambda, Layer.provide(Vault.layer, secrets)))
        )
      assert.include((yield* Effect.flip(runs(own))).message, "role")
      assert.deepStrictEqual(yield* runs({ ...own, role: "arn:aws:iam::123456789012:role/code" }), { Output: 2 })
      assert.deepStrictEqual(Array.from(server.functions.values(), ({ account }) => account), ["AKIAOTHER"])
      assert.deepStrictEqual(Array.from(server.regions()), ["eu-west-1"])
    }))

  it.effect("what keeps code from running is told when the document is loaded, with its place in the part it is in", () =>
    Effect.sync(() => {
      const told = (settings: Record<string, string>, inputs: ReadonlyArray<string> = []) =>
        ServerlessCode.check(
          { code: "", code_imports: "", code_body: "", ...settings } as never,
          { inputs: inputs.map((name) => ({ name })) } as never
        )
      const [whole] = told({ code: "async function main() {\n return {{KEY(a)}} +\n}" })
      assert.strictEqual(whole?.setting, "code")
      assert.include(whole?.problem, "(line 3, column 1)")
      const [imports] = told({ code_imports: "const a = 1\nconst = 2", code_body: "return a" })
      assert.strictEqual(imports?.setting, "code_imports")
      assert.include(imports?.problem, "(line 2, column 7)")
      const [body] = told({ code_imports: "const a = 1\n", code_body: "let n = 1\n  let v" }, ["v"])
      assert.deepInclude(body, { setting: "code_body" })
      assert.include(body?.problem, "(line 2, column 7)")
      const [open] = told({ code_body: "if (true) {" })
      assert.include(open?.problem, "(line 1,")
      assert.deepStrictEqual(told({ code_imports: "const a = '{{KEY(x)}}'", code_body: "return a + v" }, ["v"]), [])
    }))

  it.effect("no code is told of at load, and fails the run", () =>
    Effect.gen(function*() {
      assert.lengthOf(ServerlessCode.check({ code: "", code_body: "" } as never, {} as never), 1)
      assert.isUndefined((yield* run({ code_body: " " })).Output)
      assert.include((yield* Effect.flip(run({ code: "1" }))).message, "async function main")
    }))
})
