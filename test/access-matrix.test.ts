/**
 * Every method of every service, taken from the services themselves: without a candidate it refuses before anything else;
 * for another tenant it gives nothing away and changes nothing. A new method is covered by being there.
 */
import { assert, describe, layer } from "@effect/vitest"
import { Cause, Chunk, Context, Effect, Exit, Option, Redacted, Schema, Stream } from "effect"
import * as AgentDefinition from "../src/agents/AgentDefinition.ts"
import * as Agents from "../src/agents/Agents.ts"
import { AgentCalls } from "../src/components/AgentCalls.ts"
import { dependents, foundations, subsystems } from "../src/connectors/registry.ts"
import * as Candidate from "../src/security/Candidate.ts"
import { Vault } from "../src/security/Vault.ts"
import { NKV } from "../src/subsystems/io/NKV.ts"
import { OAuthTokens } from "../src/subsystems/io/OAuthTokens.ts"
import { Storage } from "../src/subsystems/io/Storage.ts"
import { VectorDB } from "../src/subsystems/io/VectorDB.ts"
import { Embeddings } from "../src/subsystems/llm/Embeddings.ts"
import { Images } from "../src/subsystems/llm/Images.ts"
import { LLM } from "../src/subsystems/llm/LLM.ts"
import { Models } from "../src/subsystems/llm/Models.ts"
import { Speech } from "../src/subsystems/llm/Speech.ts"
import { Usage } from "../src/subsystems/llm/Usage.ts"
import { Cache } from "../src/subsystems/memory/Cache.ts"
import { LLMContext } from "../src/subsystems/memory/LLMContext.ts"
import { RuntimeContext } from "../src/subsystems/memory/RuntimeContext.ts"
import { agentDocument, endpoint } from "./agents/documents.ts"
import * as System from "./fixtures/System.ts"

const tags: ReadonlyArray<Context.Tag<never, object>> = [
  // Telemetry is the host's own, and has no methods.
  ...Object.values(foundations).filter(({ name }) => name !== "Telemetry").map(({ tag }) => tag),
  // These are the host's own: never handed to an agent, they ask nobody who they are.
  ...Object.values(subsystems).filter(({ name }) => !["BudgetStore", "RateLimitStore", "Router"].includes(name))
    .map(({ tag }) => tag),
  ...Object.values(dependents).map(({ tag }) => tag),
  Embeddings,
  Images,
  LLM,
  LLMContext,
  OAuthTokens,
  RuntimeContext,
  Speech,
  // What everybody uses (UsageFeed) is for the host.
  Usage,
  AgentCalls,
  Agents.Agents
] as never

/** How a caller becomes a candidate cannot ask for one. */
const open = new Set(["Account.authenticate"])

const marker = "SECRET-OF-TENANT-A"
const uri = "smythfs://a.user/thing"
const tenantA = Candidate.user("a")
const tenantB = Candidate.user("b")

const format = { schema: Schema.Unknown, version: 1 }
const definition = agentDocument({ E: endpoint() }, [], { id: "agentA", behavior: marker, defaultModel: "Echo" })

