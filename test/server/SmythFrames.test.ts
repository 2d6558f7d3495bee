import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Stream } from "effect"
import type { AgentEvent } from "../../src/agents/AgentEvents.ts"
import * as SmythFrames from "../../src/server/SmythFrames.ts"
import * as Sse from "../../src/server/Sse.ts"

const place = { key: "H1", componentId: "H1", component: "Hash", title: "Digest" }

const translated = (...bodies: ReadonlyArray<AgentEvent["event"]>) =>
  Effect.map(
    Stream.runCollect(
      SmythFrames.translate(
        Stream.fromIterable(
          bodies.map((event, seq): AgentEvent => ({ seq, time: 1000 + seq * 10, runId: "run-1", event }))
        )
      )
    ),
    Chunk.toReadonlyArray
  )

const begun = { _tag: "RunStarted", agentId: "a1", what: "POST digest", endpoint: "digest", method: "POST" } as const

describe("events as the frames of older systems", () => {
  it.effect("a run is a call of the agent, a step one of a component; start and stop share their id", () =>
    Effect.gen(function*() {
      const frames = yield* translated(
        begun,
        { _tag: "StepStarted", ...place },
        { _tag: "Logged", ...place, level: "info", message: "hashing" },
        { _tag: "StepEnded", ...place, outputs: [{ name: "Hash", bytes: 34 }] },
        { _tag: "RunEnded", answer: { Hash: "…" }, failed: false }
      )
      const agent = { eventId: "e-run-1", endpointPath: "/api/digest", id: "a1", name: "a1" }
      const component = { eventId: "e-run-1/H1", sourceId: "run-1", id: "H1", name: "Digest", title: "Digest" }
      assert.deepStrictEqual(frames, [
        { event: "agent", data: { ...agent, action: "callStart", startTime: 1000 } },
        { event: "component", data: { ...component, action: "callStart", startTime: 1010 } },
        {
          event: "component",
          data: {
            eventId: "e-run-1/H1",
            action: "log",
            name: "Digest",
            title: "Digest",
            logs: [{ level: "info", message: "hashing" }]
          }
        },
        {
          event: "component",
          data: {
            ...component,
            action: "callStop",
            startTime: 1010,
            endTime: 1030,
            duration: 20,
            output: { Hash: "34 bytes" }
          }
        },
        {
          event: "agent",
          data: {
            ...agent,
            action: "callStop",
            startTime: 1000,
            endTime: 1040,
            duration: 40,
            result: { Hash: "…" }
          }
        }
      ])
    }))

  it.effect("failures of steps and runs are in their stops", () =>
    Effect.gen(function*() {
      const frames = yield* translated(
        begun,
        { _tag: "StepStarted", ...place },
        { _tag: "StepFailed", ...place, error: "no luck" },
        { _tag: "RunFailed", error: "RunStopped", message: "stopped" }
      )
      const [, , step, run] = frames.map(({ data }) => data as Record<string, unknown>)
      assert.deepInclude(step, { action: "callStop", output: { _error: "no luck" } })
      assert.deepInclude(run, { action: "callStop", error: "stopped" })
    }))

  it.effect("what a model says is plain text on one line; nothing said is not sent", () =>
    Effect.gen(function*() {
      const frames = yield* translated(
        { _tag: "Content", ...place, kind: "content", text: "a\nb\r\nc\rd" },
        { _tag: "Content", ...place, kind: "content", text: "" },
        { _tag: "Content", ...place, kind: "thinking", text: "hm" }
      )
      assert.deepStrictEqual(frames.map(Sse.text), [
        "event: llm/passthrough/content\ndata: a\\nb\\nc\\nd\n\n",
        "event: llm/passthrough/thinking\ndata: hm\n\n"
      ])
    }))

  it.effect("events these clients have no word for are left out; a gap is told, and stops without a start are not", () =>
    Effect.gen(function*() {
      const frames = yield* translated(
        { _tag: "Gap", missed: 3 },
        { _tag: "StepEnded", ...place, outputs: [] },
        { _tag: "StepSkipped", ...place, reason: "no value" },
        { _tag: "RunPaused", next: [] },
        { _tag: "RunEnded", answer: 1, failed: false }
      )
      assert.deepStrictEqual(frames, [{ event: "gap", data: { missed: 3 } }])
    }))
})
