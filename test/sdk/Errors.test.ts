/** Settings that cannot be meant: refused where they are written, with what was. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { InvalidSettings, SDK } from "effect-sre/sdk"
import { rejection, start } from "./systems.ts"

const echo = (settings: object = {}) => new SDK.Agent({ name: "Test", model: "Echo", ...settings })

describe("settings", () => {
  const refusal = (make: () => unknown) => {
    try {
      make()
    } catch (error) {
      assert.instanceOf(error, InvalidSettings)
      return error.message
    }
    return assert.fail("not refused")
  }
  /** As whoever writes without types, or from data, may write them. */
  const untyped = (settings: object) => settings as never

  it("that are misspelt are refused at once, with the one that was meant", () => {
    assert.strictEqual(
      refusal(() => new SDK.Agent(untyped({ nmae: "Bob", model: "Echo" }))),
      `Settings of the agent: nmae: there is no such setting. Did you mean "name"?`
    )
    assert.include(refusal(() => echo({ behaviour: "Be kind." })), `Did you mean "behavior"?`)
    assert.include(refusal(() => new SDK.LLM("Echo", untyped({ model: "Echo", temprature: 0 }))), `"temperature"`)
    assert.include(refusal(() => SDK.LLM.Echo(untyped({ modle: "Echo" }))), `Did you mean "model"?`)
    assert.include(refusal(() => echo().chat(untyped({ modle: "Echo" }))), `Settings of the chat: modle:`)
    assert.include(refusal(() => echo().addSkill(untyped({ name: "a", proces: () => 1 }))), `Did you mean "process"?`)
    assert.include(refusal(() => echo().addSkill(untyped({ name: "a", timeout: 1 }))), "There are: name, description")
  })

  it("that are missing are named", () => {
    assert.strictEqual(refusal(() => new SDK.Agent(untyped({}))), `Settings of the agent: name: missing`)
    assert.include(refusal(() => new SDK.Agent({ name: "" })), `name: expected text, got none`)
    assert.include(refusal(() => new SDK.LLM("Echo", untyped({}))), `Settings of the model: model: missing`)
    assert.include(refusal(() => echo().addSkill(untyped({ name: 5 }))), `name: expected text, got number`)
  })

  it.scopedLive("of other systems stay, and in a document whatever it has", () =>
    Effect.gen(function*() {
      yield* start()
      assert.deepInclude(new SDK.Agent(untyped({ name: "Test", teamId: "t1", mode: "planner" })).data, {
        teamId: "t1",
        mode: "planner"
      })
      const data = { ...echo().data, models: ["a"], descriptions: {} }
      const imported = yield* Effect.promise(() => SDK.Agent.import(data))
      assert.deepInclude(imported.data, { models: ["a"], descriptions: {} })
      const error = yield* rejection(() => SDK.Agent.import(data, untyped({ nam: "other" })))
      assert.instanceOf(error, InvalidSettings)
    }))
})
