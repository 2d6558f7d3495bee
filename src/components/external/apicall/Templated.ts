/** Settings of any shape with templates in them, and how they are filled in. */
import { Effect, Redacted, Schema } from "effect"
import * as TemplateString from "../../../kernel/TemplateString.ts"
import * as Secrets from "../../../security/Secrets.ts"
import type { Vault, VaultError } from "../../../security/Vault.ts"

/** Text is a template; lists and objects hold more of the same; anything else is what it is. */
export type Templated =
  | { readonly _tag: "Text"; readonly template: TemplateString.Template }
  | { readonly _tag: "List"; readonly items: ReadonlyArray<Templated> }
  | { readonly _tag: "Object"; readonly fields: ReadonlyArray<readonly [string, Templated]> }
  | { readonly _tag: "Value"; readonly value: unknown }

export const parse = (value: unknown): Templated =>
  typeof value === "string"
    ? { _tag: "Text", template: TemplateString.parse(value) }
    : Array.isArray(value)
    ? { _tag: "List", items: value.map(parse) }
    : typeof value === "object" && value !== null
    ? { _tag: "Object", fields: Object.entries(value).map(([name, one]) => [name, parse(one)]) }
    : { _tag: "Value", value }

const print = (templated: Templated): unknown => {
  switch (templated._tag) {
    case "Text":
      return templated.template.source
    case "List":
      return templated.items.map(print)
    case "Object":
      return Object.fromEntries(templated.fields.map(([name, one]) => [name, print(one)]))
    case "Value":
      return templated.value
  }
}

const isTemplated = (value: unknown): value is Templated =>
  typeof value === "object" && value !== null && "_tag" in value

export const FromUnknown: Schema.Schema<Templated, unknown> = Schema.transform(
  Schema.Unknown,
  Schema.declare(isTemplated),
  { strict: true, decode: parse, encode: print }
)

type Filling<A> = Effect.Effect<A, VaultError, Vault>

/** Fills templates with the data of one step and the secrets of its agent. Tokens without a value are left out. */
export interface Filler {
  readonly text: (template: TemplateString.Template, encode?: "text" | "json" | "uri") => Filling<string>
  /** What a template stands for that is one token and nothing else: the value itself, not its text. */
  readonly token: (template: TemplateString.Template) => { readonly name: string; readonly value: unknown } | undefined
  /** An object with its leaves filled; a leaf that is one token becomes that token's value, `null` without one. */
  readonly whole: (templated: Templated) => Filling<unknown>
}

export const filler = (data: Readonly<Record<string, unknown>>): Filler => {
  const text: Filler["text"] = (template, encode = "text") =>
    Effect.map(Secrets.render(template, data, { encode, missing: "drop" }), Redacted.value)

  const token: Filler["token"] = (template) => {
    const [only] = template.parts
    return template.parts.length === 1 && only?._tag === "Token"
      ? { name: only.name, value: TemplateString.raw(template, data) }
      : undefined
  }

  const whole = (templated: Templated): Filling<unknown> => {
    switch (templated._tag) {
      case "Text": {
        const one = token(templated.template)
        return one === undefined ? text(templated.template) : Effect.succeed(one.value ?? null)
      }
      case "List":
        return Effect.forEach(templated.items, whole)
      case "Object":
        return Effect.map(
          Effect.forEach(templated.fields, ([name, one]) => Effect.map(whole(one), (value) => [name, value] as const)),
          Object.fromEntries
        )
      case "Value":
        return Effect.succeed(templated.value)
    }
  }

  return { text, token, whole }
}
