/** Where {@link SmythLog} sends records: how each server is asked, and what its answer says of every record. */
import { Effect, ParseResult, Redacted, Schema } from "effect"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import type { LogRecord } from "../../subsystems/io/Log.ts"
import * as JsonHttp from "../JsonHttp.ts"
import type { Identified, Outcome, Send } from "./Delivery.ts"
import * as LogLine from "./LogLine.ts"

/** The JSON of a 2xx answer. Answers may quote records, so errors name codes only. */
export type Post = (call: Omit<JsonHttp.Call, "method">) => Effect.Effect<unknown, ConnectorError>

export const poster = (connector: string, http: JsonHttp.JsonHttp): Post => (call) =>
  Effect.flatMap(http("write", { method: "POST", ...call }), (answer) =>
    answer.status >= 200 && answer.status < 300
      ? Effect.succeed(answer.json)
      : Effect.fail(
        new ConnectorError({
          connector,
          method: "write",
          reason: reasonOf(answer.status),
          detail: `${new URL(call.url).host} answers with status ${answer.status}`,
          ...JsonHttp.retryAfter(answer)
        })
      ))

/** Most of 4xx say that this request will never do; all else may be put right at the server. */
const reasonOf = (status: number): Reason =>
  status === 401 || status === 403
    ? "Unauthorized"
    : status === 404
    ? "NotFound"
    : status === 429
    ? "RateLimited"
    : status === 408 || status === 504
    ? "Timeout"
    : status >= 400 && status < 500
    ? "InvalidInput"
    : "Unavailable"

const delivered: Outcome = { retry: [], refused: [] }

/** `false`: a time, a level and one line of text, for people. */
type Structured = { readonly structured: boolean }

/* ------------------------------------------------------------------------------------------------------------------
 * Elasticsearch and OpenSearch: https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
 * ---------------------------------------------------------------------------------------------------------------- */

interface Elasticsearch extends Structured {
  readonly url: string
  readonly index: string
  readonly apiKey?: Redacted.Redacted | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
}

/** `create` with the record's own id: one that is there already is answered with 409, so none is stored twice. */
export const elasticsearch = (
  post: Post,
  { apiKey, index, password, structured, url, username }: Elasticsearch
): Send => {
  const authorization = apiKey !== undefined
    ? `ApiKey ${Redacted.value(apiKey)}`
    : username !== undefined && password !== undefined
    ? `Basic ${Buffer.from(`${username}:${Redacted.value(password)}`).toString("base64")}`
    : undefined
  const headers = {
    "content-type": "application/x-ndjson",
    ...(authorization === undefined ? {} : { authorization })
  }
  return (records) =>
    post({
      url: `${url}/${encodeURIComponent(index)}/_bulk`,
      headers,
      text: records.map(({ id, record }) =>
        `${JSON.stringify({ create: { _id: id } })}\n${LogLine.oneLine(JSON.stringify(document(record, structured)))}\n`
      ).join("")
    }).pipe(
      Effect.flatMap(decodeBulk),
      Effect.mapError((error) => error._tag === "ConnectorError" ? error : notTheProtocol),
      Effect.filterOrFail(({ items }) => items.length === records.length, () => notTheProtocol),
      Effect.map(({ items }) => ({
        retry: records.filter((_, at) => isPassing(items[at]!.create.status)),
        refused: items.flatMap(({ create: { error, status } }) =>
          status < 300 || status === 409 || isPassing(status) ? [] : [`${error?.type ?? "refused"} (${status})`]
        )
      }))
    )
}

/** Fields of the Elastic Common Schema where it has them: https://www.elastic.co/docs/reference/ecs */
const document = (record: LogRecord, structured: boolean) => {
  const { candidate, error, level, message, time, ...rest } = LogLine.fields(record)
  const common = { "@timestamp": time, log: { level } }
  return structured
    ? { ...common, message, error: error === undefined ? undefined : { message: error }, sre: { candidate, ...rest } }
    : { ...common, message: LogLine.pretty(record) }
}

