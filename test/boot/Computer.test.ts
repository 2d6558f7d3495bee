/** An agent that uses a computer, in a whole system. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Layer, Stream } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import * as Sre from "../../src/boot/Sre.ts"
import { BrowserComputer } from "../../src/connectors/computer/BrowserComputer.ts"
import { ConsoleLog } from "../../src/connectors/log/ConsoleLog.ts"
import { UndiciOutbound } from "../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { Confirmations, type Question } from "../../src/subsystems/compute/Confirmations.ts"
import { Storage } from "../../src/subsystems/io/Storage.ts"
import * as TestLLM from "../../src/testing/TestLLM.ts"
import { agentDocument, endpoint } from "../agents/documents.ts"
import { executable, form, settings, site } from "../connectors/computer/screens.ts"

const click = { actions: [{ type: "click", at: { x: 50, y: 100 } }], checks: [], original: "" }

describe.skipIf(executable === undefined)("an agent that uses a computer (needs chromium)", () => {
  it.scopedLive(
    "tells of each action, keeps pictures of its own, and asks whom the host names",
    () =>
      Effect.gen(function*() {
        const server = yield* site({ "/": form("/send"), "/send": "Thank you" })
        const asked: Array<readonly [Candidate.Candidate, Question]> = []
        const host = Layer.succeed(Confirmations, {
          ask: (question) =>
            Effect.map(Effect.orDie(Candidate.current), (candidate) => asked.push([candidate, question]) > 0)
        })
        const system = Sre.layer({
          computer: BrowserComputer.layer(settings),
          outbound: UndiciOutbound.layer({ allow: [server.rule] }),
          storage: MemoryStorage.layer({}),
          log: ConsoleLog.layer({ level: "error" }),
          llm: TestLLM.layer([{ toolCalls: [{ name: "computer", arguments: click }] }, "It is sent."])
        })
        const document = agentDocument(
          {
            E: endpoint("Prompt"),
            C: {
              name: "ComputerUse",
              data: { model: "gpt-5", origins: server.url, startUrl: `${server.url}/` },
              in: ["Prompt"],
              out: ["Reply"]
            }
          },
          ["E.Prompt -> C.Prompt"],
          { id: "clerk" }
        )
        yield* Effect.gen(function*() {
          const agents = yield* Agents
          yield* agents.load(yield* AgentDefinition.fromUnknown(document))
          const events = Chunk.toReadonlyArray(
            yield* Stream.runCollect(agents.stream("clerk", { endpoint: "go", body: { Prompt: "Send it" } }))
          ).map(({ event }) => event)
          assert.include(JSON.stringify(events.find(({ _tag }) => _tag === "RunEnded")), "It is sent.")
          assert.isTrue(server.requests.some(({ method }) => method === "POST"))

          const told = events.flatMap((event) => event._tag === "Logged" ? [event.message] : [])
          const pictures = told.flatMap((line) => /smythfs:\S+/.exec(line) ?? [])
          assert.match(told.join("\n"), /navigate to .+\n(.+\n)?.*confirmed\nclick, left at 50, 100: smythfs:/)
          const storage = yield* Storage
          const read = storage.read(pictures[1]!)
          assert.isAbove((yield* Candidate.as(read, Candidate.agent("clerk"))).length, 1000)
          assert.strictEqual((yield* Effect.flip(Candidate.as(read, Candidate.agent("other"))))._tag, "AccessDenied")

          const [candidate, question] = asked[0]!
          assert.deepStrictEqual(candidate, Candidate.agent("clerk"))
          assert.deepInclude(question, {
            kind: "submit",
            detail: `POST ${server.url}/send`,
            screenshot: pictures[0],
            agent: { id: "clerk", name: "Test agent" },
            component: "C"
          })
        }).pipe(Candidate.as(Candidate.user("ann")), Effect.provide(Layer.provide(system, host)))
      }),
    60_000
  )
})
