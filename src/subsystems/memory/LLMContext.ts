/** LLMContext: the histories of conversations, kept in Storage in the asker's home and as safe as anything there. */
import { Context, Effect, Layer, Option, ParseResult, Schema } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Address from "../../security/Address.ts"
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
  /** Also succeeds when there is nothing to clear. */
  readonly clear: (conversation: string) => Effect.Effect<void, LLMContextError>
}>() {}

export const maxMessages = 10_000
export const maxBytes = 16 * 1024 * 1024

const make = Effect.gen(function*() {
  const storage = yield* Storage
  const guard = yield* Access.guard("LLMContext")

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
    clear: Effect.fnUntraced(function*(conversation) {
      yield* guard.candidate("clear")
      yield* storage.remove(yield* keyOf(conversation))
    }, traced("LLMContext.clear"))
  })
})

export const layer: Layer.Layer<LLMContext, never, Storage> = Layer.effect(LLMContext, make)

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

const corrupted = (conversation: string) =>
  unusable("load", "Corrupted", `the conversation "${conversation}" cannot be read; clear it, or begin another`)

const unusable = (method: string, reason: "Corrupted" | "InvalidInput", detail: string) =>
  new ConnectorError({ connector: "LLMContext", method, reason, detail })

/** The latest whole turns of at most {@link maxMessages} messages, for histories that are not stored. */
export const latest = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  const turns = turnsOf(messages)
  let total = messages.length
  const from = turns.findIndex((turn) => total <= maxMessages || (total -= turn.length) < 0)
  return from <= 0 ? messages : turns.slice(from).flat()
}
