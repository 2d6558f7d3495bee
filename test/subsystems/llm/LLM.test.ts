import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Either,
  Exit,
  Fiber,
  Layer,
  Option,
  Redacted,
  Ref,
  Scope,
  Stream,
  TestClock
} from "effect"
import { OpenAILLM } from "../../../src/connectors/llm/OpenAILLM.ts"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Access from "../../../src/security/Access.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import { Models } from "../../../src/subsystems/llm/Models.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { UsageSink } from "../../../src/subsystems/llm/Usage.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"

const u1 = Candidate.user("u1")
const hello = { model: "gpt-4o", messages: [Prompt.user("hello")] }
const usage = { inputTokens: 1, outputTokens: 2, cacheReadTokens: 3, cacheWriteTokens: 4, reasoningTokens: 5 }
const finish: Prompt.LLMEvent = { type: "finish", reason: "stop" }
const text = (delta: string): Prompt.LLMEvent => ({ type: "text", delta })
const failure = (reason: ConnectorError["reason"], retryAfter?: Duration.DurationInput) =>
  new ConnectorError({
    connector: "OpenAI",
    method: "stream",
    reason,
    ...(retryAfter === undefined ? {} : { retryAfter: Duration.decode(retryAfter) })
  })

type Try = Stream.Stream<Prompt.LLMEvent, ConnectorError>

/** `LLM` over one provider that answers with `tries`, one a call, and the secrets of homes. */
const setup = (tries: ReadonlyArray<Try>, options: {
  readonly secrets?: Readonly<Record<string, string>>
  readonly teams?: Access.TeamsOf
  readonly apiKey?: string
  readonly models?: Record<string, unknown>
} = {}) =>
  Effect.gen(function*() {
    const asked: Array<LLM.ProviderRequest> = []
    const records: Array<object> = []
    const { secrets = { "user:u1/openai": "sk-u1" } } = options
    const provider: LLM.LLMProvider = {
      provider: "OpenAI",
      credentials: {
        environment: "OPENAI_API_KEY",
        apiKey: options.apiKey === undefined ? undefined : Redacted.make(options.apiKey),
        required: true
      },
      stream: (request) =>
        Stream.suspend(() => {
          asked.push(request)
          return tries[Math.min(asked.length, tries.length) - 1] ?? Stream.empty
        })
    }
    const vault = Layer.succeed(Vault.VaultConnector, {
      shared: Option.none(),
      get: (owner, name) => Effect.succeed(Option.map(Option.fromNullable(secrets[`${owner}/${name}`]), Redacted.make)),
      names: () => Effect.succeed([]),
      set: () => Effect.void,
      remove: () => Effect.void
    })
    const context = yield* Layer.build(Layer.provide(
      Layer.provideMerge(LLM.layer, JSONModels.layer(options.models === undefined ? {} : { models: options.models })),
      [
        LLM.providers([Layer.succeed(LLM.LLMConnector, provider)]),
        Layer.provide(Vault.layer, vault),
        Layer.succeed(UsageSink, (record) => Effect.sync(() => void records.push(record))),
        Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["OPENAI_API_KEY", "sk-env"]])))
      ]
    )).pipe(Effect.provideService(Access.Teams, options.teams ?? (() => Effect.succeed([]))))
    return { llm: Context.get(context, LLM.LLM), models: Context.get(context, Models), asked, records }
  })

const events = (...list: ReadonlyArray<Prompt.LLMEvent>): Try => Stream.fromIterable(list)
const keyOf = (request: LLM.ProviderRequest | undefined) =>
  request?.apiKey === undefined ? undefined : Redacted.value(request.apiKey)

