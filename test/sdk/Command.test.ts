/** Prompts: when they are sent, what they tell, and how they end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type PromptEvent, SDK } from "effect-sre/sdk"
import type * as OpenAIServer from "../fixtures/OpenAIServer.ts"
import { rejection, start, withServer } from "./systems.ts"

const weather = () => {
  const agent = new SDK.Agent({ name: "Weather", model: "gpt-4o" })
  agent.addSkill({ name: "getWeather", process: async (location: string) => `sunny in ${location}` })
  return agent
}

const callOfWeather: OpenAIServer.Reply = { toolCalls: [{ name: "getWeather", arguments: { location: "Oslo" } }] }
const badKey: OpenAIServer.Raw = { status: 401, body: { error: { message: "Incorrect API key" } } }
const typesOf = (events: ReadonlyArray<PromptEvent>) => events.map(({ type }) => type)

describe("a command", () => {
  it.scopedLive("sends nothing before it is used, and once however often it is", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer("hi")
      const command = new SDK.LLM("OpenAI", { model: "gpt-4o" }).prompt("hello")
      yield* Effect.sleep("20 millis")
      assert.lengthOf(server.requests, 0)
      const answers = yield* Effect.promise(async () => [
        await command,
        await command.run(),
        await (await command.stream()).finished
      ])
      assert.deepStrictEqual(answers, ["hi", "hi", "hi"])
      assert.lengthOf(server.requests, 1)
    }))

  it.scopedLive("is a promise: `catch`, `finally` and `Promise.all` work", () =>
    Effect.gen(function*() {
      yield* start()
      const echo = new SDK.LLM("Echo", { model: "Echo" })
      const unknown = new SDK.LLM("Nobody", { model: "x" })
      let settled = false
      const answers = yield* Effect.promise(() =>
        Promise.all([
          echo.prompt("a"),
          echo.prompt("b").finally(() => {
            settled = true
          }),
          unknown.prompt("c").catch(({ _tag }: { readonly _tag: string }) => _tag)
        ])
      )
      assert.deepStrictEqual(answers, ["a", "b", "ConnectorError"])
      assert.isTrue(settled)
    }))
})

describe("a stream", () => {
  it.scopedLive("tells listeners everything in order, and has the text in the end", () =>
    Effect.gen(function*() {
      const usage = { prompt_tokens: 3, completion_tokens: 5 }
      const { sre } = yield* withServer(callOfWeather, { reasoning: "Sun, well.", text: "It is sunny.", usage })
      const told: Array<ReadonlyArray<unknown>> = []
      const text = yield* Effect.promise(async () => {
        const stream = await new SDK.Agent({ name: "x", model: "gpt-4o" }, { sre }).prompt("?").stream()
        stream.stop()
        await stream.finished
        const events = await weather().prompt("How is it in Oslo?").stream()
        for (
          const name of [
            "start",
            "content",
            "thinking",
            "toolCall",
            "toolResult",
            "usage",
            "interrupted",
            "end"
          ] as const
        ) {
          events.on(name, (...args: ReadonlyArray<unknown>) => told.push([name, ...args]))
        }
        return await events.finished
      })
      assert.strictEqual(text, "It is sunny.")
      assert.deepStrictEqual(told.slice(0, 3), [
        ["start"],
        ["toolCall", {
          tool: { id: "call_0", name: "getWeather", arguments: { location: "Oslo" } },
          status: "Calling getWeather"
        }],
        ["toolResult", { tool: { id: "call_0", name: "getWeather" }, result: "sunny in Oslo", isFailure: false }]
      ])
      const of = (wanted: string) => told.filter(([name]) => name === wanted).map(([, one]) => one)
      assert.strictEqual(of("content").join(""), "It is sunny.")
      assert.strictEqual(of("thinking").join(""), "Sun, well.")
      assert.deepInclude(of("usage")[0], { inputTokens: 3, outputTokens: 5 })
      assert.deepStrictEqual(told.at(-1), ["end", "stop"])
      assert.deepStrictEqual(of("interrupted"), [])
    }))

  it.scopedLive("is iterable, also when that begins late", () =>
    Effect.gen(function*() {
      yield* withServer(callOfWeather, "It is sunny.")
      const events = yield* Effect.promise(async () => {
        const stream = await weather().prompt("How is it?").stream()
        await stream.finished
        const events: Array<PromptEvent> = []
        for await (const event of stream) events.push(event)
        return events
      })
      assert.deepStrictEqual(typesOf(events), [
        "start",
        "toolCall",
        "toolResult",
        "content",
        "content",
        "content",
        "end"
      ])
    }))

  it.scopedLive("that fails says so by `error` and to those who iterate, and by nothing else to the process", () =>
    Effect.gen(function*() {
      yield* withServer(badKey)
      const escaped: Array<unknown> = []
      const escape = (error: unknown) => escaped.push(error)
      process.on("unhandledRejection", escape)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.off("unhandledRejection", escape)))
      const { heard, thrown } = yield* Effect.promise(async () => {
        const prompt = () => weather().prompt("hi").stream()
        await prompt()
        const heard = await new Promise<unknown>((resolve) => void prompt().then((one) => one.on("error", resolve)))
        const thrown = await (async () => {
          for await (const _ of await prompt()) continue
        })().catch((error: unknown) => error)
        return { heard, thrown }
      })
      yield* Effect.sleep("50 millis")
      assert.deepInclude({ ...heard as object }, { _tag: "ConnectorError", reason: "Unauthorized" })
      assert.deepInclude({ ...thrown as object }, { _tag: "ConnectorError", reason: "Unauthorized" })
      assert.deepStrictEqual(escaped, [])
    }))

  it.scopedLive("ends with the error of a listener that throws", () =>
    Effect.gen(function*() {
      yield* start()
      const mistake = new Error("in a listener")
      const error = yield* rejection(async () => {
        const stream = await new SDK.LLM("Echo", { model: "Echo" }).prompt("a b c").stream()
        stream.on("content", () => {
          throw mistake
        })
        return stream.finished
      })
      assert.strictEqual(error, mistake)
    }))

  it.scopedLive("that breaks in the middle is a failure, with what came before it delivered", () =>
    Effect.gen(function*() {
      yield* withServer({ text: "one two", finish: null, done: false, then: "cut" })
      const command = weather().prompt("hi")
      const words: Array<string> = []
      const error = yield* rejection(async () => {
        const stream = await command.stream()
        stream.on("content", (word) => words.push(word))
        return stream.finished
      })
      assert.strictEqual(error._tag, "ConnectorError")
      assert.deepStrictEqual(words, ["one ", "two"])
    }))
})

describe("stopping", () => {
  const endless: OpenAIServer.Reply = { text: "one ", finish: null, done: false, then: "silence" }

  it.scopedLive("a stream closes the model's connection, and gives what there is", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer(endless)
      const { events, text } = yield* Effect.promise(async () => {
        const stream = await weather().prompt("hi").stream()
        stream.once("content", () => stream.stop())
        const text = await stream.finished
        const events: Array<PromptEvent> = []
        for await (const event of stream) events.push(event)
        await server.aborted
        return { events, text }
      })
      assert.strictEqual(text, "one ")
      assert.deepStrictEqual(typesOf(events), ["start", "content", "interrupted", "end"])
    }))

  it.scopedLive("happens when a loop over the events is left", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer(endless)
      yield* Effect.promise(async () => {
        for await (const event of await weather().prompt("hi").stream()) if (event.type === "content") break
        await server.aborted
      })
    }))

  it.scopedLive("by a signal rejects with the signal's reason, and stops the model", () =>
    Effect.gen(function*() {
      const { server } = yield* withServer(endless)
      const controller = new AbortController()
      const reason = new Error("changed my mind")
      const command = weather().prompt("hi", { signal: controller.signal })
      const error = yield* rejection(async () => {
        const stream = await command.stream()
        stream.once("content", () => controller.abort(reason))
        return command
      })
      assert.strictEqual(error, reason)
      yield* Effect.promise(() => server.aborted)
    }))

  it.scopedLive("stops a tool that is at work", () =>
    Effect.gen(function*() {
      const { sre } = yield* withServer({ toolCalls: [{ name: "sleep", arguments: {} }] })
      const agent = new SDK.Agent({ name: "Sleeper", model: "gpt-4o" })
      const start = agent.addSkill({ name: "sleep" })
      SDK.FSleep({ delay: 3600 }, agent).in({ Input: start.out.body })
      const text = yield* Effect.promise(async () => {
        const stream = await agent.prompt("sleep").stream()
        stream.once("toolCall", () => setTimeout(() => stream.stop(), 20))
        await stream.finished
        // Nothing is left to wait for.
        await sre.stop()
        return await stream.finished
      })
      assert.strictEqual(text, "")
    }))
})
