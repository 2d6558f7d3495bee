/**
 * What goes wrong between a caller, an agent and the world, on one whole system over real HTTP: each time the caller is told
 * what it was, the run ends, and the next one is answered.
 */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import * as Sre from "../../src/boot/Sre.ts"
import * as Component from "../../src/components/Component.ts"
import { OpenAILLM } from "../../src/connectors/llm/OpenAILLM.ts"
import { JSONModels } from "../../src/connectors/models/JSONModels.ts"
import { RAMNKV } from "../../src/connectors/nkv/RAMNKV.ts"
import { NodeRouter } from "../../src/connectors/router/NodeRouter.ts"
import { MemoryStorage } from "../../src/connectors/storage/MemoryStorage.ts"
import { NullVault } from "../../src/connectors/vault/NullVault.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as Server from "../../src/server/Server.ts"
import { Router } from "../../src/subsystems/io/Router.ts"
import * as LLM from "../../src/subsystems/llm/LLM.ts"
import { agentDocument, Crash, endpoint, Pass } from "../agents/documents.ts"
import * as OpenAIServer from "../fixtures/OpenAIServer.ts"
import { frames, post, type Reply, send } from "./serving.ts"

const Dies = Component.make("Dies", {
  description: "Dies while it works.",
  category: "data",
  openInputs: true,
  run: () => Effect.zipRight(Effect.yieldNow(), Effect.die(new Error("a bug")))
})

const entry = (name: string, ...inputs: ReadonlyArray<string>) => ({
  ...endpoint(...inputs),
  data: { endpoint: name, method: "POST", description: name, ai_exposed: true }
})

/** Endpoints that lead to one component each, and one that leads into a cycle. */
const document = (() => {
  const parts = {
    good: { name: "Pass", in: ["v"] },
    crash: { name: "Crash", in: ["v"] },
    die: { name: "Dies", in: ["v"] },
    sleep: { name: "FSleep", in: ["Input"], data: { delay: 3600 } },
    store: { name: "FileStore", in: ["Data"] },
    filter: { name: "JSONFilter", in: ["Input"], data: { fields: "a" } },
    loopback: { name: "APICall", in: ["v"], data: { url: "http://127.0.0.1:{{v}}/secret-path" } },
    metadata: { name: "APICall", in: ["v"], data: { url: "http://169.254.169.254/{{v}}" } },
    nowhere: { name: "APICall", in: ["v"], data: { url: "{{v}}" } },
    ...Object.fromEntries(
      ["dead", "page", "cut", "short", "silent", "empty", "unheard"].map((model) => [
        model,
        { name: "GenAILLM", in: ["Input"], data: { model, prompt: "{{Input}}" } }
      ])
    )
  }
  return agentDocument(
    {
      ...Object.fromEntries(
        Object.entries(parts).flatMap(([name, part]) => [[`E_${name}`, entry(name, "x")], [`C_${name}`, part]])
      ),
      E_number: { ...entry("number"), in: [{ name: "x", type: "Number" }], out: ["body"] },
      E_cycle: entry("cycle", "x"),
      A: { name: "Pass", in: ["v"] },
      B: { name: "Pass", in: ["v"] }
    },
    [
      ...Object.entries(parts).map(([name, part]) => `E_${name}.x -> C_${name}.${part.in[0]}`),
      "E_cycle.x -> A.v",
      "A.v -> B.v",
      "B.v -> A.v"
    ],
    { behavior: "Be brief.", defaultModel: "fine" }
  )
})()

/** How servers of models misbehave, by the name of the model. */
const misbehaving: Readonly<Record<string, ReadonlyArray<OpenAIServer.Turn>>> = {
  fine: ["Hello"],
  page: [{ body: "<html>It works!</html>", headers: { "content-type": "text/html" } }],
  cut: [{ text: "one two three", finish: null, done: false, then: "cut" }],
  short: [{ text: "one two three", finish: null, done: false, then: "end" }],
  silent: [{ text: "one two three", finish: null, done: false, then: "silence" }],
  empty: [{ text: "" }],
  broken: [{ toolCalls: [{ name: "good", arguments: "[x, oops" }, { name: "god", arguments: {} }] }, "I am sorry"],
  insisting: [{ toolCalls: [{ name: "crash", arguments: { x: "1" } }] }, "It crashed"]
}

