/**
 * A conversation with a model that may use tools: a turn asks the model, runs the tools it calls, tells it their results and
 * asks again, until it answers without a call or a budget is used up. What tools give is data: it changes neither who is
 * asking, nor the tools, nor the budgets.
 */
import { Chunk, type Duration, Effect, identity, Mailbox, Ref, Schema, type Scope, type Stream } from "effect"
import * as Pull from "../../kernel/Pull.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as LLMContext from "../memory/LLMContext.ts"
import * as ContextWindow from "./ContextWindow.ts"
import * as ConversationMemory from "./ConversationMemory.ts"
import * as LLM from "./LLM.ts"
import { ModelAnswer } from "./ModelAnswer.ts"
import * as Models from "./Models.ts"
import * as Prompt from "./Prompt.ts"
import * as ToolCalls from "./ToolCalls.ts"

export type { ConversationTool } from "./ToolCalls.ts"

const Interruption = Schema.Literal("length", "content-filter", "error", "max_tool_calls")

/**
 * `start`, then anything in any number, then `end` once; or a failure instead of `end`. Every `toolCall` is followed by its
 * `toolResult`.
 */
export const ConversationEvent = Schema.Union(
  Schema.Struct({ type: Schema.Literal("start") }),
  Schema.Struct({ type: Schema.Literal("content"), text: Schema.String }),
  Schema.Struct({ type: Schema.Literal("thinking"), text: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("toolCall"),
    id: Schema.String,
    name: Schema.String,
    params: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    /** What to tell a person while it runs. */
    status: Schema.String
  }),
  Schema.Struct({
    type: Schema.Literal("toolResult"),
    id: Schema.String,
    name: Schema.String,
    result: Schema.Unknown,
    isFailure: Schema.Boolean
  }),
  Schema.Struct({ type: Schema.Literal("usage"), usage: Prompt.Usage }),
  /** The answer is less than it could be: cut off, withheld, or a budget of tools was used up. */
  Schema.Struct({ type: Schema.Literal("interrupted"), reason: Interruption }),
  /** `text`: all content of the turn. */
  Schema.Struct({ type: Schema.Literal("end"), text: Schema.String, reason: Prompt.FinishReason })
)
export type ConversationEvent = typeof ConversationEvent.Type

export type ConversationError = LLM.LLMError | LLMContext.LLMContextError | ContextWindow.ContextExceeded

export interface ConversationOptions<R = never> {
  readonly model: string | LLM.ModelSpec
  /** The system prompt; empty for none. */
  readonly system: string
  /** Of two tools with one name, the first is used. */
  readonly tools: ReadonlyArray<ToolCalls.ConversationTool<R>>
  /** Calls of tools in one turn. Default 100. */
  readonly maxToolCalls?: number | undefined
  /** How often in one turn the model may call tools. Default 25. */
  readonly maxRounds?: number | undefined
  /** Tools at work at once. Default 4. */
  readonly concurrency?: number | undefined
  /** After this a tool counts as failed. Default 10 minutes. */
  readonly toolTimeout?: Duration.DurationInput | undefined
  /**
   * Keeps the history under this id, in the home of whoever asks: what is said at once is answered in turn. Without it, the
   * history lasts as long as the conversation.
   */
  readonly history?: { readonly id: string } | undefined
  /** What is remembered beyond the history: see {@link ConversationMemory.make}. Default: nothing. */
  readonly memory?: ConversationMemory.Memory | undefined
  readonly parameters?: Prompt.Parameters | undefined
  /** Used at most of the model's context. Default 131 072. */
  readonly contextTokens?: number | undefined
}

export interface Conversation<R = never> {
  /**
   * One turn, to its end as the candidate who began to consume it. The history gets the whole turn just before `end`; of one
   * that failed or was interrupted it gets nothing.
   */
  readonly prompt: (
    message: string,
    files?: ReadonlyArray<Prompt.FilePart>
  ) => Stream.Stream<ConversationEvent, ConversationError, R>
  /** The text of a whole turn. */
  readonly ask: (message: string, files?: ReadonlyArray<Prompt.FilePart>) => Effect.Effect<string, ConversationError, R>
}

