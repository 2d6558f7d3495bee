/** Headers that prove who somebody is: no agent gets to see them. */
const credentials: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "x-api-key"
])

/** Names in lower case, as they come. */
export const withoutCredentials = (
  headers: Readonly<Record<string, string | undefined>>
): Readonly<Record<string, string>> => {
  const rest: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (typeof value === "string" && !credentials.has(name)) rest[name] = value
  }
  return rest
}