class System extends Context.Tag("System")<System, {
  readonly url: string
  readonly running: Effect.Effect<number>
}>() {}

const local = Candidate.as(Candidate.user("local"))

const system = Layer.scoped(
  System,
  Effect.gen(function*() {
    const servers = yield* Effect.forEach(
      Object.entries(misbehaving),
      ([name, turns]) => Effect.map(OpenAIServer.make(...turns), ({ baseURL }) => [name, baseURL] as const)
    )
    const models = JSONModels.layer({
      models: Object.fromEntries(
        [...servers, ["dead", "http://127.0.0.1:1/v1"] as const].map(([name, baseURL]) => [
          name,
          { provider: "OpenAI", baseURL, credentials: "none", features: ["text", "tools"] }
        ])
      )
    })
    const vault = NullVault.layer({})
    const context = yield* Layer.build(Sre.layer({
      models,
      vault,
      nkv: RAMNKV.layer({}),
      storage: MemoryStorage.layer({ maxBytes: 10_000 }),
      router: NodeRouter.layer({ port: 0 }),
      llm: Layer.provide(LLM.layer, [
        LLM.providers([OpenAILLM.contract({ timeouts: { idle: 300 } })]),
        models,
        vault
      ])
    }, { components: [Pass, Crash, Dies], agents: { runTimeout: "4 seconds" } }))
    const agents = Context.get(context, Agents)
    yield* local(Effect.flatMap(AgentDefinition.fromUnknown(document), agents.load))
    yield* Effect.provide(Server.serve({ auth: "local", maxBodyBytes: 1_000_000 }), context)
    return {
      url: yield* Context.get(context, Router).baseUrl,
      running: Effect.map(Effect.orDie(local(agents.counts)), ({ running }) => running)
    }
  })
)

/** What the caller sends, the status of the answer, the name of the error, and what the answer says of it. */
type Case = readonly [ask: (url: string) => Effect.Effect<Reply>, status: number, error: string, says: RegExp]

const call = (name: string, body: unknown = { x: "1" }) => (url: string) => post(`${url}/agents/a1/api/${name}`, body)
const chat = (body: object, accept = "application/json") => (url: string) =>
  post(`${url}/agents/a1/chat`, { message: "Hi", ...body }, { accept })
const deep = (levels: number) => `{"x":${"[".repeat(levels)}${"]".repeat(levels)}}`

/** In the record of the component that failed. */
const inRecord = (name: string, says: RegExp, body?: unknown): Case => [call(name, body), 422, "_error", says]

