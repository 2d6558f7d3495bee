/** `{{name}}` in settings. Parsed once at load, rendered at every step. */
import { Schema } from "effect"
import * as Json from "./Json.ts"

export type Part =
  | { readonly _tag: "Text"; readonly text: string }
  | Token
  /** `{{KEY(name)}}`: a secret of the vault. */
  | { readonly _tag: "Secret"; readonly source: string; readonly name: string; readonly quoted: boolean }

/** `path` is `name` split for `a.b[0]`; `quoted` says the token stands inside a JSON string literal. */
export interface Token {
  readonly _tag: "Token"
  readonly source: string
  readonly name: string
  readonly path: ReadonlyArray<string>
  readonly quoted: boolean
}

export interface Template {
  readonly source: string
  readonly parts: ReadonlyArray<Part>
}

export type Data = Readonly<Record<string, unknown>>

/** The name is all there is between the braces, also white space: `{{ x }}` is not `{{x}}`. */
export const parse = (source: string): Template => {
  const parts: Array<Part> = []
  let end = 0
  let quoted = false
  const text = (to: number) => {
    if (to === end) return
    const text = source.slice(end, to)
    quoted = quotedAfter(text, quoted)
    parts.push({ _tag: "Text", text })
  }
  for (const match of source.matchAll(/\{\{(?:KEY\(([^{}]*)\)|([^{}]+))\}\}/g)) {
    const [token, secret, name = ""] = match
    text(match.index)
    end = match.index + token.length
    parts.push(
      secret !== undefined
        ? { _tag: "Secret", source: token, name: secret, quoted }
        : { _tag: "Token", source: token, name, path: pathOf(name), quoted }
    )
  }
  text(source.length)
  return { source, parts }
}

export interface RenderOptions {
  /**
   * - `text`: objects as JSON text, anything else as its own text.
   * - `json`: for a JSON document around the tokens. In a string literal the text is escaped; elsewhere strings are put in
   *   as they stand (they may hold JSON) and all other values as JSON.
   * - `uri`: the text, percent-encoded.
   */
  readonly encode?: "text" | "json" | "uri"
  /** What becomes of a token without a value: it stays, or is left out. `null` is no value; `0`, `""` and `false` are. */
  readonly missing?: "keep" | "drop"
  /** The secrets of the vault; one it does not give stays as its token. */
  readonly secret?: (name: string) => string | undefined
}

/** Puts values in once: tokens inside a value are never looked at, so who sends data cannot ask for more of it. */
export const render = (template: Template, data: Data, options: RenderOptions = {}): string => {
  const { encode = "text", missing = "keep", secret } = options
  const encoded = encoders[encode]
  let out = ""
  for (const part of template.parts) {
    if (part._tag === "Text") {
      out += part.text
      continue
    }
    const value = part._tag === "Token" ? lookup(part, data) : secret?.(part.name)
    if (value !== undefined && value !== null) out += encoded(value, part.quoted)
    else if (missing === "keep" || part._tag === "Secret") out += part.source
  }
  return out
}

/** The value itself: the key of that name, else what the path leads to. Own properties only, and `length`. */
export const lookup = ({ name, path }: Pick<Token, "name" | "path">, data: Data): unknown => {
  const direct = own(data, name)
  // A name without a step (a lone dot) leads nowhere, not to all of the data.
  return direct ?? (path.length === 0 ? undefined : path.reduce(own, data as unknown))
}

/** The value of the first token, not its text; the source when there is no token. */
export const raw = (template: Template, data: Data): unknown => {
  const token = template.parts.find((part) => part._tag === "Token")
  return token === undefined ? template.source : lookup(token, data)
}

/** Names in `{{KEY(name)}}`, each once. */
export const secrets = (template: Template): ReadonlyArray<string> => names(template, "Secret")

/** Names in `{{name}}`, each once. */
export const tokens = (template: Template): ReadonlyArray<string> => names(template, "Token")

const isTemplate = (value: unknown): value is Template =>
  typeof value === "object" && value !== null && "source" in value && "parts" in value

/** A setting that is a template. */
export const FromString: Schema.Schema<Template, string> = Schema.transform(Schema.String, Schema.declare(isTemplate), {
  strict: true,
  decode: parse,
  encode: ({ source }) => source
})

/**
 * Template variables of a component, `{{TYPE:Label:[options]}}` or `{{TYPE:Label:{options}}}`, become `{{id}}` of the
 * variable with that label; one without such a variable stays.
 */
export const resolveTemplateVars = (
  source: string,
  settings: ReadonlyArray<{ readonly id: string; readonly label: string }>
): string => {
  let out = ""
  let end = 0
  const closed = { "[": true, "{": true }
  for (const match of source.matchAll(/\{\{[A-Z][A-Z0-9_]*:([^{}[\]]+?):([[{])/g)) {
    const bracket = match[2] as keyof typeof closed
    if (match.index < end || !closed[bracket]) continue
    const close = closing[bracket]
    close.lastIndex = match.index + match[0].length
    // What is not closed here is not closed further on: looking again each time would take time by the square.
    closed[bracket] = close.test(source)
    if (!closed[bracket]) continue
    const found = settings.find(({ label }) => label === match[1])
    if (found !== undefined) out += `${source.slice(end, match.index)}{{${found.id}}}`
    else out += source.slice(end, close.lastIndex)
    end = close.lastIndex
  }
  return out + source.slice(end)
}

const closing = { "[": /\]\}\}/g, "{": /\}\}\}(?!\})/g }

const escaped = (text: string) => JSON.stringify(text).slice(1, -1)

const encoders = {
  text: Json.toText,
  json: (value: unknown, quoted: boolean) =>
    quoted ? escaped(Json.toText(value)) : typeof value === "string" ? value : Json.stringify(value),
  uri: (value: unknown) => encodeURIComponent(Json.toText(value).toWellFormed())
} satisfies Record<string, (value: unknown, quoted: boolean) => string>

const own = (value: unknown, key: string): unknown =>
  value !== undefined && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined

/** `a.b[0]["c"]` to its steps. */
const pathOf = (name: string): ReadonlyArray<string> =>
  Array.from(
    name.matchAll(/\["([^"]*)"\]|\['([^']*)'\]|\[([^[\]]*)\]|([^.[]+)/g),
    ([, double, single, index, key]) => double ?? single ?? index ?? key ?? ""
  )

/** Whether the end of `text` is inside a string literal, given where its start is. */
const quotedAfter = (text: string, before: boolean): boolean =>
  (text.match(/\\[^]|"/g) ?? []).reduce((quoted, one) => one === "\"" ? !quoted : quoted, before)

const names = ({ parts }: Template, tag: "Secret" | "Token") =>
  Array.from(new Set(parts.flatMap((part) => part._tag === tag ? [part.name] : [])))
