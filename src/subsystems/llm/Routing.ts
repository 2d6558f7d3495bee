/**
 * Routing: which of several models answers. An entry of the registry may stand for others (`models`, chosen as `choose` says)
 * or name another for when it fails (`fallbackLLM`); a next one is asked only while nothing of an answer was handed out.
 */
import { Clock, Effect, Layer, Schema, type Stream } from "effect"
import * as Pull from "../../kernel/Pull.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import { collect } from "./AnswerStream.ts"
import * as Circuits from "./Circuits.ts"
import * as ContextWindow from "./ContextWindow.ts"
import * as LLM from "./LLM.ts"
import * as Models from "./Models.ts"
import type { LLMEvent } from "./Prompt.ts"

export const Settings = Schema.Struct({
  /** Leaves endpoints alone for a while that fail one tenant's calls. Default: not. */
  circuit: Schema.optional(Circuits.Settings)
})
export type Settings = typeof Settings.Type

const make = ({ circuit }: Settings) =>
  Effect.gen(function*() {
    const llm = yield* LLM.LLM
    const models = yield* Models.Models
    const guard = yield* Access.guard("LLM")
    const circuits = circuit === undefined ? Circuits.closed : yield* Circuits.make(circuit)
    const latencies = new Latencies()

    /** The models a name stands for, in the order in which they are asked. */
    const expand = (name: string, seen: Set<string>): Effect.Effect<ReadonlyArray<Models.Model>, LLM.LLMError> =>
      Effect.gen(function*() {
        if (seen.has(name)) return []
        seen.add(name)
        const model = yield* models.get(name)
        const own = model.models.length === 0
          ? [model]
          : sorted(model.choose, (yield* Effect.forEach(model.models, (one) => orNone(one, expand(one, seen)))).flat())
        const after = model.fallback === undefined ? [] : yield* orNone(model.fallback, expand(model.fallback, seen))
        return [...own, ...after]
      })

    const sorted = (choose: Models.Model["choose"], list: ReadonlyArray<Models.Model>) =>
      choose === "order" ? list : list.toSorted(
        choose === "price"
          ? (one, other) => priceOf(one) - priceOf(other)
          : (one, other) => latencies.of(one.name) - latencies.of(other.name)
      )

    const ask = (
      request: LLM.Request,
      [model, ...others]: ReadonlyArray<Models.Model>
    ): Stream.Stream<LLMEvent, LLM.LLMError> =>
      Pull.toStream(Effect.gen(function*() {
        if (model === undefined) return yield* new Models.ModelNotFound({ model: String(request.model), near: [] })
        const endpoint = yield* circuits.of(endpointOf(model))
        const started = yield* Clock.currentTimeMillis
        const begin = Effect.flatMap(Clock.currentTimeMillis, (now) => {
          latencies.add(model.name, now - started)
          return circuits.answered(endpoint)
        })
        const tell = (error: LLM.LLMError) =>
          error._tag !== "ConnectorError"
            ? Effect.void
            : Circuits.isDown(error)
            ? circuits.failed(endpoint)
            : circuits.answered(endpoint)
        const next = (error: LLM.LLMError): Pull.Opened<LLMEvent, LLM.LLMError> =>
          !concernsModel(error)
            ? Effect.fail(error)
            : Effect.zipRight(
              Effect.logWarning(`"${model.name}" failed, "${others[0]?.name}" is asked: ${error.message}`),
              Pull.open(ask(request, others))
            )
        const answer = Pull.tapError(tell)(llm.stream({ ...request, model: model.name }))
        const first = Effect.zipLeft(Pull.begun(Pull.open(answer)), begin)
        const asked = others.length === 0 ? first : Effect.catchAll(Pull.alone(first), next)
        return yield* Effect.matchEffect(circuits.enter(endpoint, "stream"), {
          onFailure: (open) => others.length === 0 ? Effect.fail(open) : Pull.open(ask(request, others)),
          onSuccess: () => asked
        })
      }))

    const chosen = (request: LLM.Request, name: string) =>
      Effect.map(expand(name, new Set()), (list) => list.length === 1 ? list : able(request, list))

    const open = Effect.fnUntraced(function*(request: LLM.Request) {
      const candidate = yield* guard.candidate("stream")
      if (typeof request.model !== "string") return llm.stream(request)
      return Candidate.streamAs(ask(request, yield* chosen(request, request.model)), candidate)
    })

    const stream = (request: LLM.Request) => Pull.unwrap(open(request))
    return LLM.LLM.of({
      stream,
      generate: (request) => collect(stream(request)),
      check: Effect.fnUntraced(function*(model) {
        yield* guard.candidate("check")
        if (typeof model !== "string") return yield* llm.check(model)
        const [first, ...others] = yield* expand(model, new Set())
        const checked = others.reduce<Effect.Effect<void, unknown>>(
          (before, { name }) => Effect.orElse(before, () => llm.check(name)),
          llm.check(first?.name ?? model)
        )
        // What is wrong with the first is what there is to be done.
        return yield* Effect.orElse(checked, () => llm.check(first?.name ?? model))
      }),
      // Of the model that is asked first.
      count: Effect.fnUntraced(function*(request) {
        yield* guard.candidate("count")
        if (typeof request.model !== "string") return yield* llm.count(request)
        const [first] = yield* chosen(request, request.model)
        return yield* llm.count({ ...request, model: first?.name ?? request.model })
      })
    })
  })

