/**
 * What the LLM service costs beside the bare SDK that it asks its provider through, and what an agent costs beside its model.
 * The model answers at once, from a process of its own.
 */
import { Context, Effect, Layer, Option, Runtime, Stream } from "effect"
import { setMaxListeners } from "node:events"
import OpenAI from "openai"
import { Agents } from "../src/agents/Agents.ts"
import { OpenAILLM } from "../src/connectors/llm/OpenAILLM.ts"
import * as Candidate from "../src/security/Candidate.ts"
import * as LLM from "../src/subsystems/llm/LLM.ts"
import * as Prompt from "../src/subsystems/llm/Prompt.ts"
import { asker, digest, load, system } from "./agents.ts"
import { inTurns, type Pair, report, row } from "./measure.ts"
import { served } from "./served.ts"

const model = "gpt-4o-mini"
const apiKey = "sk-bench"
const streamed = 2000
const short = JSON.stringify({ chars: 4, chunks: 5 })
const long = JSON.stringify({ chars: 4, chunks: streamed })
/** 13 MB. */
const huge = JSON.stringify({ chars: 4096, chunks: 3250 })
const digests = JSON.stringify({ chars: 4, chunks: 5, tools: 5 })
const consumers = 20
const concurrency = 64

const ratios = (what: string, pairs: ReadonlyArray<Pair>) => {
  report(
    row(
      `${what}: time of the service against that of the SDK`,
      "×",
      pairs.map(({ bare, ours }) => ours.wall / bare.wall)
    )
  )
  report(row(`${what}: the same in processor time`, "×", pairs.map(({ bare, ours }) => ours.cpu / bare.cpu)))
}

/** How long each lets one wait for its first piece, in milliseconds. */
const waits = async (bare: () => Promise<number>, ours: () => Promise<number>, turns: number) => {
  const samples: Array<readonly [number, number]> = []
  for (let n = 0; n < turns; n++) samples.push([await bare(), await ours()])
  return samples.slice(5)
}

const many = (turn: () => Promise<unknown>) => () => Promise.all(Array.from({ length: concurrency }, turn))

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** The most that is held while all consume, in MiB, beyond what was held before. */
const held = async (consume: (signal: AbortSignal) => Promise<unknown>) => {
  const now = () => {
    globalThis.gc?.()
    const { external, heapUsed } = process.memoryUsage()
    return (external + heapUsed) / 1024 / 1024
  }
  for (let n = 0; n < 5; n++) {
    now()
    await pause(100)
  }
  const before = now()
  const controller = new AbortController()
  setMaxListeners(consumers, controller.signal)
  const all = Array.from({ length: consumers }, () => consume(controller.signal).catch(() => {}))
  let most = 0
  for (let n = 0; n < 10; n++) {
    await pause(200)
    most = Math.max(most, now() - before)
  }
  controller.abort()
  await Promise.all(all)
  return most
}

