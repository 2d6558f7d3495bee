import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Stream } from "effect"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import { Agents } from "../../../src/agents/Agents.ts"
import * as Configuration from "../../../src/boot/Configuration.ts"
import * as Sre from "../../../src/boot/Sre.ts"
import { NullAgentData } from "../../../src/connectors/agentdata/NullAgentData.ts"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import { ConsoleLog } from "../../../src/connectors/log/ConsoleLog.ts"
import { RAMNKV } from "../../../src/connectors/nkv/RAMNKV.ts"
import { NullRouter } from "../../../src/connectors/router/NullRouter.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { OTel, OTelLive } from "../../../src/connectors/telemetry/OTel.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import { isTraced } from "../../../src/kernel/Trace.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Telemetry } from "../../../src/subsystems/io/Telemetry.ts"
import { LLM } from "../../../src/subsystems/llm/LLM.ts"
import { suite } from "../../../src/testing/conformance/telemetry.ts"
import * as TestLLM from "../../../src/testing/TestLLM.ts"
import { agentDocument, endpoint } from "../../agents/documents.ts"
import * as FaultProxy from "../../fixtures/FaultProxy.ts"
import * as OtlpSink from "../../fixtures/OtlpSink.ts"
import { perFile } from "../../fixtures/PerFile.ts"

const usage = { inputTokens: 100, outputTokens: 20, cacheReadTokens: 7, cacheWriteTokens: 3, reasoningTokens: 0 }

const system = (telemetry: Layer.Layer<Telemetry, unknown>, turns: ReadonlyArray<TestLLM.Turn>) =>
  Sre.layer({
    telemetry,
    log: ConsoleLog.layer({ level: "error" }),
    storage: MemoryStorage.layer({}),
    cache: RAMCache.layer({}),
    nkv: RAMNKV.layer({}),
    vault: NullVault.layer({}),
    agentData: NullAgentData.layer({}),
    router: NullRouter.layer({}),
    llm: TestLLM.layer(turns)
  })

/** One conversation with an agent, on a system that is closed at its end. */
const converse = (
  telemetry: Layer.Layer<Telemetry, unknown>,
  turns: ReadonlyArray<TestLLM.Turn> = [{ text: "the s3cret answer", usage }]
) =>
  Effect.gen(function*() {
    const agents = yield* Agents
    const document = agentDocument({ E: endpoint() }, [], {
      id: "a1",
      behavior: "Be brief.",
      defaultModel: "gpt-4o-mini"
    })
    yield* agents.load(yield* AgentDefinition.fromUnknown(document))
    return yield* Stream.runCollect(agents.prompt("a1", { message: "the s3cret question" }))
  }).pipe(Candidate.as(Candidate.agent("a1")), Effect.provide(system(telemetry, turns)))

/** Spans and their sink, with a network in between. */
const exporting = (settings: Parameters<typeof OTel.layer>[0] = {}, answer?: Parameters<typeof OtlpSink.make>[0]) =>
  Effect.gen(function*() {
    const sink = yield* OtlpSink.make(answer)
    const proxy = yield* FaultProxy.make(sink.port)
    const endpoint = `http://127.0.0.1:${proxy.port}`
    const layer = OTel.layer({ endpoint, signals: ["traces"], exportInterval: 30, timeout: 300, ...settings })
    const context = yield* Layer.build(layer)
    const names = () => new Set(sink.spans().map(({ name }) => name))
    return {
      sink,
      proxy,
      names,
      span: (name: string, attributes = {}) =>
        Effect.provide(Effect.withSpan(Effect.void, name, { attributes }), context),
      arrived: (...expected: ReadonlyArray<string>) =>
        Effect.repeat(Effect.sleep("20 millis"), { until: () => expected.every((name) => names().has(name)) })
    }
  })

