import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { frames, listen, post, send, serving } from "../serving.ts"

const users = { "key-ann": "ann", "key-bob": "bob" }
const by = (name: string) => ({ authorization: `Bearer key-${name}` })
const owned = { users, owner: "ann" }

const watching = (url: string, agent: string, query = "") =>
  Effect.gen(function*() {
    const monitor = yield* listen(`${url}/agents/${agent}/monitor${query}`, by("ann"))
    const [init] = frames(yield* monitor.until(/init[^]*\n\n/))
    assert.strictEqual(init!.event, "init")
    return { ...monitor, until: monitor.until, id: String(init!.data.monitorId) }
  })

/** The runs told of, in the order in which they ended. */
const runsIn = (text: string) =>
  frames(text.slice(0, text.lastIndexOf("\n\n"))).filter(({ event }) => event === "RunEnded").map(({ data }) =>
    data.runId
  )

describe("a monitor", () => {
  it.scopedLive("tells of all runs of the agent, whoever called for them", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const monitor = yield* watching(url, "a1")
      const first = yield* post(`${url}/agents/a1/api/echo`, { text: "x" }, by("bob"))
      const second = yield* post(`${url}/agents/a1/api/echo`, { text: "y" }, by("ann"))
      const text = yield* monitor.until(/RunEnded[^]*RunEnded[^]*RunEnded[^]*RunEnded[^]*\n\n/)
      assert.deepStrictEqual(runsIn(text), [first.headers.get("x-run-id"), second.headers.get("x-run-id")])
    }))

  it.scopedLive("tells older clients in their words", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const monitor = yield* watching(url, "a1", "?format=smyth")
      yield* post(`${url}/agents/a1/api/echo`, { text: "x" }, by("bob"))
      const text = yield* monitor.until(/"action":"callStop"[^]*event: agent[^]*callStop[^]*\n\n/)
      assert.deepStrictEqual(frames(text).map(({ data, event }) => `${event} ${data.action ?? ""}`), [
        "init ",
        "agent callStart",
        "component callStart",
        "component callStop",
        "component callStart",
        "component callStop",
        "agent callStop"
      ])
      const wrong = yield* send(`${url}/agents/a1/monitor?format=xml`, { headers: by("ann") })
      assert.deepStrictEqual([wrong.status, wrong.json.error], [400, "MalformedRequest"])
    }))

  it.scopedLive("is told of its owner's calls of other agents that name it, and of nobody else's", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const monitor = yield* watching(url, "a1")
      const call = (who: string, headers: Record<string, string> = {}) =>
        post(`${url}/agents/a2/api/echo`, { text: "x" }, { ...by(who), "x-monitor-id": monitor.id, ...headers })
      assert.strictEqual((yield* call("bob")).status, 200)
      assert.strictEqual((yield* call("ann", { "x-monitor-id": "monitor-0" })).status, 200)
      const mine = yield* call("ann")
      assert.deepStrictEqual(mine.json.result, { in: { text: "x" } })
      yield* monitor.until(/RunEnded[^]*\n\n/)
      const streamed = yield* call("ann", { accept: "text/event-stream" })
      const text = yield* monitor.until(/event: RunEnded[^]*event: RunEnded[^]*\n\n/)
      assert.deepStrictEqual(runsIn(text), [mine, streamed].map(({ headers }) => headers.get("x-run-id")))
    }))
})
