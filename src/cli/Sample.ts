/** A request an endpoint accepts, as a line for a shell. */
import type { LoadedAgent } from "../agents/Agents.ts"
import { defaultModelOf } from "../agents/AgentTools.ts"
import type { Endpoint, EndpointInput } from "../agents/Endpoint.ts"

/** For an agent with a model: a message to it. For any other: a call of its first endpoint. */
export const curl = (
  agent: LoadedAgent,
  { auth, url }: { readonly url: string; readonly auth: "local" | "account" }
): string => {
  const home = `${url}/agents/${encodeURIComponent(agent.id)}`
  const [first] = agent.endpoints
  const key = auth === "account" ? ` -H "Authorization: Bearer $SRE_API_KEY"` : ""
  return first === undefined || defaultModelOf(agent.definition.document) !== undefined
    ? `curl -sN${key}${post(`${home}/chat`, { message: "Hello, who are you?" })}`
    : `curl -s${key}${call(`${home}/api/${encodeURIComponent(first.name)}`, first)}`
}

const call = (url: string, { inputs, method }: Endpoint): string => {
  const values = inputs.filter(({ required }) => required).map((input) => [input.name, valueOf(input)] as const)
  if (method === "POST") return post(url, Object.fromEntries(values))
  const query = values.map(([name, value]) =>
    `${encodeURIComponent(name)}=${encodeURIComponent(typeof value === "string" ? value : JSON.stringify(value))}`
  )
  return ` ${quoted([url, ...(query.length === 0 ? [] : [query.join("&")])].join("?"))}`
}

const post = (url: string, body: unknown) =>
  ` ${quoted(url)} -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`

/** A value of the input's type; of a text, one that fits what it is called. */
export const valueOf = (
  { description, fallback, name, type }: Pick<EndpointInput, "name" | "type" | "description" | "fallback">
): unknown => {
  if (fallback !== undefined) return fallback
  switch (type.toLowerCase()) {
    case "number":
    case "integer":
      return 1
    case "boolean":
      return true
    case "array":
      return ["hello"]
    case "object":
      return { id: 1 }
    case "date":
      return "2025-01-31"
    case "binary":
    case "image":
    case "audio":
    case "video":
    case "file":
      return "data:text/plain;base64,aGVsbG8="
    default:
      return texts.find(([words]) => words.test(name) || words.test(description))?.[1] ?? "hello"
  }
}

const texts: ReadonlyArray<readonly [words: RegExp, text: string]> = [
  [/\bcity\b/i, "Berlin"],
  [/e-?mail/i, "ada@example.com"],
  [/\b(url|link|website)\b/i, "https://example.com/"],
  [/\bcountry\b/i, "Germany"],
  [/\blanguage\b/i, "en"],
  [/^name$/i, "Ada"]
]

/** One word for a POSIX shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`
