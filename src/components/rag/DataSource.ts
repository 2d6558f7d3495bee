/** What the components for data sources share: how documents name namespaces and data sources, and what is kept beside one. */
import { Effect, Either, type Schema } from "effect"
import type * as TemplateString from "../../kernel/TemplateString.ts"
import { ComponentFailed, type Step } from "../Component.ts"
import * as Settings from "../Settings.ts"

/** `Product Docs` is `product_docs`; what an editor put before a name (`clx0…_docs`) is left out; a `smythfs://` URI stays. */
export const namespaceOf = (text: string): string =>
  text.startsWith("smythfs://")
    ? text
    : text.trim().replace(/^c[a-z0-9]{24}_(?=.)/i, "").toLowerCase().replace(/\s+/g, "_")

export const id: Schema.Schema<TemplateString.Template, string> = Settings.template({ max: 200 })

/** The id as it is after rendering: letters, digits, `-`, `_` and `.`. */
export const idOf = (template: TemplateString.Template, step: Step): Either.Either<string, ComponentFailed> => {
  const rendered = step.render(template, { missing: "drop" }).trim()
  return /^[\w.-]{1,200}$/.test(rendered) ? Either.right(rendered) : Either.left(
    new ComponentFailed({
      message: `id: a data source has 1 to 200 letters, digits, "-", "_" or "." for a name, not "${
        rendered.slice(0, 60)
      }"`
    })
  )
}

/** Where the hash of what was indexed stands in the metadata of a data source. */
export const hashKey = "contentHash"

export const withNamespace = <A, E extends { readonly message: string }, R>(
  text: string,
  use: (namespace: string) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | ComponentFailed, R> => {
  const namespace = namespaceOf(text)
  return namespace === ""
    ? Effect.fail(new ComponentFailed({ message: "the namespace has no name" }))
    : use(namespace)
}
