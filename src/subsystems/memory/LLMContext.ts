/** LLMContext: the histories of conversations, kept in Storage in the asker's home and as safe as anything there. */
import { Context, type Duration, Effect, identity, Layer, Option, ParseResult, RcMap, Schema, type Scope } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Address from "../../security/Address.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Storage, type StorageError } from "../io/Storage.ts"
import { turnsOf } from "../llm/ContextWindow.ts"
import { Message } from "../llm/Prompt.ts"

/** More than one conversation may hold: nothing of the append was stored. */
export class ConversationFull extends Schema.TaggedError<ConversationFull>()("ConversationFull", {
  conversation: Schema.String,
  maxMessages: Schema.Int,
  maxBytes: Schema.Int
}) {
  override get message(): string {
    return `The conversation "${this.conversation}" would exceed ${this.maxMessages} messages or ${this.maxBytes} bytes. ` +
      `Clear it, or begin another`
  }
}

export type LLMContextError = ConversationFull | Exclude<StorageError, { readonly _tag: "ObjectNotFound" }>

/** Ids have no slashes and are segments of a key. A conversation nobody appended to is empty. */
export class LLMContext extends Context.Tag("effect-sre/LLMContext")<LLMContext, {
  readonly load: (conversation: string) => Effect.Effect<ReadonlyArray<Message>, LLMContextError>
  /** All of the messages or none, next to each other; concurrent appends lose nothing. */
  readonly append: (
    conversation: string,
    messages: ReadonlyArray<Message>
  ) => Effect.Effect<void, LLMContextError>
  /**
   * Turns of a conversation in this process go one after the other: waits for the one before, ten minutes at most, and is over
   * with the scope. What is run {@link Within} the turn does not wait for it.
   */
  readonly turn: (conversation: string) => Effect.Effect<Within, LLMContextError, Scope.Scope>
  /** Also succeeds when there is nothing to clear. */
  readonly clear: (conversation: string) => Effect.Effect<void, LLMContextError>
}>() {}

/** Runs what belongs to a turn, such as its tools. */
export type Within = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** The turns that are under way around an effect. */
class UnderWay extends Context.Reference<UnderWay>()("effect-sre/LLMContextUnderWay", {
  defaultValue: (): ReadonlySet<string> => new Set()
}) {}

export const maxMessages = 10_000
export const maxBytes = 16 * 1024 * 1024

const make = Effect.gen(function*() {
  const storage = yield* Storage
  const guard = yield* Access.guard("LLMContext")
  const locks = yield* RcMap.make({ lookup: (_conversation: string) => Effect.makeSemaphore(1) })

  return LLMContext.of({
    load: Effect.fnUntraced(
      function*(conversation) {
        yield* guard.candidate("load")
        const stored = yield* storage.read(yield* keyOf(conversation))
        return yield* parse(conversation, stored)
      },
      Effect.catchTag("ObjectNotFound", () => Effect.succeed<ReadonlyArray<Message>>([])),
      traced("LLMContext.load")
    ),
    append: Effect.fnUntraced(function*(conversation, messages) {
      yield* guard.candidate("append")
      const key = yield* keyOf(conversation)
      if (messages.length === 0) return
      const added = Buffer.from(yield* print(messages))
      yield* storage.modify(key, (stored) => {
        const next = Buffer.concat([Option.getOrElse(stored, () => header), added])
        return next.length > maxBytes || linesIn(next) - 1 > maxMessages
          ? Effect.fail(new ConversationFull({ conversation, maxMessages, maxBytes }))
          : Effect.succeed(next)
      })
    }, traced("LLMContext.append")),
    turn: Effect.fnUntraced(function*(conversation) {
      const candidate = yield* guard.candidate("turn")
      const name = `${Candidate.format(candidate)} ${yield* keyOf(conversation)}`
      const around = yield* UnderWay
      if (around.has(name)) return identity
      const lock = yield* RcMap.get(locks, name)
      yield* Effect.uninterruptibleMask((restore) =>
        Effect.zipRight(restore(taken(lock, conversation)), Effect.addFinalizer(() => lock.release(1)))
      )
      return Effect.provideService(UnderWay, new Set([...around, name]))
    }, traced("LLMContext.turn")),
    clear: Effect.fnUntraced(function*(conversation) {
      yield* guard.candidate("clear")
      yield* storage.remove(yield* keyOf(conversation))
    }, traced("LLMContext.clear"))
  })
})

export const layer: Layer.Layer<LLMContext, never, Storage> = Layer.scoped(LLMContext, make)

const keyOf = (conversation: string): Effect.Effect<string, Address.InvalidKey> =>
  conversation.includes("/")
    ? Effect.fail(
      new Address.InvalidKey({ key: conversation.slice(0, 200), problem: "the id of a conversation has no slashes" })
    )
    : Effect.succeed(`${folder}/${conversation}`)

/** Of the home of whoever keeps the conversation. */
export const folder = "conversations"

/* ------------------------------------------------------------------------------------------------------------------
 * The stored form: a line with the version, then a line for every message, so that an append reads none of them
 * ---------------------------------------------------------------------------------------------------------------- */

const header = Buffer.from(`{"version":1}\n`)

const Line = Schema.parseJson(Message)
const decodeLines = ParseResult.decodeUnknown(Schema.Array(Line))
const encodeLines = ParseResult.encode(Schema.Array(Line))

const print = (messages: ReadonlyArray<Message>) =>
  Effect.mapBoth(encodeLines(messages), {
    onSuccess: (lines) => lines.map((line) => `${line}\n`).join(""),
    onFailure: () => unusable("append", "InvalidInput", "a message holds a value that JSON does not")
  })

const parse = (conversation: string, bytes: Uint8Array) => {
  const [first, ...lines] = new TextDecoder().decode(bytes).split("\n").slice(0, -1)
  return `${first}\n` !== header.toString()
    ? Effect.fail(corrupted(conversation))
    : Effect.mapError(decodeLines(lines), () => corrupted(conversation))
}

const linesIn = (bytes: Uint8Array): number => {
  let count = 0
  for (const byte of bytes) if (byte === newline) count++
  return count
}
const newline = 10

/** As long as a tool may take. */
const patience: Duration.DurationInput = "10 minutes"

/** Given back if it comes in the moment in which the time for it is over. */
const taken = (lock: Effect.Semaphore, conversation: string) =>
  Effect.suspend(() => {
    let isTaken = false
    const take = Effect.uninterruptibleMask((restore) =>
      Effect.map(restore(lock.take(1)), () => {
        isTaken = true
      })
    )
    const detail = `the message before in the conversation "${conversation}" is still being answered`
    return take.pipe(
      Effect.timeoutFail({ duration: patience, onTimeout: () => unusable("turn", "Timeout", detail) }),
      Effect.onError(() => isTaken ? lock.release(1) : Effect.void)
    )
  })

const corrupted = (conversation: string) =>
  unusable("load", "Corrupted", `the conversation "${conversation}" cannot be read; clear it, or begin another`)

const unusable = (method: string, reason: "Corrupted" | "InvalidInput" | "Timeout", detail: string) =>
  new ConnectorError({ connector: "LLMContext", method, reason, detail })

/** The latest whole turns of at most {@link maxMessages} messages, for histories that are not stored. */
export const latest = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  const turns = turnsOf(messages)
  let total = messages.length
  const from = turns.findIndex((turn) => total <= maxMessages || (total -= turn.length) < 0)
  return from <= 0 ? messages : turns.slice(from).flat()
}
