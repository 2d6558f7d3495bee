import { assert, describe, it } from "@effect/vitest"
import * as EventAnswers from "../../../src/connectors/mcp/EventAnswers.ts"

const call = { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 7, method: "tools/call" }) }
const lost = { jsonrpc: "2.0", id: 7, error: { code: -32_000, message: "the answer broke off" } }

/** An answer in these pieces, after which the connection ends or breaks. */
const answering = (pieces: ReadonlyArray<string>, end: "ends" | "breaks", type = "text/event-stream") =>
  EventAnswers.make(() => {
    const left = pieces.map((piece) => new TextEncoder().encode(piece))
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const next = left.shift()
        if (next !== undefined) controller.enqueue(next)
        else if (end === "ends") controller.close()
        else controller.error(new Error("reset"))
      }
    })
    return Promise.resolve(new Response(body, { headers: { "content-type": type } }))
  })

const read = async (send: ReturnType<typeof answering>, init: RequestInit = call) =>
  (await send("http://127.0.0.1/", init)).text()

const eventsIn = (text: string) =>
  text.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice("data: ".length))

describe("EventAnswers", () => {
  for (const end of ["ends", "breaks"] as const) {
    it(`an answer that ${end} early tells its call that it is lost`, async () => {
      for (const pieces of [[], ["data: {\"half"], [": still here\n\n", "data: {\"void:id\":1}\n\n"]]) {
        const text = await read(answering(pieces, end))
        assert.isTrue(text.startsWith(pieces.join("")))
        assert.deepStrictEqual(JSON.parse(eventsIn(text).at(-1) ?? ""), lost)
      }
    })
  }

  it("one whose events have ids is let alone, wherever it is cut: it can be asked for again", async () => {
    for (const pieces of [["id: 1\ndata: \n\n"], ["data: \ni", "d: 1\n\n"], ["data: {}\r\n\r\nid", ":1\r\n"]]) {
      assert.strictEqual(await read(answering(pieces, "ends")), pieces.join(""))
      const broken = await read(answering(pieces, "breaks")).then(() => "read", () => "broken")
      assert.strictEqual(broken, "broken")
    }
  })

  it("what is no answer as events, or to nobody's call, stays as it is", async () => {
    assert.strictEqual(await read(answering(["{\"id\":7}"], "ends", "application/json")), "{\"id\":7}")
    const notification = { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", method: "notifications/x" }) }
    assert.strictEqual(await read(answering(["data: x\n\n"], "ends"), notification), "data: x\n\n")
    assert.strictEqual(await read(answering(["data: x\n\n"], "ends"), { method: "GET" }), "data: x\n\n")
  })
})
