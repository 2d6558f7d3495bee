/**
 * AgentData in a database ({@link Sql}): of each agent a draft, any number of versions, and which of them is deployed.
 * {@link save}, {@link release} and {@link remove} are for who builds agents; an agent's own rights do not reach them.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Either, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as JsonText from "../../kernel/JsonText.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as AgentData from "../../subsystems/io/AgentData.ts"
import * as Sql from "../Sql.ts"
import * as AgentFile from "./AgentFile.ts"

const Settings = Schema.Struct(Sql.settings)

export const SQLAgentData = Connector.make({
  name: "SQL",
  aliases: ["SQLAgentData"],
  contract: AgentData.AgentDataConnector,
  service: AgentData.layer,
  settings: Settings,
  make: Effect.fnUntraced(function*(settings) {
    const { run } = yield* Sql.open(name, settings, tables)

    return AgentData.AgentDataConnector.of({
      get: Effect.fnUntraced(function*(id, version) {
        if (!isId(id)) return Option.none()
        const [row] = yield* run("get", (sql) =>
          Option.match(version, {
            onNone: () => sql<DocumentRow>`SELECT team, draft AS document FROM sre_agents WHERE id = ${id}`,
            onSome: (version) =>
              sql<DocumentRow>`SELECT a.team, v.document FROM sre_agents a
                JOIN sre_agent_versions v ON v.agent = a.id AND v.version = ${
                version === latest ? sql`a.deployed` : sql`${Sql.toBytes(version)}`
              } WHERE a.id = ${id}`
          }))
        if (row?.document === undefined || row.document === null) return Option.none()
        const source = `${id}${
          Option.match(version, { onNone: () => "", onSome: (version) => ` in version ${version}` })
        }`
        const document = yield* Either.mapLeft(
          JsonText.parse(row.document),
          (problem) => failure("get", "Corrupted", `${source}: ${problem}`)
        )
        return Option.some({ id, document, source, ...AgentFile.ownedBy(Candidate.team(row.team))(id) })
      }),
      findByDomain: (domain) =>
        Effect.map(
          run("findByDomain", (sql) =>
            sql<AgentRow>`SELECT id, team FROM sre_agents WHERE domain = ${Sql.toBytes(domain)} ORDER BY id LIMIT 1`),
          ([row]) =>
            Option.map(Option.fromNullable(row), ({ id, team }) => ({
              id,
              ...AgentFile.ownedBy(Candidate.team(team))(id)
            }))
        ),
      list: Effect.map(
        run("list", (sql) => sql<AgentRow>`SELECT id, team, name, deployed FROM sre_agents ORDER BY id`),
        (rows) =>
          rows.map(({ deployed, id, name, team }) => ({
            id,
            name: name ?? undefined,
            source: id,
            deployed: deployed !== null,
            problem: undefined,
            ...AgentFile.ownedBy(Candidate.team(team))(id)
          }))
      )
    })
  })
})

/** `AgentData` in the database named by `SRE_SQL_URL`. */
export const SQLAgentDataLive = SQLAgentData.layerConfig(Sql.config)

/** The text of an agent's document, and the team whose it is: that of the first time stays. */
export interface Draft {
  readonly document: string
  readonly team: string
  /** For a document without an id of its own. */
  readonly fallbackId?: string
}

/** Keeps a document as the draft of its agent and gives the agent's id. */
export const save = (settings: typeof Settings.Encoded, { document, fallbackId, team }: Draft) =>
  writing(settings, "save", (sql) =>
    Effect.gen(function*() {
      const file = AgentFile.parse(`${fallbackId ?? ""}${AgentFile.extension}`, document)
      if (file.problem !== undefined) return yield* failure("save", "InvalidInput", file.problem)
      if (!isId(file.id)) return yield* failure("save", "InvalidInput", `"${file.id}" is not an id of an agent`)
      if (document.length > AgentFile.maxBytes) {
        return yield* failure("save", "InvalidInput", "the document is too large")
      }
      const row = {
        name: file.name ?? null,
        domain: file.domain === undefined ? null : Sql.toBytes(file.domain),
        draft: document
      }
      const saved = yield* Sql.rows(
        sql`UPDATE sre_agents SET ${sql.update(row)} WHERE id = ${file.id} AND team = ${team}`
      )
      // One of another team is a conflict of keys.
      if (saved === 0) yield* sql`INSERT INTO sre_agents ${sql.insert({ id: file.id, team, ...row })}`
      return file.id
    }))

/** Makes the draft a version, which then never changes, and deploys it. */
export const release = (settings: typeof Settings.Encoded, id: string, version: string) =>
  writing(settings, "release", (sql) =>
    Effect.gen(function*() {
      if (version === "" || version === latest) {
        return yield* failure("release", "InvalidInput", `a version cannot be called "${version}"`)
      }
      const [row] = yield* sql<DocumentRow>`SELECT team, draft AS document FROM sre_agents WHERE id = ${id}`
      if (row?.document === undefined || row.document === null) {
        return yield* failure("release", "NotFound", `there is no draft of "${id}"`)
      }
      const key = Sql.toBytes(version)
      yield* sql`INSERT INTO sre_agent_versions ${sql.insert({ agent: id, version: key, document: row.document })}`
      yield* sql`UPDATE sre_agents SET deployed = ${key} WHERE id = ${id}`
    }))

/** Removes an agent with all its versions. */
export const remove = (settings: typeof Settings.Encoded, id: string) =>
  writing(settings, "remove", (sql) =>
    Effect.zipRight(
      sql`DELETE FROM sre_agent_versions WHERE agent = ${id}`,
      Effect.asVoid(sql`DELETE FROM sre_agents WHERE id = ${id}`)
    ))

const writing = <A, E>(
  settings: typeof Settings.Encoded,
  method: string,
  use: (sql: SqlClient) => Effect.Effect<A, E | SqlError>
) =>
  Effect.scoped(Effect.gen(function*() {
    const { transaction } = yield* Sql.open(name, yield* Schema.decode(Settings)(settings), tables)
    return yield* transaction(method, use)
  }))

const name = "SQLAgentData"
const latest = "latest"

const tables: Sql.Migrations = {
  name: "agentdata",
  steps: [
    (sql, type) => [
      sql`CREATE TABLE IF NOT EXISTS sre_agents (
        id ${type.id} NOT NULL, team ${type.id} NOT NULL, name ${type.text}, domain ${type.key(255)},
        draft ${type.text}, deployed ${type.key(128)}, PRIMARY KEY (id), UNIQUE (domain, id))`,
      sql`CREATE TABLE IF NOT EXISTS sre_agent_versions (
        agent ${type.id} NOT NULL, version ${type.key(128)} NOT NULL, document ${type.text} NOT NULL,
        PRIMARY KEY (agent, version))`
    ]
  ]
}

interface DocumentRow {
  readonly team: string
  readonly document: string | null
}
interface AgentRow {
  readonly id: string
  readonly team: string
  readonly name: string | null
  readonly deployed: Uint8Array | null
}

const isId = Schema.is(Candidate.CandidateId)

const failure = (method: string, reason: ConnectorError["reason"], detail: string) =>
  new ConnectorError({ connector: name, method, reason, detail })