const cases: Readonly<Record<string, Case>> = {
  "a body that is not JSON": [call("good", "{\"x\": 1,}"), 400, "MalformedRequest", /line 1, column 9/],
  "brackets without end": [call("good", "[".repeat(500_000)), 400, "MalformedRequest", /nested too deep/],
  "a body too large": [call("good", { x: "y".repeat(2_000_000) }), 413, "BodyTooLarge", /1000000 bytes/],
  "a body of another type": [
    (url) => send(`${url}/agents/a1/api/good`, { method: "POST", body: "x", headers: { "content-type": "text/csv" } }),
    415,
    "UnsupportedContentType",
    /application\/json/
  ],
  "an input left out": [call("good", {}), 400, "BadInput", /x: required Any is missing/],
  "an input of another type": [call("number", { x: "many" }), 400, "BadInput", /x: Invalid Number value/],
  "an endpoint that is none": [call("goo"), 404, "EndpointNotFound", /Did you mean "good"/],
  "an endpoint by another method": [
    (url) => send(`${url}/agents/a1/api/good?x=1`),
    405,
    "MethodNotAllowed",
    /only POST/
  ],
  "an agent that is none": [(url) => post(`${url}/agents/a2/api/good`, {}), 404, "AgentNotFound", /"a2"/],
  "a path that is none": [(url) => post(`${url}/agent`, {}), 404, "RouteNotFound", /openapi\.json/],
  "a setting of a chat that is none": [
    chat({ conversationID: "c1" }),
    400,
    "MalformedRequest",
    /conversationID: there is no such setting\. Did you mean "conversationId"\? Accepted: message, conversationId, /
  ],
  "no message": [chat({ message: "" }), 400, "MalformedRequest", /message/],
  "a model that is none": [chat({ model: "fin" }), 422, "ModelNotFound", /Did you mean "fine"/],
  "a model with an endless name": [chat({ model: "x".repeat(900_000) }), 422, "ModelNotFound", /Unknown model/],

  "a component that throws": inRecord("crash", /Crash crashed: bug/),
  "a component that dies": inRecord("die", /Dies crashed: a bug/),
  "a value too deep for a component": inRecord("filter", /JSONFilter crashed/, deep(100_000)),
  "a run that takes too long": [call("sleep"), 504, "RunTimedOut", /after 4s/],
  "a cycle that never ends": [call("cycle"), 422, "RoundsExceeded", /cycle through A went round 100 times/],
  "a storage that is full": inRecord("store", /Memory\.put: Full .*10000 bytes/, { x: "y".repeat(20_000) }),
  "an address the operator refuses": inRecord("loopback", /127\.0\.0\.1:8080 refused: .*loopback/, { x: "8080" }),
  "an address of the cloud": inRecord("metadata", /169\.254\.169\.254 refused: /),
  "an address that is none": inRecord("nowhere", /refused: it is not an absolute URL/, { x: "not a url" }),

  "a model's server that is dead": inRecord("dead", /OpenAI\.stream: Unavailable/),
  "one that is a web page": inRecord("page", /OpenAI\.stream: Protocol/),
  "one that breaks off": inRecord("cut", /OpenAI\.stream: (Unavailable|Protocol)/),
  "one that ends too early": inRecord("short", /OpenAI\.stream: (Unavailable|Protocol)/),
  "one that falls silent": inRecord("silent", /OpenAI\.stream: Timeout/),
  "one that says nothing": inRecord("empty", /The model gave an empty answer/),
  "one nobody entered": inRecord("unheard", /Unknown model "unheard"/),
  "a dead one in a conversation": [chat({ model: "dead" }), 503, "Unavailable", /not available/],
  "a broken one in a conversation": [chat({ model: "page" }), 503, "Unavailable", /not available/],
  "one that falls silent in a conversation": [chat({ model: "silent" }), 504, "Timeout", /did not answer in time/],
  "a conversation there is no room for": [
    chat({ conversationId: "c1", message: "y".repeat(20_000) }, "text/event-stream"),
    200,
    "Unavailable",
    /A service this request needs/
  ],
  "one that breaks off in mid-stream": [
    chat({ model: "cut" }, "text/event-stream"),
    200,
    "Unavailable",
    /A service this request needs/
  ],
  "one that falls silent in mid-stream": [
    chat({ model: "silent" }, "text/event-stream"),
    200,
    "Timeout",
    /did not answer in time/
  ],
  "arguments of a tool that are broken": [
    chat({ model: "broken" }, "text/event-stream"),
    200,
    "toolResult",
    /arguments must be one JSON object.* x.*There is no tool \\"god\\".*Did you mean \\"good\\".*I am sorry/s
  ],
  "a tool that crashes": [
    chat({ model: "insisting" }, "text/event-stream"),
    200,
    "toolResult",
    /Crash crashed: bug.*"isFailure":true.*It crashed/s
  ]
}

/** The name and the words of what went wrong, wherever the answer has them. */
const told = ({ json, text }: Reply): { readonly error: string; readonly says: string } => {
  if (json === undefined) {
    const last = frames(text).at(-1)
    return last?.event === "error"
      ? { error: last.data.error, says: last.data.message }
      : { error: frames(text).find(({ event }) => event === "toolResult")?.event ?? "none", says: text }
  }
  return typeof json.error === "string"
    ? { error: json.error, says: json.message }
    : { error: "_error" in (json.result ?? {}) ? "_error" : "none", says: String(json.result?._error) }
}

layer(system, { excludeTestServices: true, timeout: "30 seconds" })("a whole system survives", (it) => {
  for (const [name, [ask, status, error, says]] of Object.entries(cases)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { running, url } = yield* System
        const reply = yield* ask(url)
        assert.deepStrictEqual([reply.status, told(reply).error], [status, error], reply.text.slice(0, 500))
        assert.match(told(reply).says, says)
        assert.notMatch(reply.text, /node_modules|\.ts:\d|secret-path/)
        assert.strictEqual(yield* running, 0)
        assert.deepInclude((yield* call("good")(url)).json, { id: "C_good", result: { v: "1", out: "1" } })
        assert.deepStrictEqual((yield* chat({})(url)).json, { text: "Hello" })
      }))
  }
})