describe("who may ask", () => {
  it.scoped("nobody unknown: refused before anything is looked at", () =>
    Effect.gen(function*() {
      const { asked, llm } = yield* setup([events(finish)])
      assert.strictEqual((yield* Effect.flip(llm.generate({ ...hello, model: "no such" })))._tag, "NoCandidate")
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(llm.stream(hello))))._tag, "NoCandidate")
      assert.lengthOf(asked, 0)
    }))

  it.scoped("a stream stays its first consumer's, whoever goes on with it", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const who = Effect.map(Candidate.current, (candidate) => void seen.push(Candidate.format(candidate)))
      const { llm } = yield* setup([Stream.concat(
        Stream.mapEffect(events(text("a"), text("b")), (event) => Effect.as(Effect.orDie(who), event)),
        Stream.rechunk(events(finish), 1)
      )])
      const scope = yield* Scope.make()
      const pull = yield* Scope.extend(Stream.toPull(llm.stream(hello)), scope)
      const rest = Effect.forever(pull).pipe(Effect.option)
      yield* Candidate.as(pull, u1)
      yield* Candidate.as(rest, Candidate.user("u2"))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(seen, ["user:u1", "user:u1"])
    }))
})

describe("the key", () => {
  it.scoped("is the asker's own from the vault", () =>
    Effect.gen(function*() {
      const { asked, llm } = yield* setup([events(finish)], {
        secrets: { "team:t1/openai": "sk-t1", "user:u2/openai": "sk-u2" },
        apiKey: "sk-operator",
        teams: () => Effect.succeed(["t1"])
      })
      yield* Candidate.as(llm.generate(hello), u1)
      yield* Candidate.as(llm.generate(hello), Candidate.user("u2"))
      assert.deepStrictEqual(asked.map(keyOf), ["sk-t1", "sk-u2"])
    }))

  it.scoped("is missing: the failure says where it was looked for, and the provider is not asked", () =>
    Effect.gen(function*() {
      const { asked, llm } = yield* setup([events(finish)], { secrets: {} })
      const error = yield* Effect.flip(Candidate.as(llm.generate(hello), u1))
      assert.deepInclude({ ...error }, { _tag: "MissingCredentials", lookedIn: [`secret "openai" of the vault`] })
      assert.lengthOf(asked, 0)
    }))

  it.scoped("of the operator's settings serves every model of the operator, the environment's those that say so", () =>
    Effect.gen(function*() {
      const { asked, llm } = yield* setup([events(finish)], { secrets: {}, apiKey: "sk-operator" })
      yield* Candidate.as(llm.generate(hello), u1)
      yield* Candidate.as(llm.generate({ ...hello, model: "gpt-4-turbo" }), u1)
      const other = yield* setup([events(finish)], { secrets: {} })
      yield* Candidate.as(other.llm.generate({ ...hello, model: "gpt-4-turbo" }), u1)
      assert.deepStrictEqual([...asked, ...other.asked].map(keyOf), ["sk-operator", "sk-operator", "sk-env"])
    }))

  it.scoped("of the operator goes to no address and no model that an asker chose", () =>
    Effect.gen(function*() {
      const { asked, llm, models } = yield* setup([events(finish)], { secrets: {}, apiKey: "sk-operator" })
      const theirs = "https://elsewhere.example/v1"
      const internal = { credentials: "internal" as const }
      yield* Effect.gen(function*() {
        yield* models.add("mine", { provider: "OpenAI", baseURL: theirs, ...internal })
        yield* models.add("gpt-4-turbo", { alias: "gpt-4-turbo", baseURL: theirs, ...internal })
        yield* models.add("renamed", { provider: "OpenAI", modelId: "gpt-4o", ...internal })
        yield* llm.generate({ ...hello, model: "mine" })
        yield* llm.generate({ ...hello, model: "gpt-4-turbo" })
        yield* llm.generate({ ...hello, model: { provider: "OpenAI", modelId: "gpt-4-turbo", baseURL: theirs } })
        assert.strictEqual(
          (yield* Effect.flip(llm.generate({ ...hello, model: "renamed" })))._tag,
          "MissingCredentials"
        )
        assert.strictEqual(
          (yield* Effect.flip(llm.generate({ ...hello, model: { provider: "OpenAI", modelId: "gpt-4o-custom" } })))
            ._tag,
          "MissingCredentials"
        )
      }).pipe(Candidate.as(u1))
      assert.deepStrictEqual(asked.map(({ baseURL }) => baseURL), [theirs, theirs, theirs])
      assert.deepStrictEqual(asked.map(keyOf), [undefined, undefined, undefined])
    }))

  it.scoped("written into the operator's registry does not leave its address either", () =>
    Effect.gen(function*() {
      const theirs = "https://elsewhere.example/v1"
      const { asked, llm, models } = yield* setup([events(finish)], {
        secrets: {},
        models: { house: { provider: "OpenAI", credentials: { apiKey: "sk-house" } } }
      })
      yield* Effect.gen(function*() {
        yield* models.add("mine", { alias: "house", baseURL: theirs })
        yield* llm.generate({ ...hello, model: "mine" })
        yield* models.add("house", { alias: "house", baseURL: theirs })
        yield* llm.generate({ ...hello, model: "house" })
      }).pipe(Candidate.as(u1))
      const u2 = Candidate.as(Candidate.user("u2"))
      yield* u2(llm.generate({ ...hello, model: { provider: "OpenAI", modelId: "house", baseURL: theirs } }))
      yield* u2(llm.generate({ ...hello, model: "house" }))
      assert.deepStrictEqual(asked.map(keyOf), [undefined, undefined, undefined, "sk-house"])
    }))

  it.scoped("in the operator's registry is shown to nobody", () =>
    Effect.gen(function*() {
      const { models } = yield* setup([], {
        models: { house: { provider: "OpenAI", credentials: { apiKey: "sk-house" } } }
      })
      const shown = yield* Candidate.as(Effect.all([models.get("house"), models.list]), u1)
      assert.notInclude(JSON.stringify(shown), "sk-house")
    }))

  it.scoped("is not needed to see that a model of an asker must not lead into the operator's own network", () =>
    Effect.gen(function*() {
      const { asked, llm, models } = yield* setup([events(finish)])
      yield* Effect.gen(function*() {
        for (const baseURL of ["http://169.254.169.254/v1", "http://localhost:11434/v1", "http://10.0.0.7/v1"]) {
          yield* models.add("mine", { provider: "OpenAI", baseURL })
          const error = yield* Effect.flip(llm.generate({ ...hello, model: "mine" }))
          assert.match(error.message, /must not be asked/)
        }
      }).pipe(Candidate.as(u1))
      assert.deepStrictEqual(asked, [])
    }))

  it.scoped("given with the model is the one", () =>
    Effect.gen(function*() {
      const { asked, llm } = yield* setup([events(finish)])
      const model = { provider: "OpenAI", modelId: "gpt-4o", apiKey: Redacted.make("sk-given") }
      yield* Candidate.as(llm.generate({ ...hello, model }), u1)
      assert.deepStrictEqual(asked.map(keyOf), ["sk-given"])
    }))

  it.scopedLive("of two teams never mixes, over a hundred calls at once", () =>
    Effect.gen(function*() {
      const server = yield* OpenAIServer.make(({ body, headers }) =>
        `${headers.authorization} ${body.length > 0 ? "" : "?"}`
      )
      const connector = OpenAILLM.contract({ baseURL: server.baseURL })
      const secrets: Record<string, string> = { "team:t1": "sk-t1", "team:t2": "sk-t2" }
      const context = yield* Layer.build(Layer.provide(LLM.layer, [
        LLM.providers([connector]),
        JSONModels.layer({}),
        Layer.provide(
          Vault.layer,
          Layer.succeed(Vault.VaultConnector, {
            shared: Option.none(),
            get: (owner) =>
              Effect.delay(Effect.succeed(Option.map(Option.fromNullable(secrets[owner]), Redacted.make)), "2 millis"),
            names: () => Effect.succeed([]),
            set: () => Effect.void,
            remove: () => Effect.void
          })
        )
      ])).pipe(
        Effect.provideService(Access.Teams, ({ id }) => Effect.succeed([Number(id.slice(1)) % 2 === 0 ? "t2" : "t1"]))
      )
      const llm = Context.get(context, LLM.LLM)
      const answers = yield* Effect.forEach(Array.from({ length: 100 }, (_, n) => n), (n) =>
        Candidate.as(llm.generate(hello), Candidate.user(`u${n}`)), { concurrency: "unbounded" })
      answers.forEach(({ text }, n) =>
        assert.strictEqual(text, `Bearer sk-${n % 2 === 0 ? "t2" : "t1"} `)
      )
    }))
})

