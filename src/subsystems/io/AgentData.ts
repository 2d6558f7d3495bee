/** AgentData: where agent documents come from. Callers use {@link AgentData}, stores implement {@link AgentDataConnector}. */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { type ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { didYouMean } from "../../kernel/Nearest.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type { Acl } from "../../security/Acl.ts"

/** No document of that id (and version) that the asker may read. */
export class AgentNotFound extends Schema.TaggedError<AgentNotFound>()("AgentNotFound", {
  id: Schema.String,
  version: Schema.optional(Schema.String),
  /** Ids the asker may read. */
  available: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const version = this.version === undefined ? "" : ` in version "${this.version}"`
    return `No agent "${this.id}"${version}.${didYouMean(this.id, this.available)}`
  }
}

export type AgentDataError = AgentNotFound | Access.AccessError

export interface StoredAgent {
  /** The document's own id, or the one the store gives it. */
  readonly id: string
  /** The document as stored: JSON of any shape. */
  readonly document: unknown
  /** Where it came from, for messages: a file name, a row. */
  readonly source: string
}

export interface AgentSummary {
  readonly id: string
  readonly name: string | undefined
  readonly source: string
  /** Whether a production version exists. */
  readonly deployed: boolean
  /** Why the document cannot be read, with the place in it. */
  readonly problem: string | undefined
}

interface Owned {
  /** Who may read it: given by the store, never by the document. */
  readonly acl: Acl
}

/** A read-only store. No version: the development document. `latest`: the production one. Others: as the store has them. */
export class AgentDataConnector extends Context.Tag("effect-sre/AgentDataConnector")<AgentDataConnector, {
  /** Fails with reason `Corrupted` when the stored document is not JSON, naming the place. */
  readonly get: (
    id: string,
    version: Option.Option<string>
  ) => Effect.Effect<Option.Option<StoredAgent & Owned>, ConnectorError>
  /** Whom the host is to serve at `domain`, which is in lower case. */
  readonly findByDomain: (
    domain: string
  ) => Effect.Effect<Option.Option<Pick<StoredAgent, "id"> & Owned>, ConnectorError>
  /** All documents, each once, also those that cannot be read. */
  readonly list: Effect.Effect<ReadonlyArray<AgentSummary & Owned>, ConnectorError>
}>() {}

export class AgentData extends Context.Tag("effect-sre/AgentData")<AgentData, {
  readonly get: (id: string, version?: string) => Effect.Effect<StoredAgent, AgentDataError>
  /** What the asker may read. */
  readonly list: Effect.Effect<ReadonlyArray<AgentSummary>, Access.AccessError>
  readonly isDeployed: (id: string) => Effect.Effect<boolean, Access.AccessError>
  /** The id of the agent at a domain; none where the asker may not read it. */
  readonly findByDomain: (domain: string) => Effect.Effect<Option.Option<string>, Access.AccessError>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* AgentDataConnector
  const guard = yield* Access.guard("AgentData")

  const list = Effect.gen(function*() {
    yield* guard.candidate("list")
    const readable = yield* Effect.filter(
      yield* retrying(connector.list),
      ({ acl, id }) => guard.permits(acl, "read", id)
    )
    return readable.map(({ acl: _, ...summary }): AgentSummary => summary)
  })

  return AgentData.of({
    get: Effect.fnUntraced(function*(id, version) {
      yield* guard.candidate("get")
      const wanted = Option.filter(Option.fromNullable(version), (text) => text !== "")
      const found = yield* retrying(connector.get(id, wanted))
      if (Option.isNone(found)) {
        const available = (yield* list).map((agent) => agent.id)
        return yield* new AgentNotFound({
          id,
          available,
          ...Option.match(wanted, {
            onNone: () => ({}),
            onSome: (version) => ({ version })
          })
        })
      }
      const { acl, ...agent } = found.value
      yield* guard.check(acl, { operation: "get", level: "read", resource: id })
      return agent
    }, traced("AgentData.get")),
    list: traced("AgentData.list")(list),
    isDeployed: Effect.fnUntraced(function*(id) {
      yield* guard.candidate("isDeployed")
      const found = yield* retrying(connector.get(id, Option.some("latest")))
      if (Option.isNone(found)) return false
      yield* guard.check(found.value.acl, { operation: "isDeployed", level: "read", resource: id })
      return true
    }, traced("AgentData.isDeployed")),
    findByDomain: Effect.fnUntraced(function*(domain) {
      yield* guard.candidate("findByDomain")
      const found = yield* retrying(connector.findByDomain(domain.toLowerCase()))
      return Option.isSome(found) && (yield* guard.permits(found.value.acl, "read", found.value.id))
        ? Option.some(found.value.id)
        : Option.none()
    }, traced("AgentData.findByDomain"))
  })
})

export const layer: Layer.Layer<AgentData, never, AgentDataConnector> = Layer.effect(AgentData, make)