const isPassing = (status: number) => status === 429 || status >= 500

const decodeBulk = ParseResult.decodeUnknown(Schema.Struct({
  items: Schema.Array(Schema.Struct({
    create: Schema.Struct({
      status: Schema.Int,
      error: Schema.optional(Schema.Struct({ type: Schema.String.pipe(Schema.pattern(/^\w{1,80}$/)) }))
    })
  }))
}))

/* ------------------------------------------------------------------------------------------------------------------
 * OpenTelemetry: https://opentelemetry.io/docs/specs/otlp/#otlphttp
 * ---------------------------------------------------------------------------------------------------------------- */

interface Otlp extends Structured {
  readonly url: string
  readonly headers: Readonly<Record<string, Redacted.Redacted>>
  readonly serviceName: string
}

/** The protocol knows no ids: a request whose answer is lost arrives twice, with the same `log.record.uid`. */
export const otlp = (post: Post, { headers, serviceName, structured, url }: Otlp): Send => {
  const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Redacted.value(value)]))
  return (records) =>
    post({
      url: `${url}/v1/logs`,
      headers: sent,
      body: {
        resourceLogs: [{
          resource: { attributes: [attribute("service.name", serviceName)] },
          scopeLogs: [{
            scope: { name: "effect-sre" },
            logRecords: records.map((one) => otlpRecord(one, structured))
          }]
        }]
      }
    }).pipe(
      Effect.flatMap((answer) => decodePartial(answer ?? {})),
      Effect.mapError((error) => error._tag === "ConnectorError" ? error : notTheProtocol),
      Effect.map(({ partialSuccess: { rejectedLogRecords } }) => ({
        retry: [],
        refused: Array.from({ length: rejectedLogRecords }, () => "rejected by the collector")
      }))
    )
}

const otlpRecord = ({ id, record }: Identified, structured: boolean) => {
  const { candidate, level, message, time: _, ...rest } = LogLine.fields(record)
  const attributes = structured
    ? Object.entries({ candidate, ...rest }).flatMap(([name, value]) =>
      value === undefined ? [] : [attribute(`sre.${name}`, value)]
    )
    : []
  return {
    timeUnixNano: `${Math.trunc(record.time)}000000`,
    severityNumber: severities[level],
    severityText: level.toUpperCase(),
    body: { stringValue: structured ? message : LogLine.pretty(record) },
    attributes: [attribute("log.record.uid", id), ...attributes]
  }
}

const severities = { debug: 5, info: 9, warning: 13, error: 17 } as const

const attribute = (key: string, value: string | number) => ({
  key,
  value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value }
})

const decodePartial = ParseResult.decodeUnknown(Schema.Struct({
  partialSuccess: Schema.optionalWith(
    Schema.Struct({
      rejectedLogRecords: Schema.optionalWith(
        Schema.Union(Schema.Number, Schema.NumberFromString).pipe(Schema.between(0, 1000)),
        {
          default: () => 0
        }
      )
    }),
    { default: () => ({ rejectedLogRecords: 0 }), nullable: true }
  )
}))

/* ------------------------------------------------------------------------------------------------------------------
 * A server of one's own, or the managed one
 * ---------------------------------------------------------------------------------------------------------------- */

interface Http {
  readonly url: string
  readonly token: Redacted.Redacted
}

/** `{ "records": [{ "id", "record" }] }`; any 2xx answer takes them all. A server keeps one of each id. */
export const http = (post: Post, { token, url }: Http): Send => {
  const headers = { authorization: `Bearer ${Redacted.value(token)}` }
  return (records) => Effect.as(post({ url, headers, body: { records } }), delivered)
}

const notTheProtocol = new ConnectorError({
  connector: "SmythLog",
  method: "write",
  reason: "Protocol",
  detail: "the answer is not one of such a server; check the setting \"url\""
})
