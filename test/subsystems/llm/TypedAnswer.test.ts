import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { OpenAILLM } from "../../../src/connectors/llm/OpenAILLM.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { TestLLM } from "../../../src/testing/index.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"

class City extends Schema.Class<City>("City")({
  name: Schema.String,
  founded: Schema.Date,
  inhabitants: Schema.Int.pipe(Schema.positive())
}) {}

const rome = { name: "Rome", founded: "0753-04-21T00:00:00.000Z", inhabitants: 2_750_000 }
const question = { model: "gpt-4o", messages: [Prompt.user("Which city?")] }
const u1 = Candidate.as(Candidate.user("u1"))

const asked = Effect.flatMap(TestLLM.TestLLM, ({ requests }) => requests)

describe("an answer in the form of a schema", () => {
  it.scopedLive("is decoded; the provider is given the schema, and holds the model to it", () =>
    Effect.gen(function*() {
      const server = yield* OpenAIServer.make(JSON.stringify(rome))
      const city = yield* u1(LLM.object(question, City)).pipe(
        Effect.provide(OpenAILLM.layer({ baseURL: server.baseURL, apiKey: "sk-1" }))
      )
      assert.instanceOf(city, City)
      assert.strictEqual(city.founded.getUTCFullYear(), 753)
      const { messages, response_format } = JSON.parse(server.requests[0]?.body ?? "")
      assert.deepInclude(response_format.json_schema, { name: "answer", strict: true })
      assert.deepInclude(response_format.json_schema.schema, {
        type: "object",
        required: ["name", "founded", "inhabitants"],
        additionalProperties: false
      })
      assert.include(messages[0].content, "inhabitants")
    }))

  it.effect("may be anything, as the result in an object, and be nearly JSON", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* LLM.object(question, Schema.Array(Schema.NumberFromString)), [1, 2])
      assert.strictEqual(yield* LLM.object(question, Schema.Literal("yes", "no")), "no")
      const [first] = yield* asked
      assert.deepInclude(first?.responseSchema, { type: "object", required: ["result"], additionalProperties: false })
    }).pipe(
      u1,
      Effect.provide(TestLLM.layer(["Here you are:\n```json\n{result: [\"1\", \"2\"],}\n```", `{"result":"no"}`]))
    ))

  it.effect("that is not as it was asked for is given once more, by a model that is told what was wrong", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* LLM.object(question, City)).name, "Rome")
      const [, second] = yield* asked
      assert.lengthOf(second?.messages ?? [], 4)
      assert.deepStrictEqual(second?.messages[2], Prompt.assistant(`{"name":"Rome","inhabitants":-1}`))
      const told = JSON.stringify(second?.messages[3])
      for (const wrong of ["founded: is missing", "inhabitants: Expected a positive number"]) {
        assert.include(told, wrong)
      }
    }).pipe(
      u1,
      Effect.provide(TestLLM.layer([
        `{"name":"Rome","inhabitants":-1}`,
        TestLLM.json(
          City,
          new City({
            ...rome,
            founded: new Date(rome.founded)
          })
        )
      ]))
    ))

  it.effect("that is no such answer the second time either is a failure that keeps what was said", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(LLM.object(question, City))
      assert.deepInclude({ ...error }, { _tag: "InvalidAnswer", model: "gpt-4o", reason: "NotJson", text: "Milan" })
      assert.match(error.message, /^"gpt-4o" gave no answer in the form that was asked for: it is not JSON/)
      assert.lengthOf(yield* asked, 2)
    }).pipe(u1, Effect.provide(TestLLM.layer(["Rome", "Milan"]))))

  it.effect("that was refused or cut off is not asked for again", () =>
    Effect.gen(function*() {
      const reasonOf = Effect.map(
        Effect.flip(LLM.object(question, City)),
        (error) => error._tag === "InvalidAnswer" ? [error.reason, error.text] : []
      )
      assert.deepStrictEqual(yield* reasonOf, ["Refused", "I won't."])
      assert.deepStrictEqual(yield* reasonOf, ["CutOff", `{"name":"Ro`])
      assert.lengthOf(yield* asked, 2)
    }).pipe(
      u1,
      Effect.provide(TestLLM.layer([
        { text: "I won't.", reason: "content-filter" },
        { text: `{"name":"Ro`, reason: "length" }
      ]))
    ))

  it.effect("in a form that no JSON has is not asked for", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(LLM.object(question, Schema.Struct({ big: Schema.BigIntFromSelf })))
      assert.deepInclude({ ...error }, { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.match(error.message, /the schema cannot be told to a model/)
      assert.lengthOf(yield* asked, 0)
    }).pipe(u1, Effect.provide(TestLLM.layer([]))))
})