/** Arguments that mean something to at least one method; the first that fit are enough, all are tried. */
const calls: ReadonlyArray<ReadonlyArray<unknown>> = [
  [uri],
  [uri, new TextEncoder().encode("overwritten")],
  [uri, "overwritten"],
  [uri, "thing", "overwritten"],
  [uri, Schema.Unknown, "overwritten"],
  [uri, Stream.make(new TextEncoder().encode("overwritten"))],
  [uri, () => Effect.succeed(new TextEncoder().encode("overwritten"))],
  [uri, Redacted.make("overwritten")],
  [uri, { grants: [{ role: "user", id: "b", levels: ["owner"] }] }],
  [uri, tenantB, ["owner"]],
  [uri, "1 millis"],
  [uri, { stolen: "yes" }],
  ["smythfs://a.user/"],
  ["smythfs://ta.team/key", Redacted.make("overwritten")],
  ["smythfs://ta.team/key"],
  ["key"],
  ["agentA"],
  ["agentA", { endpoint: "go", body: {} }],
  ["agentA", { message: "hi" }],
  ["agentA", "c1"],
  ["agentA", "go", { method: "POST", headers: {}, query: {}, body: new TextEncoder().encode("overwritten") }],
  ["c1"],
  ["c1", []],
  ["ta"],
  ["ta", "secret"],
  ["a", "secret"],
  ["modelA"],
  ["modelA", { provider: "Echo", modelId: "x" }],
  [{ model: "modelA", messages: [] }],
  [{ model: "modelA", prompt: "x" }],
  [{ model: "modelA", text: "x" }],
  [{ model: "modelA", sound: { bytes: new TextEncoder().encode("x"), mediaType: "audio/mpeg" } }],
  [{ model: "modelA", task: "translation", apiKey: Redacted.make("x"), args: {} }],
  [{ agent: "agentA", message: "hi", run: { workflowId: "w", depth: 0 } }],
  [tenantA],
  [tenantA, "ta"],
  [format, "run-1"],
  [format, "run-1", { stolen: "yes" }],
  [Effect.runSync(AgentDefinition.fromUnknown({ ...definition, behavior: "overwritten" }))],
  ["smythfs://a.user/vectors"],
  ["smythfs://a.user/vectors", [1, 2]],
  ["smythfs://a.user/vectors", "overwritten"],
  ["smythfs://a.user/vectors", ["item"]],
  ["smythfs://a.user/vectors", "source"],
  ["smythfs://a.user/vectors", [{ id: "item", text: "overwritten" }]],
  ["smythfs://a.user/vectors", { id: "source", text: "overwritten", replace: true }],
  ["smythfs://a.user/vectors", { grants: [{ role: "user", id: "b", levels: ["owner"] }] }],
  ["smythfs://a.user/vectors", tenantB, ["owner"]],
  [{ texts: ["x"] }],
  [{ level: "info", message: "x" }],
  [uri, { task: { kind: "x", data: "overwritten" }, schedule: { interval: "1h" } }],
  [{ code: "async function main() { return 1 }" }],
  [{ url: "http://127.0.0.1:1/", method: "GET" }],
  [{ query: "x" }],
  [{ bytes: new TextEncoder().encode("x"), mediaType: "text/plain", name: "x" }],
  [uri, { tokenUrl: "http://127.0.0.1:1/", clientId: "overwritten" }],
  [1]
]

const outcome = (value: unknown): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    if (Effect.isEffect(value)) return Effect.flatMap(value as Effect.Effect<unknown, unknown>, outcome)
    if (isStream(value)) return Effect.map(Stream.runCollect(value), Chunk.toReadonlyArray)
    return Effect.succeed(value)
  })

const isStream = (value: unknown): value is Stream.Stream<unknown, unknown> =>
  typeof value === "object" && value !== null && Stream.StreamTypeId in value

const methods = (service: object): ReadonlyArray<readonly [string, (...args: ReadonlyArray<unknown>) => unknown]> =>
  Object.entries(service).map(([name, member]) => [
    name,
    (...args) =>
      typeof member === "function" ? (member as (...args: ReadonlyArray<unknown>) => unknown)(...args) : member
  ])

const attempt = (method: (...args: ReadonlyArray<unknown>) => unknown, args: ReadonlyArray<unknown>) =>
  Effect.exit(Effect.timeout(outcome(Effect.suspend(() => outcome(method(...args)))), "5 seconds"))

const shown = (value: unknown): string =>
  JSON.stringify(
    value,
    (_, one: unknown) =>
      one instanceof Uint8Array ? new TextDecoder().decode(one) : Redacted.isRedacted(one) ? Redacted.value(one) : one
  ) ?? ""

