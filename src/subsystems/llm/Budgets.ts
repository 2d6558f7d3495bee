/**
 * Budgets: how much of the models candidates, agents, teams and runs may use. The most a call can take is reserved before it
 * is made and settled when it is over, so that no number of calls at once exceeds a limit.
 */
import { Clock, Duration, Effect, Layer, Schema, Stream } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import { collect } from "./AnswerStream.ts"
import * as BudgetStore from "./BudgetStore.ts"
import * as LLM from "./LLM.ts"
import * as Models from "./Models.ts"
import * as Prices from "./Prices.ts"
import * as Tokenizer from "./Tokenizer.ts"
import * as Usage from "./Usage.ts"

export { BudgetExceeded, BudgetStore } from "./BudgetStore.ts"

const amount = Schema.optional(Schema.Number.pipe(Schema.finite(), Schema.nonNegative()))

const Limits = Schema.Struct({
  tokens: amount,
  /** US dollars, by the prices of the models registry. A model without prices cannot be asked within such a limit. */
  money: amount,
  calls: amount,
  /** Spent in calls, all together; milliseconds. */
  time: amount,
  /** Calls at once. */
  concurrency: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** Milliseconds after which what was used is forgotten, over and over: a budget for a day. Default: never. */
  per: Schema.optional(Schema.DurationFromMillis)
})

export const Settings = Schema.Struct({
  /** Of each user, agent, team, and of each run with the runs it causes. Calls of an agent count for its team, too. */
  user: Schema.optional(Limits),
  agent: Schema.optional(Limits),
  team: Schema.optional(Limits),
  run: Schema.optional(Limits),
  /** Of one, instead of what is said of all of its kind: `agent:a1`. */
  of: Schema.optional(
    Schema.Record({ key: Schema.String.pipe(Schema.pattern(/^(user|agent|team|public):./)), value: Limits })
  ),
  /** A call ends after this where its time is limited: what is reserved for it. Default 5 minutes. */
  longestCall: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(5) })
})
export type Settings = typeof Settings.Type

const make = (settings: Settings) =>
  Effect.gen(function*() {
    const llm = yield* LLM.LLM
    const models = yield* Models.Models
    const store = yield* BudgetStore.BudgetStore
    const teamsOf = yield* Access.Teams
    const guard = yield* Access.guard("LLM")
    const loadCounter = yield* Tokenizer.Tokenizer

    const accountOf = (kind: "user" | "agent" | "team" | "run", scope: string): ReadonlyArray<BudgetStore.Account> => {
      const limits = settings.of?.[scope] ?? settings[kind]
      return limits === undefined ? [] : [{ scope, limits }]
    }

    const accountsOf = Effect.fnUntraced(function*(candidate: Candidate.Candidate) {
      const { run } = yield* Usage.Origin
      const who = Candidate.format(candidate)
      const teams = (yield* teamsOf(candidate)).map((id) => `team:${id}`).filter((team) => team !== who)
      return [
        ...(run === undefined ? [] : accountOf("run", `run:${run}`)),
        ...accountOf(candidate.role === "public" ? "user" : candidate.role, who),
        ...teams.flatMap((team) => accountOf("team", team))
      ]
    })

    const open = Effect.fnUntraced(function*(request: LLM.Request) {
      const accounts = yield* accountsOf(yield* guard.candidate("stream"))
      if (accounts.length === 0) return llm.stream(request)
      const model = yield* LLM.modelOf(models, request.model)
      // What a candidate says of the sizes of a model is not what bounds its calls.
      const sizes: Sizes = model.isCustom || typeof request.model !== "string" ? {} : model
      const limited = (what: BudgetStore.Limited) => accounts.some(({ limits }) => limits[what] !== undefined)
      const { atMost } = yield* loadCounter
      const input = inputOf(request, sizes, atMost)
      const output = outputOf(request, model, sizes)
      if (limited("money") && model.prices === undefined) return yield* unpriced(model, accounts)
      const most: BudgetStore.Amount = {
        tokens: input + output,
        money: model.prices === undefined ? 0 : Prices.mostFor(model.prices, input, output),
        calls: 1,
        time: limited("time") ? Duration.toMillis(settings.longestCall) : 0
      }

      let counted: Usage.Tokens | undefined
      let refused: "before" | "there" | undefined
      const started = yield* Clock.currentTimeMillis
      const used = (now: number): BudgetStore.Amount => {
        const time = now - started
        if (counted !== undefined) {
          const money = model.prices === undefined ? 0 : Prices.costOf(model.prices, counted)
          return { tokens: Math.max(0, Usage.tokensOf(counted)), money: Math.max(0, money), calls: 1, time }
        }
        return refused === undefined
          ? { ...most, time }
          : { tokens: 0, money: 0, calls: refused === "before" ? 0 : 1, time }
      }
      yield* Effect.acquireRelease(
        store.reserve(accounts, most),
        ({ settle }) => Effect.flatMap(Clock.currentTimeMillis, (now) => settle(used(now)))
      )
      // An output nobody has bounded would be known only when it is there.
      const bounded = sizes.outputTokens === undefined && (limited("tokens") || limited("money"))
      return llm.stream(bounded ? { ...request, maxTokens: output } : request).pipe(
        Stream.tap((event) =>
          Effect.sync(() => {
            if (event.type === "usage") counted = Usage.sum(counted ?? Usage.zero, event.usage)
          })
        ),
        Stream.tapError((error) => Effect.sync(() => (refused = refusalOf(error)))),
        (answer) => limited("time") ? endingAfter(answer, settings.longestCall, accounts) : answer
      )
    })

    const stream = (request: LLM.Request) => Stream.unwrapScoped(open(request))
    return LLM.LLM.of({ stream, generate: (request) => collect(stream(request)), check: llm.check })
  })