describe("the request", () => {
  const generate = (request: Partial<LLM.Request>, models?: Record<string, unknown>) =>
    Effect.gen(function*() {
      const { asked, llm } = yield* setup([events(finish)], models === undefined ? {} : { models })
      yield* Candidate.as(llm.generate({ ...hello, ...request }), u1)
      return asked[0]!
    })

  it.scoped("names the model as its provider does, and asks for no more than it can write", () =>
    Effect.gen(function*() {
      const { maxTokens, modelId, outputTokens } = yield* generate({ model: "gpt-4o", maxTokens: 1_000_000 })
      assert.deepStrictEqual({ maxTokens, modelId, outputTokens }, {
        maxTokens: 16384,
        modelId: "gpt-4o-2024-08-06",
        outputTokens: 16384
      })
      assert.strictEqual((yield* generate({ maxTokens: 10 })).maxTokens, 10)
      assert.isUndefined((yield* generate({})).maxTokens)
    }))

  it.scoped("takes from the registry what the call leaves out", () =>
    Effect.gen(function*() {
      const models = { tuned: { provider: "OpenAI", params: { temperature: 0.1, topP: 0.5 }, credentials: "vault" } }
      const { temperature, topP } = yield* generate({ model: "tuned", temperature: 1 }, models)
      assert.deepStrictEqual([temperature, topP], [1, 0.5])
    }))

  it.scoped("for JSON says so in the system message", () =>
    Effect.gen(function*() {
      const bare = yield* generate({ responseFormat: "json" })
      assert.match(JSON.stringify(bare.messages[0]), /"system".*JSON/)
      const own = yield* generate({ responseFormat: "json", messages: [Prompt.system("Be kind."), Prompt.user("hi")] })
      assert.lengthOf(own.messages, 2)
      assert.match(JSON.stringify(own.messages[0]), /Be kind\..*JSON/)
    }))

  it.scoped("for an unknown model fails with names that are near", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(generate({ model: "gpt-4oo" }))
      assert.deepInclude({ ...error }, { _tag: "ModelNotFound", model: "gpt-4oo" })
      assert.include(error.message, `"gpt-4o"`)
    }))

  it.scoped("for a provider that is not installed says which are", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(generate({ model: "claude-4-sonnet" }))
      assert.deepInclude({ ...error }, { reason: "Unsupported", connector: "Anthropic" })
      assert.match(error.message, /Installed: OpenAI/)
    }))
})

