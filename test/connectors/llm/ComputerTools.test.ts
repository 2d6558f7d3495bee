/** What models ask for on a computer, in the words of their providers, and what becomes of it; pure. */
import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import * as AnthropicComputer from "../../../src/connectors/llm/AnthropicComputer.ts"
import * as ResponsesComputer from "../../../src/connectors/llm/ResponsesComputer.ts"
import * as ComputerTool from "../../../src/subsystems/llm/ComputerTool.ts"
import type { ToolCallPart } from "../../../src/subsystems/llm/Prompt.ts"

const decode = Schema.decodeUnknownSync(Schema.parseJson(ComputerTool.Call))

const partOf = (said: string): ToolCallPart => ({
  type: "tool-call",
  id: "c1",
  name: "computer",
  params: JSON.parse(said) as Record<string, unknown>
})

const at = { x: 10, y: 20 }
const picture = { type: "file", mediaType: "image/png", data: "aGk=" } as const

describe("OpenAI's computer", () => {
  const call = (...actions: ReadonlyArray<unknown>) => ({ type: "computer_call", id: "cu_1", call_id: "c1", actions })
  const actionsOf = (...actions: ReadonlyArray<unknown>) => decode(ResponsesComputer.read(call(...actions))).actions

  it("does what its actions say", () => {
    assert.deepStrictEqual(
      actionsOf(
        { type: "click", ...at, button: "wheel", keys: ["SHIFT"] },
        { type: "click", ...at, button: "back" },
        { type: "double_click", ...at, keys: null },
        { type: "move", x: 10.4, y: 19.6 },
        { type: "drag", path: [at, { x: 30, y: 40 }] },
        { type: "scroll", ...at, scroll_x: 0, scroll_y: -300 },
        { type: "keypress", keys: ["CTRL", "L"] },
        { type: "type", text: "hi" },
        { type: "wait" },
        { type: "screenshot" }
      ),
      [
        { type: "click", at, button: "middle", count: 1, held: ["Shift"] },
        { type: "click", at, button: "back", count: 1, held: [] },
        { type: "click", at, button: "left", count: 2, held: [] },
        { type: "move", at, held: [] },
        { type: "drag", path: [at, { x: 30, y: 40 }], held: [] },
        { type: "scroll", at, x: 0, y: -300, held: [] },
        { type: "key", keys: ["Control", "l"], times: 1, millis: 0 },
        { type: "type", text: "hi" },
        { type: "wait", millis: 2000 },
        { type: "screenshot" }
      ]
    )
  })

  it("tells what it cannot do, and does nothing of the call", () => {
    const problems: ReadonlyArray<readonly [unknown, RegExp]> = [
      [{ type: "fly" }, /none of the actions there are.*fly/],
      [{ type: "keypress", keys: ["WARP"] }, /no key "WARP"/],
      [{ type: "click", x: -5, y: 1 }, /non-negative/],
      [{ type: "keypress", keys: [] }, /at least 1 item/],
      [{ type: "type", text: "x".repeat(10_001) }, /10000 character/]
    ]
    for (const [action, problem] of problems) {
      const read = decode(ResponsesComputer.read(call({ type: "screenshot" }, action)))
      assert.deepStrictEqual(read.actions, [])
      assert.match(read.problem ?? "", problem)
    }
  })

  it("gets its calls back as they came, with the screen and the doubts that were cleared", () => {
    const item = { ...call({ type: "screenshot" }), pending_safety_checks: [{ id: "s1", code: "x" }], later: { a: 1 } }
    const said = ResponsesComputer.read(item)
    assert.deepStrictEqual(decode(said).checks, [{ id: "s1", code: "x", message: null }])
    assert.deepStrictEqual(ResponsesComputer.callOf(partOf(said)), item as never)
    const result = ComputerTool.result({ id: "c1" }, {
      note: "One was refused",
      screenshot: picture,
      acknowledged: decode(said).checks
    })
    assert.deepStrictEqual(ResponsesComputer.outputOf(result), [
      {
        type: "computer_call_output",
        call_id: "c1",
        acknowledged_safety_checks: [{ id: "s1", code: "x", message: null }],
        output: { type: "computer_screenshot", image_url: "data:image/png;base64,aGk=" }
      },
      { role: "user", content: "One was refused" }
    ])
  })

  it("takes no other tool's calls and results for its own", () => {
    const theirs = partOf(AnthropicComputer.read(`{"action":"screenshot"}`))
    assert.isUndefined(ResponsesComputer.callOf(theirs))
    assert.isUndefined(ResponsesComputer.callOf({ ...theirs, name: "other" }))
    const result = { type: "tool-result", id: "c1", name: "computer", result: "text", isFailure: false } as const
    assert.isUndefined(ResponsesComputer.outputOf(result))
  })

  it("reads whatever a server sends", () => {
    FastCheck.assert(FastCheck.property(FastCheck.jsonValue(), FastCheck.jsonValue(), (action, actions) => {
      decode(ResponsesComputer.read({ type: "computer_call", call_id: "c", action, actions }))
    }))
  })
})