/** `LLM` that knows what the registry's entries say of each other. */
export const layer = (settings: Settings = {}): Layer.Layer<LLM.LLM, never, LLM.LLM | Models.Models> =>
  Layer.effect(LLM.LLM, make(settings))

/** How long models let one wait for the first piece of an answer, lately; those nobody knows are to be tried. */
class Latencies {
  readonly #millis = new Map<string, number>()
  of(model: string): number {
    return this.#millis.get(model) ?? 0
  }
  add(model: string, millis: number): void {
    const before = this.#millis.get(model)
    this.#millis.delete(model)
    if (this.#millis.size >= maxMeasured) this.#millis.delete(this.#millis.keys().next().value!)
    this.#millis.set(model, before === undefined ? millis : before * 0.8 + millis * 0.2)
  }
}
const maxMeasured = 10_000

/** An entry that leads nowhere must not keep the others from answering. */
const orNone = (name: string, self: Effect.Effect<ReadonlyArray<Models.Model>, LLM.LLMError>) =>
  Effect.catchTag(
    self,
    "ModelNotFound",
    ({ message }) => Effect.as(Effect.logWarning(`"${name}" is left out of a choice of models: ${message}`), [])
  )

/** Those that say they can do what the request needs come first; none that it is too large for, if there is another. */
const able = (request: LLM.Request, models: ReadonlyArray<Models.Model>): ReadonlyArray<Models.Model> => {
  const tokens = request.messages.reduce((sum, message) => sum + ContextWindow.tokensOf(message), 0)
  const large = models.filter(({ contextTokens }) => contextTokens === undefined || contextTokens >= tokens)
  const needs = needsOf(request)
  const can = ({ features }: Models.Model) => features.length === 0 || needs.every((need) => features.includes(need))
  const list = large.length === 0 ? models : large
  return [...list.filter(can), ...list.filter((model) => !can(model))]
}

const needsOf = ({ messages, tools = [], webSearch }: LLM.Request): ReadonlyArray<string> => {
  const types = messages.flatMap((message) =>
    message.role === "user"
      ? message.content.flatMap((part) => part.type === "file" ? [featureFor(part.mediaType)] : [])
      : []
  )
  const media = ["image", "audio", "video", "document"].filter((type) => types.includes(type))
  return [...media, ...(tools.length === 0 ? [] : ["tools"]), ...(webSearch === undefined ? [] : ["search"])]
}

const featureFor = (mediaType: string): string =>
  mediaType === "application/pdf" ? "document" : mediaType.split("/")[0] ?? ""

const endpointOf = ({ baseURL = "", provider }: Models.Model) => `${provider.toLowerCase()} ${baseURL}`

const priceOf = ({ prices }: Models.Model) => prices === undefined ? Infinity : prices.input + prices.output

/** Whether another model may do better: not where the request itself is wrong, or not the asker's to make. */
const concernsModel = (error: LLM.LLMError): boolean =>
  error._tag === "MissingCredentials" || (error._tag === "ConnectorError" && error.reason !== "InvalidInput")