export const make = Effect.fnUntraced(function*<R = never>(options: ConversationOptions<R>) {
  const llm = yield* LLM.LLM
  const models = yield* Models.Models
  const history = yield* historyOf(options.history)
  const memory = options.memory ?? ConversationMemory.none

  /** A model the registry does not know is for the LLM service to refuse. */
  const modelSizes = Effect.suspend(() => {
    const { model } = options
    const given = typeof model === "string"
      ? {}
      : { contextTokens: model.contextTokens, outputTokens: model.outputTokens }
    return models.get(typeof model === "string" ? model : model.modelId).pipe(
      Effect.map((known) => ({
        contextTokens: given.contextTokens ?? known.contextTokens,
        outputTokens: given.outputTokens ?? known.outputTokens
      })),
      Effect.catchTag("ModelNotFound", () => Effect.succeed(given))
    )
  })

  const begin = Effect.fnUntraced(function*(message: Prompt.Message) {
    const who = yield* Candidate.current
    const within = yield* history.turn
    const earlier = yield* history.load
    const note = yield* memory.note(options.tools)
    const given = { ...options, tools: [...options.tools, ...note.tools] }
    const before = [...systemOf(options.system, note.system), ...earlier]
    const declared = declaredOf(given.tools)
    const fitter = yield* ContextWindow.fitter(llm, { ...options.parameters, model: options.model, tools: declared })
    const window = windowOf(given, yield* modelSizes, fitter)
    const seen = Effect.orElseSucceed(ContextWindow.fit([...before, message], window), () => before)
    const recalled = yield* memory.recall(message, seen)
    const turn = turnOf({
      options: given,
      declared,
      llm,
      fitter,
      window,
      before: [...before, ...recalled],
      message,
      within
    })
    const keep = Effect.suspend(() => Effect.zipRight(history.append(turn.messages), memory.keep(turn.messages)))
    const events = Pull.inTurn(function*(): Parts<R> {
      yield said({ type: "start" })
      yield* turn.parts()
      yield Pull.unwrap(Effect.map(keep, () => said(turn.end())))
    })
    return Candidate.streamAs(events, who)
  })

  const prompt: Conversation<R>["prompt"] = (message, files) => Pull.unwrap(begin(Prompt.user(message, files)))
  const conversation: Conversation<R> = { prompt, ask: (message, files) => answerOf(prompt(message, files)) }
  return conversation
})

/** The first of a name is the one that is run. */
const declaredOf = <R>(tools: ConversationOptions<R>["tools"]): ReadonlyArray<Prompt.Tool> => {
  const named = new Map(tools.toReversed().map(({ tool }) => [tool.name, tool]))
  return tools.map(({ tool }) => tool).filter((tool) => named.get(tool.name) === tool)
}

const systemOf = (...texts: ReadonlyArray<string>): ReadonlyArray<Prompt.Message> => {
  const text = texts.filter((one) => one !== "").join("\n\n")
  return text === "" ? [] : [Prompt.system(text)]
}

/** The text a turn ended with. */
export const answerOf = <E, R>(events: Stream.Stream<ConversationEvent, E, R>): Effect.Effect<string, E, R> =>
  Effect.suspend(() => {
    let text = ""
    const see = (event: ConversationEvent) => {
      if (event.type === "end") text = event.text
    }
    return Effect.map(Pull.forEach(events, see), () => text)
  })

interface History {
  readonly turn: Effect.Effect<LLMContext.Within, LLMContext.LLMContextError, Scope.Scope>
  readonly load: Effect.Effect<ReadonlyArray<Prompt.Message>, LLMContext.LLMContextError>
  readonly append: (messages: ReadonlyArray<Prompt.Message>) => Effect.Effect<void, LLMContext.LLMContextError>
}

const historyOf = (stored: { readonly id: string } | undefined): Effect.Effect<History, never, LLMContext.LLMContext> =>
  Effect.gen(function*() {
    const context = yield* LLMContext.LLMContext
    if (stored !== undefined) {
      return {
        turn: context.turn(stored.id),
        load: context.load(stored.id),
        append: (messages) => context.append(stored.id, messages)
      }
    }
    const kept = yield* Ref.make<ReadonlyArray<Prompt.Message>>([])
    return {
      turn: Effect.succeed(identity),
      load: Ref.get(kept),
      append: (messages) => Ref.update(kept, (before) => LLMContext.latest([...before, ...messages]))
    }
  })

/** What the model's context holds beside the answer and the tools. */
const windowOf = <R>(
  { contextTokens = 131_072, parameters }: ConversationOptions<R>,
  model: { readonly contextTokens?: number | undefined; readonly outputTokens?: number | undefined },
  { count, declared }: ContextWindow.Fitter
): ContextWindow.Window => {
  const context = Math.min(contextTokens, model.contextTokens || Infinity)
  const answer = Math.min(parameters?.maxTokens ?? 8192, model.outputTokens || Infinity, Math.floor(context / 2))
  return { contextTokens: context, reserve: answer + declared, count }
}

type Events<R> = Stream.Stream<ConversationEvent, ConversationError, R>

/** What is said, part by part: what comes next is found out when the part before is over. */
type Parts<R> = Generator<Events<R>, void>

/* ------------------------------------------------------------------------------------------------------------------
 * One turn
 * ---------------------------------------------------------------------------------------------------------------- */

interface TurnOptions<R> {
  readonly options: ConversationOptions<R>
  readonly declared: ReadonlyArray<Prompt.Tool>
  readonly llm: typeof LLM.LLM.Service
  readonly fitter: ContextWindow.Fitter
  readonly window: ContextWindow.Window
  readonly before: ReadonlyArray<Prompt.Message>
  readonly message: Prompt.Message
  readonly within: LLMContext.Within
}