describe("OTel on a network that fails", () => {
  it.scopedLive(
    "nobody waits for a collector, and what it missed it gets when it is back",
    () =>
      Effect.gen(function*() {
        const { arrived, proxy, span } = yield* exporting()
        const faults = ["refuse", { stall: Infinity }, { cutAfterBytes: 0 }, { cutAfterBytes: 20 }, {
          dripMillis: 1
        }] as const
        for (const [n, fault] of faults.entries()) {
          yield* proxy.set(fault)
          for (const part of ["a", "b"]) {
            yield* Effect.timeout(span(`${n}${part}`), "1 second")
            yield* Effect.sleep("100 millis")
          }
          // Longer than a try takes.
          yield* Effect.sleep("400 millis")
          yield* proxy.set("pass")
          yield* arrived(`${n}a`, `${n}b`)
        }
      }),
    30_000
  )

  it.scopedLive("a collector that is busy is asked again; of what it refuses for good the next is not held up", () =>
    Effect.gen(function*() {
      const statuses = [503, 429, 400]
      const { arrived, sink, span } = yield* exporting({}, () => ({ status: statuses.shift() ?? 200, body: {} }))
      yield* span("refused")
      yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => sink.requests.length >= 3 })
      yield* span("next")
      yield* arrived("next")
      const [first, second, third, fourth] = sink.requests.map(({ body }) => body)
      assert.deepStrictEqual([second, third], [first, first])
      assert.include(fourth, "\"next\"")
      assert.notInclude(fourth, "\"refused\"")
    }))

  it.scopedLive("what waits is bounded: the oldest is lost", () =>
    Effect.gen(function*() {
      const { arrived, names, proxy, span } = yield* exporting({ maxQueueBytes: 20_000 })
      yield* proxy.set("refuse")
      for (let n = 0; n < 10; n++) {
        yield* span(`span-${n}`, { text: "x".repeat(4000) })
        yield* Effect.sleep("60 millis")
      }
      yield* proxy.set("pass")
      yield* arrived("span-9")
      assert.isFalse(names().has("span-0"))
      assert.isAtMost(names().size, 5)
    }))

  it.scopedLive("shutdown sends what is left, and waits for nobody who says nothing", () =>
    Effect.gen(function*() {
      const sink = yield* OtlpSink.make()
      const proxy = yield* FaultProxy.make(sink.port)
      const telemetry = OTel.layer({ endpoint: `http://127.0.0.1:${proxy.port}`, timeout: 300 })
      const last = (name: string) =>
        Effect.provide(Effect.withSpan(Effect.void, name), telemetry).pipe(Effect.timeout("5 seconds"))
      yield* last("in time")
      assert.include(sink.spans().map(({ name }) => name), "in time")
      for (const fault of [{ stall: Infinity }, "refuse"] as const) {
        yield* proxy.set(fault)
        yield* last("lost")
      }
    }))
})

