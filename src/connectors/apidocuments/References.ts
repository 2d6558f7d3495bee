/**
 * An OpenAPI document as a tree: every reference within it is written out. Done in a thread: the function uses nothing from
 * outside of itself.
 */
export const references = () => {
  /**
   * Schemas within themselves end in `{}`. Patterns are left out, since one expression of a stranger can keep this process busy
   * for hours. Throws what is wrong.
   */
  const withoutReferences = (document: unknown, maxValues: number): unknown => {
    let left = maxValues
    const copy = (value: unknown, within: ReadonlyArray<string>): unknown => {
      if (left-- === 0) throw new Error(`it has more than ${maxValues} values, references written out`)
      if (Array.isArray(value)) return value.map((one) => copy(one, within))
      if (!isRecord(value)) return value
      const { $ref, ...rest } = value
      if (typeof $ref === "string") {
        if (within.includes($ref)) return {}
        const target = copy(targetOf(document, $ref), [...within, $ref])
        return isRecord(target) ? { ...target, ...copy(rest, within) as object } : target
      }
      // What a reference leads to, may be a pattern, too.
      const entries = Object.entries(value)
        .filter(([name]) => name !== "patternProperties")
        .map(([name, one]) => [name, copy(one, within)] as const)
        .filter(([name, one]) => !(name === "pattern" && typeof one === "string"))
      return Object.fromEntries(entries)
    }
    return copy(document, [])
  }

  /** https://www.rfc-editor.org/rfc/rfc6901#section-6 */
  const targetOf = (document: unknown, reference: string): unknown => {
    if (!reference.startsWith("#")) {
      throw new Error(`it refers to "${reference}", which is not in it; bundle it into one document`)
    }
    const steps = decodeURIComponent(reference.slice(1)).split("/").slice(1)
    return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~")).reduce<unknown>((at, step) => {
      if (typeof at === "object" && at !== null && Object.hasOwn(at, step)) return at[step as keyof typeof at]
      throw new Error(`it refers to "${reference}", which is not in it`)
    }, document)
  }

  /** Bounds as JSON Schema has them now: OpenAPI 3.0 has `minimum: 1, exclusiveMinimum: true`. */
  const withBounds = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(withBounds)
    if (!isRecord(value)) return value
    const schema = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withBounds(one)]))
    for (const [exclusive, bound] of [["exclusiveMinimum", "minimum"], ["exclusiveMaximum", "maximum"]] as const) {
      if (typeof schema[exclusive] !== "boolean") continue
      if (schema[exclusive] && typeof schema[bound] === "number") {
        schema[exclusive] = schema[bound]
        delete schema[bound]
      } else delete schema[exclusive]
    }
    return schema
  }

  const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value)

  return { withBounds, withoutReferences }
}
