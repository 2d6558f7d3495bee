/** The body of a call in each of the content types a document can choose. */
import { Effect } from "effect"
import * as Json from "../../../kernel/Json.ts"
import type { Template } from "../../../kernel/TemplateString.ts"
import type { Vault, VaultError } from "../../../security/Vault.ts"
import * as Files from "../../../subsystems/io/Files.ts"
import { ComponentFailed, type Step } from "../../Component.ts"
import * as Multipart from "../Multipart.ts"
import * as Templated from "./Templated.ts"

export const contentTypes = [
  "none",
  "application/json",
  "multipart/form-data",
  "binary",
  "application/x-www-form-urlencoded",
  "text/plain",
  "application/xml"
] as const
export type ContentType = (typeof contentTypes)[number]

export interface Body {
  readonly content: string | Uint8Array
  /** For the header `content-type`, unless the document sets it. */
  readonly mediaType: string
  /** The boundary of a form stands in its media type, so no header of the document may replace it. */
  readonly fixed?: boolean
}

type Loading = ReturnType<typeof Files.load>
type Rendering = Effect.Effect<
  Body | undefined,
  ComponentFailed | VaultError | Effect.Effect.Error<Loading>,
  Vault | Effect.Effect.Context<Loading>
>
type Renderer = (body: Templated.Templated, filler: Templated.Filler, step: Step) => Rendering

/** Nothing to send is `undefined`. */
export const render = (
  body: Templated.Templated,
  contentType: ContentType,
  filler: Templated.Filler,
  step: Step
): Rendering =>
  Effect.map(
    renderers[contentType](body, filler, step),
    (made) => made === undefined || made.content.length === 0 ? undefined : made
  )

/** Text is sent as JSON if it can be read as such (repaired where needed), and as it is if not. */
const json: Renderer = (body, filler) =>
  Effect.map(
    body._tag === "Text"
      ? jsonText(body.template, filler)
      : Effect.map(filler.whole(body), (value) => Json.stringify(value)),
    (content) => ({ content, mediaType: "application/json" })
  )

const form: Renderer = (body, filler) =>
  Effect.map(
    body._tag !== "Text"
      ? filler.whole(body)
      : filler.token(body.template) !== undefined || isObjectText(body.template)
      ? Effect.map(jsonText(body.template, filler), Json.extract)
      : filler.text(body.template, "uri"),
    (value) => ({
      content: isRecord(value) ? formEncoded(value) : Json.toText(value),
      mediaType: "application/x-www-form-urlencoded"
    })
  )

const text: Renderer = (body, filler) =>
  Effect.map(
    body._tag === "Text" ? filler.text(body.template) : Effect.map(filler.whole(body), Json.toText),
    (content) => ({ content, mediaType: "text/plain" })
  )

const xml: Renderer = (body, filler) =>
  Effect.map(
    body._tag !== "Text" ? Effect.map(filler.whole(body), Json.toText) : Effect.map(
      Effect.forEach(body.template.parts, (part) =>
        part._tag === "Text"
          ? Effect.succeed(part.text)
          : Effect.map(filler.text({ source: part.source, parts: [part] }), escapeXml)),
      (texts) => texts.join("")
    ),
    (content) => ({ content, mediaType: "application/xml" })
  )

/** Nobody said what it is: a form as far as it is text, as it has always been sent, and JSON if it is an object. */
const none: Renderer = (body, filler, step) =>
  body._tag === "Text"
    ? Effect.map(filler.text(body.template), (content) => ({ content, mediaType: "application/x-www-form-urlencoded" }))
    : json(body, filler, step)

const binary: Renderer = (body, filler) =>
  Effect.flatMap(filler.whole(body), (value) =>
    isNothing(value)
      ? nothing
      : Effect.map(Files.load(value), ({ bytes, mediaType }) => ({ content: bytes, mediaType })))

const multipart: Renderer = (body, filler, step) =>
  Effect.gen(function*() {
    const fields = yield* formFields(body, filler)
    const parts: Array<Multipart.Field> = []
    for (const [name, field] of fields) {
      const token = field._tag === "Text" ? filler.token(field.template) : undefined
      const value = yield* filler.whole(field)
      const isFile = token !== undefined && isFilePort(step, token.name)
      for (const one of Array.isArray(value) && (isFile || value.some(Multipart.isFileLike)) ? value : [value]) {
        if (isNothing(one)) continue
        parts.push([name, isFile || Multipart.isFileLike(one) ? yield* Files.load(one) : Json.toText(one)])
      }
    }
    return { ...yield* Multipart.encode(parts), fixed: true }
  })

/** The fields as the document writes them, so that a token can be a file; what is no object then is read when filled in. */
const formFields = (body: Templated.Templated, filler: Templated.Filler) => {
  const written = body._tag === "Text" ? Templated.parse(Json.extract(quoted(body.template))) : body
  if (written._tag === "Object") return Effect.succeed(written.fields)
  return Effect.flatMap(
    body._tag === "Text" ? Effect.map(jsonText(body.template, filler), Json.extract) : filler.whole(body),
    (value) =>
      isRecord(value)
        ? Effect.succeed(
          Object.entries(value).map(([name, one]) =>
            [name, { _tag: "Value", value: one } satisfies Templated.Templated] as const
          )
        )
        : Effect.fail(new ComponentFailed({ message: "body: a form needs an object, one property for each field" }))
  )
}

/** `{"n": {{n}}}` with its tokens in quotes, which makes JSON of it. */
const quoted = ({ parts }: Template) =>
  parts.map((part) => part._tag === "Text" ? part.text : part.quoted ? part.source : `"${part.source}"`).join("")

const renderers: Readonly<Record<ContentType, Renderer>> = {
  none,
  "application/json": json,
  "multipart/form-data": multipart,
  binary,
  "application/x-www-form-urlencoded": form,
  "text/plain": text,
  "application/xml": xml
}

const nothing: Rendering = Effect.sync(() => undefined)

const jsonText = (template: Template, filler: Templated.Filler) => {
  const token = filler.token(template)
  return token !== undefined
    ? Effect.succeed(isNothing(token.value) ? "" : repaired(Json.toText(token.value)))
    : Effect.map(filler.text(template, "json"), repaired)
}

/** Valid JSON stays as it was written, since reading it would round large numbers. */
const repaired = (source: string) => {
  try {
    JSON.parse(source)
    return source
  } catch {
    return Json.toText(Json.extract(source))
  }
}

const isObjectText = ({ source }: Template) => /^\s*\{(?!\{)/.test(source)

const formEncoded = (fields: Readonly<Record<string, unknown>>) =>
  new URLSearchParams(
    Object.entries(fields).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((one): [string, string] => [name, Json.toText(one)])
    )
  ).toString()

const escapeXml = (value: string) => value.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`)

const isNothing = (value: unknown) => value === undefined || value === null || value === ""

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isFilePort = ({ component }: Step, name: string) =>
  component.inputs.some((port) => port.name === name && Multipart.isFilePort(port))
