/** Agent variables and template variables of components, resolved once at load as far as they are not secrets. */
import { toText } from "../kernel/Json.ts"
import { resolveTemplateVars } from "../kernel/TemplateString.ts"
import * as TemplateString from "../kernel/TemplateString.ts"
import { type AgentDocument, type ComponentRecord, isRecord } from "./AgentDocument.ts"

export interface Variables {
  /** What templates and inputs see: no secrets. */
  readonly plain: Readonly<Record<string, unknown>>
  /** Name to the vault token it stands for: `{{KEY(pepper)}}`. Put in place of `{{name}}` in settings. */
  readonly secret: ReadonlyMap<string, string>
  /** Variables that keep their tokens, since with all values put in they would be too large. */
  readonly tooLarge: ReadonlyArray<string>
}

/** Characters of all variables together: those that name each other may grow beyond any memory. */
export const maxChars = 8_000_000

/** Variables may name other variables; a cycle stays as its tokens. */
export const ofAgent = (document: AgentDocument): Variables => {
  const all: Record<string, unknown> = { ...document.variables }
  const secret = new Map<string, string>()
  const tooLarge = new Set<string>()
  let room = maxChars
  for (let pass = 0; pass < 5; pass++) {
    let changed = false
    for (const [name, value] of Object.entries(all)) {
      if (typeof value !== "string" || !value.includes("{{")) continue
      const template = TemplateString.parse(value)
      if (TemplateString.secrets(template).length > 0) {
        secret.set(name, value)
        delete all[name]
        changed = true
      } else {
        // A variable has no value of its own to put into itself.
        all[name] = undefined
        const growth = sizeOf(template, all) - value.length
        if (growth > room) tooLarge.add(name)
        const next = growth > room ? value : inline(TemplateString.render(template, all), secret, new Set())
        all[name] = value
        room -= next.length - value.length
        if (next !== value) {
          all[name] = next
          changed = true
        }
      }
    }
    if (!changed) break
  }
  return { plain: all, secret, tooLarge: Array.from(tooLarge) }
}

const sizeOf = ({ parts }: TemplateString.Template, data: TemplateString.Data): number =>
  parts.reduce((sum, part) => {
    const value = part._tag === "Token" ? TemplateString.lookup(part, data) : undefined
    return sum + (part._tag === "Text" ? part.text : toText(value ?? part.source)).length
  }, 0)

/**
 * Settings with template variables and secret variables replaced by tokens the component's templates understand. An input
 * of the same name as a variable wins over it.
 */
export const settingsOf = (record: ComponentRecord, variables: Variables): Readonly<Record<string, unknown>> => {
  const data = record.data ?? {}
  const labels = templateLabels(record)
  if (labels.length === 0 && variables.secret.size === 0) return data
  const shadowed = new Set((record.inputs ?? []).map(({ name }) => name))
  const rewrite = (value: unknown): unknown =>
    typeof value === "string"
      ? value.includes("{{") ? inline(resolveTemplateVars(value, labels), variables.secret, shadowed) : value
      : Array.isArray(value)
      ? value.map(rewrite)
      : isRecord(value)
      ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, rewrite(one)]))
      : value
  return rewrite(data) as Readonly<Record<string, unknown>>
}

/** Values of the component's own template variables, by the id their tokens were rewritten to. */
export const templateValues = (record: ComponentRecord): Readonly<Record<string, unknown>> => {
  const values = record.data?.["_templateVars"]
  return isRecord(values) ? values : {}
}

const templateLabels = (record: ComponentRecord): ReadonlyArray<{ readonly id: string; readonly label: string }> => {
  const template = record["template"]
  const settings = isRecord(template) && isRecord(template["settings"]) ? template["settings"] : {}
  return Object.entries(settings).flatMap(([id, entry]) =>
    isRecord(entry) && typeof entry["label"] === "string" ? [{ id, label: entry["label"] }] : []
  )
}

const inline = (text: string, secret: ReadonlyMap<string, string>, shadowed: ReadonlySet<string>): string =>
  secret.size === 0 ? text : text.replace(
    /\{\{([^{}]+)\}\}/g,
    (token, name: string) => shadowed.has(name) ? token : secret.get(name) ?? token
  )

/**
 * The default of an input; text is resolved with the agent's variables, unless that would make it too large. Absent, null and
 * empty text mean none.
 */
export const fallback = (value: unknown, variables: Variables): unknown => {
  if (typeof value !== "string" || !value.includes("{{")) return value === null || value === "" ? undefined : value
  const template = TemplateString.parse(value)
  return sizeOf(template, variables.plain) > maxChars ? value : TemplateString.render(template, variables.plain)
}