/** `LLM` within the budgets. */
export const layer = (
  settings: Settings
): Layer.Layer<LLM.LLM, never, LLM.LLM | Models.Models | BudgetStore.BudgetStore> =>
  Layer.effect(LLM.LLM, make(settings))

/** Accounts in memory, for as long as the process. */
export const inMemory: Layer.Layer<BudgetStore.BudgetStore> = Layer.effect(
  BudgetStore.BudgetStore,
  BudgetStore.inMemory()
)

type Sizes = { readonly contextTokens?: number | undefined; readonly outputTokens?: number | undefined }

/**
 * The most the input can be: by its text, but no more than the model takes. What is not there yet counts as all of that: files
 * behind a URL, what the model finds on the web.
 */
const inputOf = (request: LLM.Request, { contextTokens }: Sizes, atMost: (text: string) => number): number => {
  const { messages, responseSchema, tools = [], webSearch } = request
  const files = messages.flatMap((message) =>
    message.role === "user" ? message.content.filter((part) => part.type === "file") : []
  )
  const isOpen = webSearch !== undefined || files.some(({ data }) => /^https?:/.test(data))
  if (isOpen && contextTokens !== undefined) return contextTokens
  const text = messages.map((message) =>
    message.role !== "user" ? message : { role: "user", content: message.content.filter(({ type }) => type !== "file") }
  )
  const bytes = files.reduce((sum, { data }) => sum + data.length, 0)
  const known = atMost(JSON.stringify([text, tools, responseSchema])) + bytes + added
  return Math.min(contextTokens ?? Infinity, known + (isOpen ? usualWindow : 0))
}
/** What the LLM service adds to a request itself, in tokens. */
const added = 200
const usualWindow = 128_000

const outputOf = ({ maxTokens = 0 }: LLM.Request, { params }: Models.Model, { outputTokens }: Sizes): number => {
  // A number that makes no sense is for the provider to refuse, and bounds nothing.
  const asked = maxTokens > 0 ? maxTokens : params.maxTokens ?? Infinity
  const most = Math.min(asked, outputTokens ?? Infinity)
  return Number.isFinite(most) ? most : unbounded
}
const unbounded = 8192

/** `before`: nobody was asked. `there`: the provider refused to answer, which it does not bill. */
const refusalOf = (error: LLM.LLMError): "before" | "there" | undefined =>
  error._tag !== "ConnectorError" ? "before" : refusals.has(error.reason) ? "there" : undefined

const refusals: ReadonlySet<ConnectorError["reason"]> = new Set([
  "InvalidInput",
  "NotFound",
  "RateLimited",
  "Unauthorized",
  "Unsupported"
])

const endingAfter = <A, E>(
  self: Stream.Stream<A, E>,
  time: Duration.Duration,
  accounts: ReadonlyArray<BudgetStore.Account>
) =>
  Stream.interruptWhen(
    self,
    Effect.delay(
      Effect.suspend(() => {
        const { scope } = accounts.find(({ limits }) => limits.time !== undefined)!
        const limit = Duration.toMillis(time)
        return Effect.fail(new BudgetStore.BudgetExceeded({ scope, what: "time", limit, used: limit, asked: limit }))
      }),
      time
    )
  )

const unpriced = (model: Models.Model, accounts: ReadonlyArray<BudgetStore.Account>) =>
  Effect.fail(
    new ConnectorError({
      connector: "Budgets",
      method: "stream",
      reason: "Unsupported",
      detail: `the money of ${
        accounts.find(({ limits }) => limits.money !== undefined)?.scope
      } is limited, and nobody ` +
        `knows what "${model.name}" costs: enter its prices in the models registry`
    })
  )
