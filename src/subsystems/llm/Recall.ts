/**
 * Recall: what a caller said, and was told, in all conversations with whoever keeps them, found again by its likeness to a new
 * message. Every caller has a namespace of {@link VectorDB}, every turn of a conversation its data sources in it.
 */
import { DateTime, Effect, Option, Stream } from "effect"
import * as Ids from "../../kernel/Ids.ts"
import * as TextChunks from "../io/TextChunks.ts"
import { type Hit, VectorDB } from "../io/VectorDB.ts"
import type * as Prompt from "./Prompt.ts"

/** The caller whose words they are, and the conversation they belong to; names within the home of the asker. */
export interface Place {
  readonly owner: string
  readonly conversation: string
}

/** A piece of a message. */
export interface Said {
  readonly by: string
  /** ISO 8601. */
  readonly at: string
  readonly text: string
}

export interface Limits {
  readonly topK: number
  /** The least cosine: what is less like the message is left out. */
  readonly minScore: number
}

/** What is most like the message, the nearest first; nothing of what `seen` says already, and nothing twice. */
export const find = Effect.fnUntraced(function*(
  owner: string,
  message: Prompt.Message,
  seen: ReadonlyArray<Prompt.Message>,
  { minScore, topK }: Limits
) {
  const query = textsOf(message).join("\n").slice(0, maxQuery).trim()
  if (query === "") return []
  const vectors = yield* VectorDB
  const known = new Set([message, ...seen].flatMap(textsOf).flatMap((text) => TextChunks.split(text, sizes)))
  // What is known already may be the nearest.
  const most = Math.min(maxHits, known.size + 10 * topK)
  const hits = yield* vectors.search(namespaceOf(owner), query, { topK: most }).pipe(
    Effect.catchTag("NamespaceNotFound", () => Effect.succeed<ReadonlyArray<Hit>>([]))
  )
  const fresh = hits.filter(({ score }) => score >= minScore).map(saidOf).filter(({ text }) =>
    text !== "" && !known.has(text) && known.add(text)
  )
  return fresh.slice(0, topK)
})

/** Indexes the texts of a turn. */
export const keep = Effect.fnUntraced(function*(
  { conversation, owner }: Place,
  messages: ReadonlyArray<Prompt.Message>
) {
  const vectors = yield* VectorDB
  const namespace = namespaceOf(owner)
  const turn = yield* Ids.make("turn")
  const at = DateTime.formatIso(yield* DateTime.now)
  const sources = ["user", "assistant"].flatMap((by) => {
    const text = messages.filter(({ role }) => role === by).flatMap(textsOf)
    return text.length === 0
      ? []
      : [{ id: `${turn}.${by}`, text, label: by, metadata: { conversation, by, at }, ...sizes }]
  })
  const index = Effect.forEach(sources, (source) => vectors.createDatasource(namespace, source), { discard: true })
  yield* Effect.catchTag(index, "NamespaceNotFound", () =>
    vectors.createNamespace(namespace).pipe(
      Effect.catchTag("NamespaceExists", () => Effect.void),
      Effect.zipRight(index)
    ))
})

/** Removes what was said in the conversation; also succeeds when there is nothing to remove. */
export const forget = Effect.fnUntraced(function*({ conversation, owner }: Place) {
  const vectors = yield* VectorDB
  const namespace = namespaceOf(owner)
  const sources = yield* Stream.runCollect(Stream.unwrap(vectors.listDatasources(namespace)))
  const own = Array.from(sources).filter(({ metadata }) => metadata["conversation"] === conversation)
  yield* Effect.forEach(own, ({ id }) => vectors.deleteDatasource(namespace, id), { discard: true })
}, Effect.catchTag("NamespaceNotFound", () => Effect.void))

/** Removes what the caller said, and was told, in all conversations. */
export const forgetAll = (owner: string) =>
  Effect.flatMap(VectorDB, (vectors) => vectors.deleteNamespace(namespaceOf(owner)))

const namespaceOf = (owner: string) => `recall/${owner}`

/** In characters: a piece is to be one thought, and several of them small beside a history. */
const sizes: TextChunks.Sizes = { chunkSize: 1000, chunkOverlap: 100 }
/** Characters of a text that are indexed. */
const maxIndexed = 32_768
/** Characters of a message that others are compared with; models that embed take about as many. */
const maxQuery = 8192
const maxHits = 200

/** What can be found of a message, as it is indexed. Results of tools are nobody's words. */
const textsOf = (message: Prompt.Message): ReadonlyArray<string> =>
  message.role === "system" || message.role === "tool" ?
    [] :
    message.content.flatMap((part) =>
      part.type === "text" && part.text.trim() !== "" ? [part.text.slice(0, maxIndexed).toWellFormed()] : []
    )

const saidOf = ({ metadata, text }: Hit): Said => ({
  by: String(metadata["by"]),
  at: String(metadata["at"]),
  text: Option.getOrElse(text, () => "")
})