const program = Effect.gen(function*() {
  const origin = yield* served
  const baseURL = `${origin}/v1`
  const llm = Layer.provide(LLM.layer, LLM.providers([OpenAILLM.contract({ apiKey, baseURL })]))
  const context = yield* Layer.build(system({ llm: llm as Layer.Layer<LLM.LLM, unknown> }))
  const service = Context.get(context, LLM.LLM)
  const run = Runtime.runPromise(yield* Effect.runtime())
  const sdk = new OpenAI({ apiKey, baseURL })

  const request = (content: string) => ({ model, messages: [{ role: "user" as const, content }] })
  const events = (content: string) => service.stream({ model, messages: [Prompt.user(content)] })
  const asked = <A, E>(self: Effect.Effect<A, E>, signal?: AbortSignal) =>
    run(Candidate.as(self, asker), signal === undefined ? {} : { signal })
  const generated = (content: string) => asked(service.generate({ model, messages: [Prompt.user(content)] }))
  const opened = (content: string) => sdk.chat.completions.create({ ...request(content), stream: true })
  const read = async (content: string, each: () => unknown = () => {}) => {
    let text = ""
    for await (const { choices: [choice] } of await opened(content)) {
      text += choice?.delta.content ?? ""
      await each()
    }
    return text
  }

  // An answer
  const whole = yield* Effect.promise(() =>
    inTurns(() => sdk.chat.completions.create(request(short)), () => generated(short), 300)
  )
  report(row("one call: the SDK of OpenAI, not streamed", "µs", whole.map(({ bare }) => bare.wall)))
  report(row("one call: the service, which streams", "µs", whole.map(({ ours }) => ours.wall)))
  ratios("one call", whole)
  ratios(
    "one call, both streamed",
    yield* Effect.promise(() => inTurns(() => read(short), () => generated(short), 300))
  )

  // Many at once
  const all = yield* Effect.promise(() =>
    inTurns(many(() => sdk.chat.completions.create(request(short))), many(() => generated(short)), 10)
  )
  const perSecond = (wall: number) => concurrency / wall * 1_000_000
  report(row(`${concurrency} at once: the SDK`, "calls/s", all.map(({ bare }) => perSecond(bare.wall))))
  report(row(`${concurrency} at once: the service`, "calls/s", all.map(({ ours }) => perSecond(ours.wall))))
  ratios(`${concurrency} at once`, all)
  ratios(
    `${concurrency} at once, both streamed`,
    yield* Effect.promise(() => inTurns(many(() => read(short)), many(() => generated(short)), 10))
  )

  // A long answer
  const chunks = yield* Effect.promise(() =>
    inTurns(() => read(long), () => asked(Stream.runForEachChunk(events(long), () => Effect.void)), 10)
  )
  const chunksPerSecond = (wall: number) => streamed / wall * 1_000_000
  report(row("a long answer: the SDK", "chunks/s", chunks.map(({ bare }) => chunksPerSecond(bare.wall))))
  report(row("a long answer: the service", "chunks/s", chunks.map(({ ours }) => chunksPerSecond(ours.wall))))
  ratios("a long answer", chunks)
  const first = async () => {
    const started = performance.now()
    for await (const _ of await opened(long)) return performance.now() - started
    return Number.NaN
  }
  const ourFirst = () =>
    asked(Effect.suspend(() => {
      const started = performance.now()
      return Effect.map(
        Stream.runHead(Stream.map(events(long), () => performance.now() - started)),
        Option.getOrElse(() => Number.NaN)
      )
    }))
  const firsts = yield* Effect.promise(() => waits(first, ourFirst, 100))
  report(row("first piece of a long answer: added", "ms", firsts.map(([bare, ours]) => ours - bare)))

  // Slow consumers
  report(
    row(`${consumers} slow consumers of 13 MB: the service`, "MiB", [
      yield* Effect.promise(() =>
        held((signal) => asked(Stream.runForEach(events(huge), () => Effect.promise(() => pause(5))), signal))
      )
    ])
  )
  report(
    row(`${consumers} slow consumers of 13 MB: the SDK`, "MiB", [
      yield* Effect.promise(() =>
        held((signal) =>
          read(huge, () => {
            signal.throwIfAborted()
            return pause(5)
          })
        )
      )
    ])
  )

  // An agent
  yield* Effect.provide(load({ ...digest, defaultModel: model, behavior: "You digest." }), context)
  const agents = Context.get(context, Agents)
  const busy = async () => Number(await (await fetch(`${origin}/busy`)).text())
  const prompts = async (count: number) => {
    const turns: Array<readonly [number, number]> = []
    for (let n = 0; n < count; n++) {
      await busy()
      const started = performance.now()
      const told = await asked(Stream.runCollect(agents.prompt("digester", { message: digests })))
      const millis = performance.now() - started
      if (Array.from(told).filter(({ type }) => type === "toolResult").length !== 5) {
        throw new Error("no five tool turns")
      }
      turns.push([millis, await busy()])
    }
    return turns
  }
  for (const when of ["of the first 25 in a process", "later"]) {
    const turns = yield* Effect.promise(() => prompts(25))
    report(row(`an agent that uses a tool five times, ${when}`, "ms", turns.map(([millis]) => millis)))
    report(
      row(`the same without the time of its model, ${when}`, "ms", turns.map(([millis, server]) => millis - server))
    )
    // Calls are measured after as many, too.
    yield* Effect.promise(() => prompts(300))
  }
})

await Effect.runPromise(Effect.scoped(program))
process.exit(0)