describe("the answer", () => {
  const outcome = (...tries: ReadonlyArray<Try>) =>
    Effect.gen(function*() {
      const { asked, llm, records } = yield* setup(tries)
      const seen = yield* Ref.make<ReadonlyArray<Prompt.LLMEvent>>([])
      const fiber = yield* Effect.fork(Candidate.as(
        Effect.either(
          Stream.runForEach(llm.stream(hello), (event) => Ref.update(seen, (before) => [...before, event]))
        ),
        u1
      ))
      yield* TestClock.adjust("5 minutes")
      return { result: yield* Fiber.join(fiber), seen: yield* Ref.get(seen), tries: asked.length, records }
    })

  it.scoped("ends at its finish, whatever a provider sends after it", () =>
    Effect.gen(function*() {
      const { result, seen } = yield* outcome(Stream.concat(events(text("a"), finish, text("b"), finish), Stream.never))
      assert.isTrue(Either.isRight(result))
      assert.deepStrictEqual(seen, [text("a"), finish])
    }))

  it.scoped("without a finish is a failure, and is not asked for again", () =>
    Effect.gen(function*() {
      const { result, seen, tries } = yield* outcome(events(text("a")))
      assert.deepInclude({ ...Either.getOrThrow(Either.flip(result)) }, { reason: "Protocol" })
      assert.deepStrictEqual([seen, tries], [[text("a")], 1])
    }))

  it.scoped("is asked for again while nothing has come and the failure may pass", () =>
    Effect.gen(function*() {
      const busy = Stream.fail(failure("Unavailable"))
      assert.deepInclude(yield* outcome(busy, busy, events(finish)), { seen: [finish], tries: 3 })
      assert.deepInclude(yield* outcome(busy), { seen: [], tries: 3 })
      assert.deepInclude(yield* outcome(Stream.fail(failure("Unauthorized"))), { tries: 1 })
    }))

  it.scoped("is not asked for again once something has come", () =>
    Effect.gen(function*() {
      const { result, seen, tries } = yield* outcome(
        Stream.concat(events(text("a")), Stream.fail(failure("Unavailable"))),
        events(finish)
      )
      assert.isTrue(Either.isLeft(result))
      assert.deepStrictEqual([seen, tries], [[text("a")], 1])
    }))

  it.scoped("is waited for as long as the provider asks, if that is not long", () =>
    Effect.gen(function*() {
      const { asked, llm } = yield* setup([Stream.fail(failure("RateLimited", "20 seconds")), events(finish)])
      const fiber = yield* Effect.fork(Candidate.as(llm.generate(hello), u1))
      yield* TestClock.adjust("19 seconds")
      assert.lengthOf(asked, 1)
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(fiber)
      assert.lengthOf(asked, 2)
      assert.deepInclude(yield* outcome(Stream.fail(failure("RateLimited", "10 minutes"))), { tries: 1 })
    }))

  it.scoped("as a whole is its stream put together, and nothing when that fails", () =>
    Effect.gen(function*() {
      const call: Prompt.LLMEvent = { type: "toolCall", id: "c1", name: "f", arguments: "{}" }
      const { llm } = yield* setup([
        events({ type: "reasoning", delta: "hm" }, text("a"), text("b"), call, { type: "usage", usage }, finish),
        Stream.concat(events(text("half")), Stream.fail(failure("Protocol")))
      ])
      assert.deepStrictEqual(yield* Candidate.as(llm.generate(hello), u1), {
        text: "ab",
        reasoning: "hm",
        toolCalls: [{ id: "c1", name: "f", arguments: "{}" }],
        usage,
        reason: "stop"
      })
      const error = yield* Effect.flip(Candidate.as(llm.generate(hello), u1))
      assert.notInclude(JSON.stringify(error), "half")
    }))

  it.scoped("has its usage recorded, also when it then fails or nobody listens to the end", () =>
    Effect.gen(function*() {
      const spent = events({ type: "usage", usage })
      const entry = { candidate: u1, model: "gpt-4o", provider: "OpenAI", usage }
      const { records } = yield* outcome(Stream.concat(spent, Stream.fail(failure("Protocol"))))
      assert.deepInclude({ ...records[0] }, entry)
      const left = yield* setup([Stream.concat(spent, Stream.never)])
      const first = yield* Candidate.as(Stream.runCollect(Stream.take(left.llm.stream(hello), 1)), u1)
      assert.lengthOf(Chunk.toReadonlyArray(first), 1)
      assert.deepInclude({ ...left.records[0] }, entry)
    }))
})