describe("Anthropic's computer", () => {
  const actionsOf = (input: object) => decode(AnthropicComputer.read(JSON.stringify(input))).actions
  const coordinate = [10, 20]

  it("does what its actions say", () => {
    const key = { type: "key", times: 1, millis: 0 }
    const actions: ReadonlyArray<readonly [object, object]> = [
      [{ action: "left_click", coordinate }, { type: "click", at, button: "left", count: 1, held: [] }],
      [{ action: "right_click", coordinate, text: "ctrl+shift" }, {
        type: "click",
        at,
        button: "right",
        count: 1,
        held: ["Control", "Shift"]
      }],
      [{ action: "triple_click" }, { type: "click", button: "left", count: 3, held: [] }],
      [{ action: "left_mouse_down" }, { type: "press" }],
      [{ action: "left_mouse_up", coordinate: null }, { type: "release" }],
      [{ action: "mouse_move", coordinate }, { type: "move", at, held: [] }],
      [{ action: "left_click_drag", start_coordinate: [1, 2], coordinate }, {
        type: "drag",
        path: [{ x: 1, y: 2 }, at],
        held: []
      }],
      [{ action: "scroll", coordinate, scroll_direction: "up", scroll_amount: 3 }, {
        type: "scroll",
        at,
        x: 0,
        y: -300,
        held: []
      }],
      [{ action: "key", text: "ctrl+S" }, { ...key, keys: ["Control", "s"] }],
      [{ action: "key", text: "ctrl++" }, { ...key, keys: ["Control", "+"] }],
      [{ action: "key", text: "Page_Down", repeat: 3 }, { ...key, keys: ["PageDown"], times: 3 }],
      [{ action: "hold_key", text: "shift", duration: 1.5 }, { ...key, keys: ["Shift"], millis: 1500 }],
      [{ action: "type", text: "a b" }, { type: "type", text: "a b" }],
      [{ action: "wait", duration: 60 }, { type: "wait", millis: 30_000 }],
      [{ action: "screenshot" }, { type: "screenshot" }]
    ]
    for (const [input, action] of actions) assert.deepStrictEqual(actionsOf(input), [action as never])
  })

  it("tells what it cannot do", () => {
    const problemOf = (text: string) => decode(AnthropicComputer.read(text)).problem ?? ""
    assert.match(problemOf(`{"action":"zoom","region":[0,0,1,1]}`), /none of the actions there are/)
    assert.match(problemOf(`{"action":"scroll","scroll_direction":"up"}`), /lacks a part/)
    assert.match(problemOf(`{"action":"left_click","coordinate":[-1,2]}`), /non-negative/)
    assert.match(problemOf(`{"action"`), /JSON/)
    assert.deepStrictEqual(AnthropicComputer.inputOf(partOf(AnthropicComputer.read(`{"action"`))), {})
  })

  it("gets its calls back as they came, and those of others as they are", () => {
    const input = { action: "left_click", coordinate, later: true }
    assert.deepStrictEqual(AnthropicComputer.inputOf(partOf(AnthropicComputer.read(JSON.stringify(input)))), input)
    const theirs = partOf(ResponsesComputer.read({ type: "computer_call", actions: [] }))
    assert.strictEqual(AnthropicComputer.inputOf(theirs), theirs.params)
  })

  it("is of the version that the model knows", () => {
    const versions: ReadonlyArray<readonly [string, string | undefined]> = [
      ["claude-opus-4-5-20251101", "2025-11-24"],
      ["claude-opus-4-6", "2025-11-24"],
      ["claude-sonnet-4-6", "2025-11-24"],
      ["claude-opus-4-7", "2025-11-24"],
      ["claude-opus-5", "2025-11-24"],
      ["claude-sonnet-4-5-20250929", "2025-01-24"],
      ["claude-haiku-4-5", "2025-01-24"],
      ["claude-opus-4-1-20250805", "2025-01-24"],
      ["claude-opus-4-20250514", "2025-01-24"],
      ["claude-sonnet-4-0", "2025-01-24"],
      ["claude-3-7-sonnet-20250219", "2025-01-24"],
      ["claude-3-5-sonnet-20240620", undefined],
      ["claude-3-opus-20240229", undefined],
      ["claude-2.1", undefined]
    ]
    for (const [model, version] of versions) {
      const tool = AnthropicComputer.toTool(model, { width: 800, height: 600 })
      if (version === undefined) assert.strictEqual(tool._tag, "Left", model)
      else assert.deepInclude(tool, { _tag: "Right" }, model)
      if (version === undefined || tool._tag === "Left") continue
      assert.strictEqual(AnthropicComputer.betaOf(model), `computer-use-${version}`, model)
      assert.strictEqual(tool.right.type, `computer_${version.replaceAll("-", "")}`, model)
    }
  })

  it("reads whatever a server sends", () => {
    FastCheck.assert(FastCheck.property(FastCheck.string(), FastCheck.jsonValue(), (text, value) => {
      decode(AnthropicComputer.read(text))
      decode(AnthropicComputer.read(JSON.stringify(value)))
    }))
  })
})