const nameOf = (tag: Context.Tag<never, object>) => tag.key.replace(/^.*\//, "")

const everything = Effect.gen(function*() {
  const bytes = yield* (yield* Storage).read("thing")
  const acl = yield* (yield* Storage).acl("thing")
  const cached = yield* (yield* Cache).get("thing")
  const stored = yield* (yield* NKV).get("ns", "thing")
  const secret = yield* (yield* Vault).get("key")
  const said = yield* (yield* LLMContext).load("c1")
  const state = yield* (yield* RuntimeContext).load(format, "run-1")
  const model = yield* (yield* Models).get("modelA")
  const vectors = yield* (yield* VectorDB).search("vectors", "thing")
  const acls = yield* (yield* VectorDB).acl("vectors")
  const agents = yield* (yield* Agents.Agents).list
  return [
    new TextDecoder().decode(bytes),
    acl,
    cached,
    stored,
    Redacted.value(secret),
    said,
    state,
    model.modelId,
    vectors,
    acls,
    agents.map(({ definition }) => definition.document)
  ]
}).pipe(Candidate.as(tenantA))

const fill = Effect.gen(function*() {
  yield* (yield* Storage).write("thing", new TextEncoder().encode(marker))
  yield* (yield* Cache).set("thing", marker)
  yield* (yield* NKV).set("ns", "thing", marker)
  yield* (yield* LLMContext).append("c1", [{ role: "user", content: [{ type: "text", text: marker }] }])
  yield* (yield* RuntimeContext).save(format, "run-1", marker)
  yield* (yield* Models).add("modelA", { provider: "Echo", modelId: marker } as never)
  yield* (yield* VectorDB).createNamespace("vectors")
  yield* (yield* VectorDB).insert("vectors", [{ id: "item", text: marker }])
  yield* (yield* VectorDB).createDatasource("vectors", { id: "source", text: marker, label: marker })
  const agent = yield* AgentDefinition.fromUnknown(definition)
  yield* (yield* Agents.Agents).load(agent)
}).pipe(Candidate.as(tenantA))

const system = System.layer({
  secrets: { "team:ta": { key: marker } },
  teams: {
    ta: { users: { a: { settings: { secret: marker } } }, agents: { agentA: {} }, settings: { secret: marker } },
    tb: { users: { b: {} }, agents: {} }
  }
})

describe("every method of every service", () => {
  layer(system, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("refuses without a candidate", () =>
      Effect.gen(function*() {
        const context = yield* Effect.context<never>()
        const accepted: Array<string> = []
        let count = 0
        for (const tag of tags) {
          for (const [name, method] of methods(Context.unsafeGet(context, tag))) {
            if (open.has(`${nameOf(tag)}.${name}`)) continue
            count++
            const exits = yield* Effect.forEach(calls, (args) => attempt(method, args))
            const call = `${nameOf(tag)}.${name}`
            // Arguments of the wrong type may crash a method, but never be looked at before the candidate is.
            if (!exits.some(isRefusal)) accepted.push(`${call} never refuses`)
            for (const exit of exits) if (!isRefusal(exit) && !isCrash(exit)) accepted.push(`${call}: ${verdict(exit)}`)
          }
        }
        assert.deepStrictEqual(accepted, [])
        assert.isAbove(count, 60)
      }))

    it.effect("gives another tenant nothing and changes nothing", () =>
      Effect.gen(function*() {
        yield* fill
        const before = shown(yield* everything)
        assert.include(before, marker)
        const context = yield* Effect.context<never>()
        const leaks: Array<string> = []
        for (const tag of tags) {
          for (const [name, method] of methods(Context.unsafeGet(context, tag))) {
            for (const args of calls) {
              const exit = yield* Candidate.as(attempt(method, args), tenantB)
              const call = `${nameOf(tag)}.${name}(${shown(args).slice(0, 60)})`
              if (Exit.isSuccess(exit) && shown(exit.value).includes(marker)) leaks.push(call)
              if (Exit.isFailure(exit) && Cause.pretty(exit.cause).includes(marker)) leaks.push(`${call} in its error`)
            }
          }
          assert.strictEqual(shown(yield* everything), before, `${nameOf(tag)} changed what tenant A has`)
        }
        assert.deepStrictEqual(leaks, [])
      }), 60_000)

    it.effect("holds for 100 interleaved tenants, in forked fibers and in streams", () =>
      Effect.gen(function*() {
        const storage = yield* Storage
        const cache = yield* Cache
        const one = (number: number) =>
          Effect.gen(function*() {
            yield* storage.write("mine", new TextEncoder().encode(`bytes of ${number}`))
            yield* Effect.yieldNow()
            yield* cache.set("mine", `entry of ${number}`)
            const stream = yield* storage.readStream("mine")
            return {
              stream,
              read: Effect.all([
                Effect.map(storage.read("mine"), (bytes) => new TextDecoder().decode(bytes)),
                Effect.map(cache.get("mine"), Option.getOrUndefined)
              ], { concurrency: 2 })
            }
          }).pipe(
            Effect.flatMap(({ read, stream }) => Effect.map(read, (own) => ({ number, own, stream }))),
            Candidate.as(Candidate.user(`u${number}`))
          )
        const results = yield* Effect.forEach(Array.from({ length: 100 }, (_, at) => at), one, { concurrency: 25 })
        for (const { number, own, stream } of results) {
          assert.deepStrictEqual(own, [`bytes of ${number}`, `entry of ${number}`])
          // The stream is consumed by somebody else, and still reads as the one who made it.
          const bytes = yield* Candidate.as(
            Stream.runFold(stream, "", (text, chunk) => text + new TextDecoder().decode(chunk)),
            tenantB
          )
          assert.strictEqual(bytes, `bytes of ${number}`)
        }
      }))
  })
})

const isRefusal = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) &&
  Option.exists(Cause.failureOption(exit.cause), (error) =>
    typeof error === "object" && error !== null && "_tag" in error && error._tag === "NoCandidate")

const isCrash = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) && Cause.isDie(exit.cause)

const verdict = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isSuccess(exit) ? "accepted" : Cause.pretty(exit.cause).split("\n")[0] ?? ""
