import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck, Schema } from "effect"
import { Action, keyOf, keysOf, summary } from "../../../src/subsystems/compute/ComputerAction.ts"

describe("keys", () => {
  it("have many names", () => {
    const names: ReadonlyArray<readonly [string, string | undefined]> = [
      ["CTRL", "Control"],
      ["control", "Control"],
      ["Return", "Enter"],
      ["ESC", "Escape"],
      ["Page_Down", "PageDown"],
      ["ARROWLEFT", "ArrowLeft"],
      ["Left Arrow", "ArrowLeft"],
      ["Up", "ArrowUp"],
      ["BackSpace", "Backspace"],
      ["super", "Meta"],
      ["SPACE", " "],
      ["KP_0", "0"],
      ["F11", "F11"],
      ["f1", "F1"],
      ["a", "a"],
      ["A", "A"],
      ["ß", "ß"],
      ["-", "-"],
      ["F13", undefined],
      ["hyper", undefined],
      ["", undefined],
      ["__proto__", undefined],
      ["constructor", undefined]
    ]
    for (const [name, key] of names) assert.strictEqual(keyOf(name), key, name)
  })

  it("are no capitals when others are held", () => {
    assert.deepStrictEqual(keysOf(["CTRL", "A"]), Either.right(["Control", "a"]))
    assert.deepStrictEqual(keysOf(["Ctrl", "Shift", "A"]), Either.right(["Control", "Shift", "A"]))
    assert.deepStrictEqual(keysOf(["A"]), Either.right(["A"]))
    assert.deepStrictEqual(keysOf(["Ctrl", "Warp"]), Either.left(`there is no key "Warp"`))
  })
})

describe("summary", () => {
  it("tells neither what is typed nor where in a site one goes", () => {
    FastCheck.assert(FastCheck.property(FastCheck.string({ minLength: 12, maxLength: 40 }), (text) => {
      const path = encodeURIComponent(text)
      assert.strictEqual(summary({ type: "type", text }), `type ${text.length} characters`)
      assert.strictEqual(
        summary({ type: "navigate", url: `https://a.example/${path}?q=${path}` }),
        "navigate to https://a.example"
      )
    }))
    assert.strictEqual(summary({ type: "key", keys: ["p"], times: 1, millis: 0 }), "press 1 keys")
    assert.strictEqual(summary({ type: "navigate", url: "about" }), "navigate to no URL")
  })

  it("tells the rest in one line", () => {
    const decode = Schema.decodeUnknownSync(Action)
    const lines: ReadonlyArray<readonly [unknown, string]> = [
      [{ type: "click" }, "click, left"],
      [{ type: "click", at: { x: 1, y: 2 }, count: 2, held: ["Shift"] }, "double click, left at 1, 2 with Shift"],
      [{ type: "drag", path: [{ x: 1, y: 2 }, { x: 3, y: 4 }] }, "drag at 1, 2 to at 3, 4"],
      [{ type: "scroll", x: 0, y: -100 }, "scroll by 0, -100"],
      [{ type: "key", keys: ["Control", "a"] }, "press Control+a"],
      [{ type: "wait", millis: 500 }, "wait 500 ms"]
    ]
    for (const [action, line] of lines) assert.strictEqual(summary(decode(action)), line)
  })

  it("is of any action there is", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.anything(), (value) => {
        const action = Schema.decodeUnknownEither(Action)(value)
        if (Either.isRight(action)) assert.isString(summary(action.right))
      })
    )
  })
})
