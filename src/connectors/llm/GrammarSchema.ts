/** JSON Schemas as far as a grammar of llama.cpp can hold a model to them: https://node-llama-cpp.withcat.ai/guide/grammar */
import type { GbnfJsonSchema } from "node-llama-cpp"

type Json = Readonly<Record<string, unknown>>

/**
 * Allows what the schema allows, and more where a grammar has no words for it; but every property that is named is written, and
 * others only where the schema says so.
 */
export const from = (schema: unknown, known: Json = {}, depth = 0): GbnfJsonSchema => {
  if (!isRecord(schema) || depth > maxDepth) return anything
  const names = { ...known, ...(isRecord(schema["$defs"]) ? schema["$defs"] : {}) }
  const one = (nested: unknown) => from(nested, names, depth + 1)
  const { $defs, $ref, anyOf, const: constant, enum: values, oneOf = anyOf, type } = schema
  const defs = isRecord($defs) ? { $defs: mapped($defs, one) } : {}
  if (typeof $ref === "string") {
    return Object.hasOwn(names, /^#\/\$defs\/(.+)$/.exec($ref)?.[1] ?? "")
      ? { $ref, ...defs } as GbnfJsonSchema
      : anything
  }
  if (Array.isArray(oneOf) && oneOf.length > 0) return { oneOf: oneOf.map(one), ...defs } as GbnfJsonSchema
  if (isScalar(constant)) return { const: constant }
  if (Array.isArray(values)) return values.length > 0 && values.every(isScalar) ? { enum: values } : anything
  if (Array.isArray(type) && type.length > 0) {
    return { oneOf: type.map((type) => one({ ...schema, type })), ...defs } as GbnfJsonSchema
  }
  switch (type ?? (isRecord(schema["properties"]) ? "object" : undefined)) {
    case "object":
      return {
        type: "object",
        properties: mapped(isRecord(schema["properties"]) ? schema["properties"] : {}, one),
        additionalProperties: isRecord(schema["additionalProperties"])
          ? one(schema["additionalProperties"])
          : schema["additionalProperties"] === true || !isRecord(schema["properties"]),
        ...described(schema),
        ...defs
      } as GbnfJsonSchema
    case "array":
      return {
        type: "array",
        ...(isRecord(schema["items"]) ? { items: one(schema["items"]) } : {}),
        ...bounds(schema, "minItems", "maxItems"),
        ...described(schema),
        ...defs
      } as GbnfJsonSchema
    case "string":
      return {
        type: "string",
        ...(formats.has(schema["format"]) ? { format: schema["format"] } : bounds(schema, "minLength", "maxLength")),
        ...described(schema)
      } as GbnfJsonSchema
    case "number":
    case "integer":
    case "boolean":
    case "null":
      return { type, ...described(schema) } as GbnfJsonSchema
    default:
      return anything
  }
}

/** Any JSON object. */
export const object: GbnfJsonSchema = { type: "object", additionalProperties: true }

const anything: GbnfJsonSchema = {
  oneOf: [object, { type: "array" }, { type: ["string", "number", "boolean", "null"] }]
}

const maxDepth = 50

/** A grammar repeats its rules as often as a bound says. */
const maxRepeats = 500

const bounds = (schema: Json, least: string, most: string): Json => {
  const [low, high] = [schema[least], schema[most]]
  return {
    ...(isCount(low) ? { [least]: low } : {}),
    ...(isCount(high) && high >= (isCount(low) ? low : 0) ? { [most]: high } : {})
  }
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maxRepeats

const formats: ReadonlySet<unknown> = new Set(["date", "date-time", "time"])

const described = ({ description }: Json): Json => typeof description === "string" ? { description } : {}

const mapped = <A>(record: Json, f: (value: unknown) => A): Readonly<Record<string, A>> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]))

const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const isScalar = (value: unknown): value is string | number | boolean | null =>
  value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean"