describe("OTel", () => {
  it.scopedLive("an agent's call of a model is a span with what the conventions ask for, below that of the agent", () =>
    Effect.gen(function*() {
      const sink = yield* OtlpSink.make()
      yield* converse(OTel.layer({ endpoint: `${sink.url}/`, headers: { "x-key": "abc" }, serviceName: "tested" }))
      const span = sink.spans().find(({ name }) => name === "chat gpt-4o-mini")!
      assert.strictEqual(span.kind, 3)
      assert.deepInclude(span.attributes, {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 110,
        "gen_ai.usage.output_tokens": 20
      })
      assert.include(JSON.stringify(span.attributes["gen_ai.response.finish_reasons"]), "\"stop\"")
      const ids = new Set(sink.spans().filter(({ traceId }) => traceId === span.traceId).map(({ spanId }) => spanId))
      assert.isAbove(ids.size, 1)
      assert.isTrue(ids.has(span.parentSpanId ?? ""))
      const [request] = sink.requests
      assert.deepInclude(request?.headers, { "x-key": "abc", "content-type": "application/json" })
      assert.include(request?.body, "\"tested\"")
    }))

  it.scopedLive("tokens and durations are measured", () =>
    Effect.gen(function*() {
      const sink = yield* OtlpSink.make()
      yield* converse(OTel.layer({ endpoint: sink.url }))
      const of = (name: string) => sink.metrics().findLast((metric) => metric.name === name)!
      const tags = { "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai" }
      const tokens = (type: string) =>
        of("gen_ai.client.token.usage").points.find(({ attributes }) => attributes["gen_ai.token.type"] === type)!
      assert.deepInclude(tokens("input").attributes, { ...tags, "gen_ai.request.model": "gpt-4o-mini" })
      // Metrics are of the process: other calls in this file are counted as well.
      assert.strictEqual(tokens("input").sum / tokens("input").count, 110)
      assert.strictEqual(tokens("output").sum / tokens("output").count, 20)
      assert.deepEqual(tokens("input").explicitBounds.slice(0, 4), [1, 4, 16, 64])
      assert.strictEqual(of("gen_ai.client.token.usage").unit, "{token}")
      const [duration] = of("gen_ai.client.operation.duration").points
      assert.deepInclude(duration?.attributes, tags)
      assert.strictEqual(of("gen_ai.client.operation.duration").unit, "s")
    }))

  it.scopedLive("a call that fails says why", () =>
    Effect.gen(function*() {
      const sink = yield* OtlpSink.make()
      const refused = new ConnectorError({ connector: "OpenAI", method: "stream", reason: "Unauthorized" })
      yield* Effect.exit(converse(OTel.layer({ endpoint: sink.url }), [refused]))
      const span = sink.spans().find(({ name }) => name === "chat gpt-4o-mini")!
      assert.strictEqual(span.attributes["error.type"], "Unauthorized")
      assert.strictEqual(span.status.code, 2)
      const failed = sink.metrics().filter(({ name }) => name === "gen_ai.client.operation.duration")
        .flatMap(({ points }) => points).filter(({ attributes }) => attributes["error.type"] === "Unauthorized")
      assert.isAbove(failed.length, 0)
    }))

  it.scopedLive("what people and models say stays here, unless the operator asks for it", () =>
    Effect.gen(function*() {
      const quiet = yield* OtlpSink.make()
      yield* converse(OTel.layer({ endpoint: quiet.url }))
      assert.isAbove(quiet.spans().length, 0)
      assert.notInclude(quiet.requests.map(({ body }) => body).join(), "s3cret")
      const open = yield* OtlpSink.make()
      yield* converse(OTel.layer({ endpoint: open.url, contents: true }))
      const { attributes } = open.spans().find(({ name }) => name === "chat gpt-4o-mini")!
      assert.include(String(attributes["gen_ai.input.messages"]), "the s3cret question")
      assert.include(String(attributes["gen_ai.output.messages"]), "the s3cret answer")
    }))

  it.scopedLive("log lines of the system go along, and only the signals that are asked for", () =>
    Effect.gen(function*() {
      const sink = yield* OtlpSink.make()
      const telemetry = OTel.layer({ endpoint: sink.url, signals: ["logs"] })
      yield* Effect.provide(Effect.logWarning("disk almost full"), system(telemetry, []))
      assert.deepInclude(sink.logs().map(({ body }) => body), "disk almost full")
      assert.deepStrictEqual(Array.from(new Set(sink.requests.map(({ url }) => url))), ["/v1/logs"])
    }))

  it.scopedLive("a collector that is not there harms nobody", () =>
    Effect.gen(function*() {
      const answer = yield* converse(OTel.layer({ endpoint: "http://127.0.0.1:1", timeout: 100 }))
      assert.include(JSON.stringify(answer), "answer")
    }))

  it.scopedLive("without a connector nobody is traced", () =>
    Effect.gen(function*() {
      const seen = yield* Effect.provide(
        Effect.zip(isTraced, Telemetry),
        Sre.layer({
          storage: MemoryStorage.layer({}),
          nkv: RAMNKV.layer({}),
          vault: NullVault.layer({}),
          llm: TestLLM.layer([])
        })
      )
      assert.deepStrictEqual(seen, [false, { metrics: false, contents: false }])
    }))

  it.scopedLive("is chosen by a configuration, and by the variables its documentation names", () =>
    Effect.gen(function*() {
      const sink = yield* OtlpSink.make()
      const config = {
        Telemetry: { Connector: "OTel", Settings: { endpoint: sink.url } },
        Storage: { Connector: "Memory" },
        NKV: { Connector: "RAM" },
        Vault: { Connector: "NullVault" }
      }
      yield* Effect.provide(
        Candidate.as(
          Effect.flatMap(LLM, (llm) => llm.generate({ model: "Echo", messages: [] })),
          Candidate.agent("a1")
        ),
        Configuration.layerFromConfig(config)
      )
      assert.isAbove(sink.spans().length, 0)
      const variables = ConfigProvider.fromMap(
        new Map([
          ["OTEL_EXPORTER_OTLP_ENDPOINT", `${sink.url}/`],
          ["OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc, x=1"]
        ])
      )
      yield* Effect.scoped(
        Effect.flatMap(
          Layer.build(Layer.provide(OTelLive, Layer.setConfigProvider(variables))),
          (context) => Effect.as(Effect.withSpan(Effect.void, "mine"), Context.get(context, Telemetry))
        )
      )
      assert.deepInclude(sink.requests.at(-1)?.headers, { authorization: "Bearer abc", x: "1" })
    }))
})

const collector = perFile(OtlpSink.make())

suite("OTel", {
  connector: Layer.unwrapEffect(
    Effect.map(collector, ({ url }) => OTel.contract({ endpoint: url, exportInterval: 30 }))
  ),
  sent: Effect.map(collector, (sink) => ({
    spans: sink.spans().map(({ name }) => name),
    lines: sink.logs().map(({ body }) => body)
  }))
})
