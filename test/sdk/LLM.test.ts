import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SDK } from "effect-sre/sdk"
import { InvalidAnswer } from "../../src/subsystems/llm/LLM.ts"
import { rejection, withServer } from "./systems.ts"

const City = Schema.Struct({ name: Schema.String, founded: Schema.Date })

describe("an object of a model", () => {
  it.scopedLive("is decoded, of a prompt with its behavior and the settings of the model", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer(`{"name":"Bern","founded":"1191-01-01T00:00:00.000Z"}`)
      const llm = new SDK.LLM("OpenAI", { model: "gpt-4o", temperature: 0.1, behavior: "Be exact." })
      const city = yield* Effect.promise(() => llm.object("Which city?", City))
      assert.deepStrictEqual(city, { name: "Bern", founded: new Date("1191-01-01T00:00:00.000Z") })
      const body = JSON.parse(server.requests[0]?.body ?? "")
      assert.deepInclude(body, { temperature: 0.1 })
      assert.strictEqual(body.response_format.json_schema.schema.properties.name.type, "string")
      assert.match(body.messages[0].content, /^Be exact\./)
    }))

  it.scopedLive("that the model does not give is a rejection with what it said", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer("no idea")
      const error = yield* rejection(() => new SDK.LLM("OpenAI", { model: "gpt-4o" }).object("Which city?", City))
      assert.instanceOf(error, InvalidAnswer)
      assert.deepInclude({ ...error as InvalidAnswer }, { reason: "NotJson", text: "no idea" })
      assert.lengthOf(server.requests, 2)
    }))
})
