/** The text of an agent document, and who may read it: what stores of documents have in common. */
import { Effect, Either, Option, Predicate } from "effect"
import * as JsonText from "../../kernel/JsonText.ts"
import * as Acl from "../../security/Acl.ts"
import type * as Candidate from "../../security/Candidate.ts"

export interface AgentFile {
  readonly id: string
  readonly name: string | undefined
  /** Where the host is to serve it. */
  readonly domain: string | undefined
  readonly source: string
  readonly document: unknown
  readonly problem: string | undefined
}

/** Larger documents are not read. */
export const maxBytes = 20 * 1024 * 1024

export const extension = ".smyth"

/** What a file is called is the id of a document that has none. */
export const idOf = (source: string): string => source.slice(source.lastIndexOf("/") + 1).replace(/\.smyth$/, "")

export const broken = (source: string, problem: string): AgentFile => ({
  id: idOf(source),
  name: undefined,
  domain: undefined,
  source,
  document: undefined,
  problem
})

export const parse = (source: string, text: string): AgentFile =>
  Either.match(JsonText.parse(text), {
    onLeft: (problem) => broken(source, problem),
    onRight: (document) => {
      if (!Predicate.isReadonlyRecord(document)) return broken(source, "not a JSON object")
      // Both layouts: the agent itself, or `{ data: agent }` as agent stores export it.
      const { domain, id, name } = Predicate.isReadonlyRecord(document["data"])
        ? { ...document, ...document["data"] }
        : document
      return {
        id: typeof id === "string" && id !== "" ? id : idOf(source),
        name: typeof name === "string" ? name : undefined,
        domain: typeof domain === "string" && domain !== "" ? domain.toLowerCase() : undefined,
        source,
        document,
        problem: undefined
      }
    }
  })

/** A document is its owner's (a team's, mostly), and the agent may read its own. */
export const ownedBy = (owner: Candidate.Candidate) => (id: string): { readonly acl: Acl.Acl } => ({
  acl: Acl.ownedBy(owner, { role: "agent", id })
})

/** What a store with a place for what is deployed and one for what is worked on can say of all its documents. */
export const overBoth = <E>(
  production: Effect.Effect<ReadonlyArray<AgentFile>, E>,
  development: Effect.Effect<ReadonlyArray<AgentFile>, E>,
  owned: ReturnType<typeof ownedBy>
) => ({
  findByDomain: (domain: string) =>
    Effect.zipWith(production, development, (one, other) => {
      const file = [...one, ...other].find((file) => file.domain === domain && file.problem === undefined)
      return Option.map(Option.fromNullable(file), ({ id }) => ({ id, ...owned(id) }))
    }),
  list: Effect.zipWith(production, development, (inProduction, inDevelopment) => {
    const deployed = new Set(inProduction.flatMap(({ id, problem }) => problem === undefined ? [id] : []))
    const developed = new Set(inDevelopment.map(({ id }) => id))
    return [...inDevelopment, ...inProduction.filter(({ id }) => !developed.has(id))].map((file) => ({
      id: file.id,
      name: file.name,
      source: file.source,
      deployed: deployed.has(file.id),
      problem: file.problem,
      ...owned(file.id)
    }))
  })
})
