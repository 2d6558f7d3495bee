/**
 * The URL of a call. Values are percent-encoded wherever the author wrote the URL around them, so that no value adds a
 * parameter or a path segment; a token that *is* the URL, its scheme or its host is put in as it stands.
 */
import { Effect } from "effect"
import type { Part, Template } from "../../../kernel/TemplateString.ts"
import type { Vault, VaultError } from "../../../security/Vault.ts"
import { ComponentFailed } from "../../Component.ts"
import type { Filler } from "./Templated.ts"

export const render = (
  template: Template,
  filler: Filler
): Effect.Effect<string, VaultError | ComponentFailed, Vault> =>
  Effect.map(Effect.forEach(placedOf(template), (one) => fill(one, filler)), (texts) => texts.join("").trim())

/**
 * - `text`: written by the author.
 * - `asIs`: the whole URL, its scheme or the start of its host.
 * - `joined`: behind the start of the host, as in `{{base}}{{path}}`: a path as it is, anything else encoded.
 * - `segment`: alone between two slashes, where `..` would leave the path.
 * - `encoded`: anywhere else.
 */
type Placed =
  | { readonly place: "text"; readonly text: string }
  | {
    readonly place: "asIs" | "joined" | "segment" | "encoded"
    readonly part: Exclude<Part, { readonly _tag: "Text" }>
  }

/** A template of a setting is the same in every call. */
const known = new WeakMap<Template, ReadonlyArray<Placed>>()
const placedOf = (template: Template) => {
  const found = known.get(template) ?? placed(template)
  known.set(template, found)
  return found
}

/** Stands for a token while the shape of the URL is looked at: a character of the private use area. */
const hole = "\uE000"

const placed = ({ parts }: Template): ReadonlyArray<Placed> => {
  const shape = parts.map((part) => part._tag === "Text" ? part.text : hole).join("")
  const [origin = "", scheme = ""] = /^([a-z\uE000][a-z\d+.\-\uE000]*:\/\/)?[^/?#]*/i.exec(shape) ?? []
  const host = Math.max(scheme.length, origin.lastIndexOf("@") + 1)
  const query = (shape + "?").indexOf("?")
  let at = 0
  return parts.map((part): Placed => {
    const start = at
    at += part._tag === "Text" ? part.text.length : 1
    if (part._tag === "Text") return { place: "text", text: plusAsSpace(part.text, query - start) }
    const place = start < scheme.length || start === host
      ? "asIs"
      : start < host
      ? "encoded"
      : start < origin.length
      ? "joined"
      : start < query && isSegment(shape, start)
      ? "segment"
      : "encoded"
    return { place, part }
  })
}

const isSegment = (shape: string, at: number) =>
  `/${hole}`.includes(shape.charAt(at - 1)) && `/?#${hole}`.includes(shape.charAt(at + 1))

/** A `+` written in the query means a space to most servers, `%20` to all of them; in the path it is a plus. */
const plusAsSpace = (text: string, query: number) =>
  query >= text.length
    ? text
    : text.slice(0, Math.max(0, query)) + text.slice(Math.max(0, query)).replaceAll("+", "%20")

const fill = (one: Placed, filler: Filler): Effect.Effect<string, VaultError | ComponentFailed, Vault> =>
  one.place === "text"
    ? Effect.succeed(one.text)
    : Effect.flatMap(
      filler.text({ source: one.part.source, parts: [one.part] }),
      (value) =>
        one.place === "segment" && (value === "." || value === "..")
          ? Effect.fail(
            new ComponentFailed({
              message: `url: the value of ${one.part.source} is "${value}", which would lead to another path`
            })
          )
          : Effect.succeed(
            one.place === "asIs" || (one.place === "joined" && /^[/?#]/.test(value))
              ? value
              : encodeURIComponent(value.toWellFormed())
          )
    )
