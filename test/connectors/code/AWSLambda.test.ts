import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FastCheck as fc, Layer, Logger, Redacted } from "effect"
import { AWSLambda } from "../../../src/connectors/code/AWSLambda.ts"
import { zip } from "../../../src/connectors/code/Zip.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Code, CodeConnector, type Request } from "../../../src/subsystems/compute/Code.ts"
import * as code from "../../../src/testing/conformance/code.ts"
import * as faults from "../../conformance/faults.ts"
import * as FaultProxy from "../../fixtures/FaultProxy.ts"
import * as LambdaServer from "../../fixtures/LambdaServer.ts"
import { unzip } from "../../fixtures/Unzip.ts"

const role = "arn:aws:iam::123456789012:role/code"
const settings = (endpoint: string) => ({ region: "eu-central-1", endpoint, role, ...LambdaServer.credentials })

const run = (request: Request, agent = "a1") =>
  Candidate.as(Effect.flatMap(Code, (service) => service.run(request)), Candidate.agent(agent))
const answer = (n: number) => ({ code: `async function main() { return ${n} }`, name: "C1" })

describe("AWSLambda", () => {
  it.scopedLive("deploys code once, again when it is another, and what was removed by others", () =>
    Effect.gen(function*() {
      const server = yield* LambdaServer.make
      const since = (count: number) => server.operations().slice(count).filter((one) => one !== "GetFunction")
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* run(answer(1))).output, 1)
        assert.deepStrictEqual(since(0), ["CreateFunction", "Invoke"])
        assert.strictEqual((yield* run(answer(1))).output, 1)
        assert.deepStrictEqual(server.operations().slice(-2), ["Invoke", "Invoke"])
        const updated = server.operations().length
        assert.strictEqual((yield* run(answer(2))).output, 2)
        assert.deepStrictEqual(since(updated), ["UpdateFunctionCode", "Invoke"])
        server.clear()
        const recreated = server.operations().length
        assert.strictEqual((yield* run(answer(2))).output, 2)
        assert.deepStrictEqual(since(recreated), ["Invoke", "CreateFunction", "Invoke"])
      }).pipe(Effect.provide(AWSLambda.layer(settings(server.url))))
      // Another process finds it there as it is.
      const found = server.operations().length
      yield* Effect.provide(run(answer(2)), AWSLambda.layer(settings(server.url)))
      assert.deepStrictEqual(server.operations().slice(found), ["GetFunction", "Invoke"])
    }))

  it.scopedLive("owners and names have functions of their own, which tell neither", () =>
    Effect.gen(function*() {
      const server = yield* LambdaServer.make
      yield* Effect.gen(function*() {
        yield* Effect.forEach(["a1", "a2", "a3"], (agent) => run(answer(1), agent), { concurrency: "unbounded" })
        yield* run({ ...answer(1), name: "C2" })
        assert.strictEqual(server.functions.size, 4)
        const deployments = Effect.flatMap(Code, (service) => service.deployments)
        const own = yield* Candidate.as(deployments, Candidate.agent("a1"))
        assert.deepStrictEqual(own.map(({ name }) => name).sort(), ["C1", "C2"])
        for (const name of server.functions.keys()) assert.match(name, /^sre-[0-9a-f]{24}-[0-9a-f]{24}$/)
      }).pipe(Effect.provide(AWSLambda.layer(settings(server.url))))
    }))

  it.scopedLive("secrets are in no function, and another value is seen at once", () =>
    Effect.gen(function*() {
      const server = yield* LambdaServer.make
      const secret = (key: string) =>
        run({ code: "const k = secrets.key\nasync function main() { return k }", secrets: { key: Redacted.make(key) } })
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* secret("one")).output, "one")
        assert.strictEqual((yield* secret("two")).output, "two")
      }).pipe(Effect.provide(AWSLambda.layer(settings(server.url))))
      assert.notInclude(JSON.stringify(Array.from(server.functions.values())), "\"one\"")
    }))

  it.scopedLive("an account of one's own is used with its own role; wrong keys and a missing role are told", () =>
    Effect.gen(function*() {
      const server = yield* LambdaServer.make
      const account = {
        accessKeyId: Redacted.make(LambdaServer.others.accessKeyId),
        secretAccessKey: Redacted.make(LambdaServer.others.secretAccessKey)
      }
      yield* Effect.gen(function*() {
        assert.include((yield* Effect.flip(run({ ...answer(1), account }))).message, "role")
        assert.strictEqual((yield* run({ ...answer(1), account: { ...account, role } })).output, 1)
        assert.deepStrictEqual(Array.from(server.functions.values(), ({ account }) => account), ["AKIAOTHER"])
        const wrong = { ...account, secretAccessKey: Redacted.make("wrong-secret") }
        const error = yield* Effect.flip(run({ ...answer(2), account: { ...wrong, role } }))
        assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unauthorized" })
        assert.notInclude(JSON.stringify(error), "wrong-secret")
      }).pipe(Effect.provide(AWSLambda.layer(settings(server.url))))
    }))

  it.scopedLive("what AWS says of an account is told to its owner, and that is not every caller", () =>
    Effect.gen(function*() {
      const server = yield* LambdaServer.make
      const broken = "arn:aws:iam::123456789012:nonsense"
      const said: Array<string> = []
      const logger = Logger.add(Logger.make(({ message }) => void said.push(String(message))))
      const account = {
        accessKeyId: Redacted.make(LambdaServer.others.accessKeyId),
        secretAccessKey: Redacted.make(LambdaServer.others.secretAccessKey),
        role: broken
      }
      const [operators, own] = yield* Effect.all([
        Effect.flip(run(answer(1))),
        Effect.flip(run({ ...answer(1), account }))
      ])
        .pipe(Effect.provide(Layer.merge(AWSLambda.layer({ ...settings(server.url), role: broken }), logger)))
      assert.include(operators.message, "InvalidParameterValueException")
      assert.notMatch(JSON.stringify(operators), /arn:|123456789012/)
      assert.isTrue(said.some((line) => line.includes(broken)))
      assert.include(own.message, broken)
    }))

  it.scopedLive(
    "a function that ends, runs out of memory or of AWS's time is a typed failure",
    () =>
      Effect.gen(function*() {
        const server = yield* LambdaServer.make
        yield* Effect.gen(function*() {
          const fails = (body: string) =>
            Effect.flip(run({ code: `async function main() { ${body} }`, limits: { timeout: Duration.seconds(60) } }))
          assert.deepInclude(yield* fails("process.exit(3)"), { _tag: "CodeFailed" })
          assert.deepInclude(yield* fails("const a = []; for (;;) a.push(new Array(100000).fill(1.5))"), {
            limit: "memory"
          })
          assert.deepInclude(yield* fails("for (;;);"), { limit: "timeout" })
        }).pipe(
          Effect.provide(AWSLambda.layer({ ...settings(server.url), timeoutSeconds: 5, memoryMebibytes: 128 }))
        )
      }),
    60_000
  )

  it.scopedLive(
    "what was lost on the way is neither run nor deployed again, and the next call finds it as it is",
    () =>
      Effect.gen(function*() {
        const server = yield* LambdaServer.make
        const proxy = yield* FaultProxy.make(server.port)
        const count = (operation: string) => server.operations().filter((one) => one === operation).length
        const unavailable = { _tag: "ConnectorError", reason: "Unavailable" } as const
        yield* Effect.gen(function*() {
          const lost = [
            ["CreateFunction", "POST /2015-03-31/functions", 1],
            ["UpdateFunctionCode", "PUT /2015-03-31/functions", 2]
          ] as const
          for (const [operation, onceSent, n] of lost) {
            yield* proxy.set({ cutAfterBytes: 0, onceSent })
            assert.deepInclude(yield* Effect.flip(run(answer(n))), unavailable)
            assert.strictEqual((yield* run(answer(n))).output, n)
            assert.strictEqual(count(operation), 1)
          }
          const long = { code: "async function main() { return 'x'.repeat(500) }", name: "C1" }
          assert.lengthOf(String((yield* run(long)).output), 500)
          for (const cutAfterBytes of [0, 1, 40, 300, 600]) {
            const before = count("Invoke")
            yield* proxy.set({ cutAfterBytes, onceSent: "/invocations" })
            assert.deepInclude(yield* Effect.flip(run(long)), unavailable, `after ${cutAfterBytes} bytes`)
            assert.strictEqual(count("Invoke"), before + 1)
          }
          assert.strictEqual((yield* run(answer(2))).output, 2)
          const before = count("Invoke")
          yield* proxy.set("refuse")
          assert.deepInclude(yield* Effect.flip(run(answer(2))), unavailable)
          yield* proxy.set({ stall: Infinity })
          const late = yield* Effect.flip(run({ ...answer(2), limits: { timeout: Duration.millis(400) } }))
          assert.deepInclude(late, { _tag: "CodeLimitExceeded", limit: "timeout" })
          assert.strictEqual(count("Invoke"), before + 1)
          yield* proxy.set("pass")
          assert.strictEqual((yield* run(answer(2))).output, 2)
        }).pipe(Effect.provide(AWSLambda.layer({ ...settings(`http://127.0.0.1:${proxy.port}`), timeout: 1000 })))
      }),
    30_000
  )

  it("archives are the same for the same files, and hold what was put in", () => {
    const names = fc.stringMatching(/^[\w.-]{1,20}$/)
    // An object of its own could not hold a file called `__proto__`.
    const files = fc.array(fc.tuple(names, fc.fullUnicodeString({ maxLength: 3000 })))
    fc.assert(
      fc.property(files, (entries) => {
        const given = Object.fromEntries(entries)
        assert.deepStrictEqual(unzip(zip(given)), given)
        assert.deepStrictEqual(zip(given), zip(given))
      }),
      { numRuns: 50 }
    )
  })
})

code.suite(
  "AWSLambda",
  Layer.unwrapScoped(Effect.map(LambdaServer.make, ({ url }) => AWSLambda.contract(settings(url)))),
  { limits: false, deploys: true }
)

faults.suite("AWSLambda", {
  server: LambdaServer.make.pipe(
    Effect.tap(({ url }) => Effect.orDie(Effect.provide(run(answer(1)), AWSLambda.layer(settings(url))))),
    Effect.map(({ port }) => port)
  ),
  connector: ({ port, timeoutMillis }) =>
    AWSLambda.contract({ ...settings(`http://127.0.0.1:${port}`), timeout: timeoutMillis }),
  read: Effect.flatMap(CodeConnector, (code) => code.deployments(Candidate.agent("a1")))
})
