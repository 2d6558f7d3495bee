/** Where an answer comes from, for models that search: listed at its end, in the order of the marks in its text. */
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"

export interface Source {
  readonly url: string
  readonly title: string | undefined
}

/** Of a list of addresses, or of records with `url` and `title`; whatever else a server sends is left out. */
export const from = (cited: unknown): ReadonlyArray<Source> =>
  !Array.isArray(cited) ? [] : cited.slice(0, maxSources).flatMap((one: unknown): ReadonlyArray<Source> => {
    if (typeof one === "string") return [{ url: one, title: undefined }]
    const { title, url } = (one ?? {}) as { readonly url?: unknown; readonly title?: unknown }
    return typeof url === "string" ? [{ url, title: typeof title === "string" ? title : undefined }] : []
  })

const maxSources = 200

/** Empty without sources, and where a list would spoil the answer: JSON is nothing but JSON. */
export const list = (sources: ReadonlyArray<Source>, { responseFormat, responseSchema }: ProviderRequest): string =>
  sources.length === 0 || responseFormat === "json" || responseSchema !== undefined ?
    "" :
    `${heading}${
      sources.map(({ title, url }, at) => `${at + 1}. ${title === undefined ? url : `${title}: ${url}`}`).join("\n")
    }`

const heading = "\n\nSources:\n"

/** An answer and the list at its end, as {@link list} wrote it. */
export const split = (answer: string): { readonly text: string; readonly sources: ReadonlyArray<Source> } => {
  const at = answer.lastIndexOf(heading)
  if (at < 0) return { text: answer, sources: [] }
  const lines = answer.slice(at + heading.length).split("\n")
  const read = lines.flatMap((line) => {
    const [, title, url] = /^\d+\. (?:(.*): )?(https?:\/\/\S+)$/.exec(line) ?? []
    return url === undefined ? [] : [{ url, title }]
  })
  return read.length === lines.length ? { text: answer.slice(0, at), sources: read } : { text: answer, sources: [] }
}
