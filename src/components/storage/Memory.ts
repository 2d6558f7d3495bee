/** The agent's memories: texts under a memory's name and a key, seen by one run, one session or every run of the agent. */
import { Array, Clock, Duration, Effect, Option, Order, Schema } from "effect"
import { createHash } from "node:crypto"
import type { Template } from "../../kernel/TemplateString.ts"
import { Cache } from "../../subsystems/memory/Cache.ts"
import { ComponentFailed, type RunInfo, type Step } from "../Component.ts"
import * as Settings from "../Settings.ts"

/** `request`: one call from outside and all it causes. `session`: one caller. `ttl` and none: every run of the agent. */
export const scopes = ["session", "request", "ttl", ""] as const
export type Scope = (typeof scopes)[number]

/** One record holds all there is to know, so that a value and its scope cannot come apart. */
const Entry = Schema.Struct({
  memory: Schema.String,
  key: Schema.String,
  value: Schema.String,
  /** Milliseconds since 1970. */
  written: Schema.Number
})

export interface Place {
  readonly memory: string
  readonly key: string
  readonly run: RunInfo
}

/** Where a component's settings point to; a key that turns out empty is refused. */
export const place = (
  { key, memoryName }: { readonly key: Template; readonly memoryName: string },
  step: Step
): Effect.Effect<Place, ComponentFailed> => {
  const rendered = step.render(key)
  return rendered === ""
    ? Effect.fail(new ComponentFailed({ message: `key: ${key.source} is empty` }))
    : Effect.succeed({ memory: memoryName, key: rendered, run: step.run })
}

/** Settings of the components that write. */
export const settings = {
  scope: Settings.literal(scopes, { default: "" }),
  /** Seconds; counts for the scope `ttl` alone, everything else is kept for three hours. */
  ttl: Settings.optional(Settings.integer({ min: 300, max: 604_800 }))
}

export const write = Effect.fnUntraced(function*(
  { key, memory, run }: Place,
  value: string,
  { scope, ttl }: { readonly scope: Scope; readonly ttl?: number | undefined }
) {
  const cache = yield* Cache
  const written = yield* Clock.currentTimeMillis
  const timeToLive = scope === "ttl" && ttl !== undefined ? Duration.seconds(ttl) : Duration.hours(3)
  yield* cache.setJson(address(memory, key, owner(run, scope)), Entry, { memory, key, value, written }, { timeToLive })
})

/** The value written last of those this run may see. */
export const read = Effect.fnUntraced(function*({ key, memory, run }: Place) {
  const cache = yield* Cache
  const found = yield* Effect.forEach(visible(run), (scope) => cache.getJson(address(memory, key, scope), Entry))
  const newestFirst = Array.sortBy(Order.reverse(byTime))(Array.getSomes(found))
  return Option.map(Array.head(newestFirst), ({ value }) => value)
})

/** Forgets the key in every scope this run may see; whether there was anything. */
export const remove = Effect.fnUntraced(function*({ key, memory, run }: Place) {
  const cache = yield* Cache
  const removed = yield* Effect.forEach(visible(run), (scope) => {
    const at = address(memory, key, scope)
    return Effect.flatMap(cache.exists(at), (exists) => Effect.as(Effect.when(cache.remove(at), () => exists), exists))
  })
  return removed.includes(true)
})

/** A miss is no failure, but it shows: on the port `_warning`, so in the answer of a leaf, and in the log of the run. */
export const missed = ({ key, memory }: Place, step: Step) => {
  const _warning = `The memory "${memory}" holds nothing under "${key}" for this run`
  step.log("warning", _warning)
  return { _warning }
}

const owner = (run: RunInfo, scope: Scope): string =>
  scope === "session" ? `session:${run.sessionId}` : scope === "request" ? `request:${run.workflowId}` : "agent"

const byTime = Order.mapInput(Order.number, ({ written }: typeof Entry.Type) => written)

/** Narrowest first, which decides between values of the same millisecond. */
const visible = (run: RunInfo) => [owner(run, "request"), owner(run, "session"), owner(run, "")]

/** A digest, because names and keys are free text: no two of them meet, and none is too long for a key. */
const address = (memory: string, key: string, scope: string) =>
  `memory/${createHash("sha256").update(JSON.stringify([memory, key, scope])).digest("hex")}`