const turnOf = <R>({ before, declared, fitter, llm, message, options, window, within }: TurnOptions<R>) => {
  const { concurrency = 4, maxRounds = 25, maxToolCalls = 100, parameters, toolTimeout = "10 minutes" } = options
  const tools: ToolCalls.Tools<R> = new Map(options.tools.toReversed().map((one) => [one.tool.name, one]))
  const messages: Array<Prompt.Message> = [message]
  let text = ""
  let rounds = 0
  let callsLeft = maxToolCalls
  let reason: Prompt.FinishReason = "unknown"

  /** Half of the room left, so that no result takes it from the rounds to come. */
  const limitsFor = (calls: number): ToolCalls.Limits => {
    const kept = [...before.filter(({ role }) => role === "system"), ...messages]
    const used = window.reserve + fitter.sizeOf(kept)
    return { timeout: toolTimeout, maxResultTokens: Math.max(0, Math.floor((window.contextTokens - used) / 2 / calls)) }
  }

  /** One answer of the model, which fills `answer`. */
  const ask = (answer: ModelAnswer, last: boolean): Events<R> =>
    Pull.unwrap(Effect.map(fitter.fit([...before, ...messages], window), (fitted) =>
      llm.stream({
        ...parameters,
        model: options.model,
        messages: last ? [...fitted, Prompt.user(summarise)] : fitted,
        ...(last || declared.length === 0 ? {} : { tools: declared })
      }).pipe(Pull.via(Effect.map(Chunk.filterMap((event) => answer.add(event)))))))

  /** The calls of an answer that are to be run. */
  const take = (answer: ModelAnswer, last: boolean): ReadonlyArray<ToolCalls.Call> => {
    reason = answer.reason
    text += answer.text
    // Of an answer that was cut off nobody knows whether the arguments of its calls are whole.
    const calls = interruptionOf(reason) === undefined && !last ? answer.calls : []
    const content = answer.content(calls.length > 0)
    if (content.length > 0) messages.push({ role: "assistant", content })
    return calls
  }

  /** The events of tools at work, with what they say meanwhile; what they say as content belongs to the answer. */
  const withSpoken = (
    work: (say: ToolCalls.Say, tell: (event: ConversationEvent) => void) => Effect.Effect<void, never, R>
  ): Events<R> =>
    Pull.toStream(Effect.flatMap(Mailbox.make<ConversationEvent>(), (events) => {
      const tell = (event: ConversationEvent) => void events.unsafeOffer(event)
      const say: ToolCalls.Say = (kind, words) => {
        if (kind === "content") text += words
        tell({ type: kind, text: words })
      }
      const next = Effect.flatMap(
        events.takeAll,
        ([elements, isDone]) => isDone && Chunk.isEmpty(elements) ? Pull.end : Effect.succeed(elements)
      )
      return Effect.as(Effect.forkScoped(Mailbox.into(work(say, tell), events)), next)
    }))

  /** Whether all of the calls could be run. */
  const callTools = function*(calls: ReadonlyArray<ToolCalls.Call>): Generator<Events<R>, boolean> {
    rounds += 1
    const allowed = rounds > maxRounds ? 0 : Math.min(calls.length, callsLeft)
    callsLeft -= allowed
    const results: Array<Prompt.ToolResultPart> = []
    const limits = limitsFor(calls.length)
    const execute = (call: ToolCalls.Call, at: number, say: ToolCalls.Say) =>
      at < allowed ? within(ToolCalls.run(call, tools, limits, say)) : Effect.succeed(ToolCalls.pending(call))
    yield said(...calls.map(({ part }): ConversationEvent => ({
      type: "toolCall",
      id: part.id,
      name: part.name,
      params: part.params,
      status: tools.get(part.name)?.status ?? `Calling ${part.name}`
    })))
    yield withSpoken((say, tell) => {
      const early = new Map<number, Prompt.ToolResultPart>()
      // In the order of the calls, whichever is done first.
      const done = (result: Prompt.ToolResultPart, at: number) => {
        early.set(at, result)
        for (let next = early.get(results.length); next !== undefined; next = early.get(results.length)) {
          results.push(next)
          tell({ ...next, type: "toolResult" })
        }
      }
      return Effect.forEach(
        calls,
        (call, at) => Effect.map(execute(call, at, say), (result) => done(result, at)),
        { concurrency: Math.max(1, concurrency), discard: true }
      )
    })
    messages.push({ role: "tool", content: results })
    return allowed === calls.length
  }

  const parts = function*(): Parts<R> {
    for (let last = false;;) {
      const answer = new ModelAnswer()
      yield ask(answer, last)
      const calls = take(answer, last)
      const cut = interruptionOf(reason)
      if (cut !== undefined) yield said(interrupted(cut))
      if (calls.length === 0) return
      last = !(yield* callTools(calls))
      if (last) yield said(interrupted("max_tool_calls"))
    }
  }

  return { parts, messages, end: (): ConversationEvent => ({ type: "end", text, reason }) }
}

const summarise =
  "No more tool calls are allowed in this turn. Answer now with what you know, and say what is left undone."

const said = (...events: ReadonlyArray<ConversationEvent>): Stream.Stream<ConversationEvent> =>
  Pull.fromIterable(events)

const interrupted = (reason: typeof Interruption.Type): ConversationEvent => ({ type: "interrupted", reason })

const interruptionOf = (reason: Prompt.FinishReason) =>
  reason === "length" || reason === "content-filter" || reason === "error" ? reason : undefined
