/** Which JSON Schemas OpenAI holds models to: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas */

/** Every object names all its properties as required and takes no others. Schemas nested beyond 50 levels are not looked at. */
export const isStrict = (schema: unknown, depth = 0): boolean => {
  if (typeof schema !== "object" || schema === null) return true
  if (depth > 50) return false
  if (Array.isArray(schema)) return schema.every((one) => isStrict(one, depth + 1))
  const { additionalProperties, properties, required, type } = schema as Readonly<Record<string, unknown>>
  const names = typeof properties === "object" && properties !== null ? Object.keys(properties) : []
  const closed = (type !== "object" && names.length === 0) ||
    (additionalProperties === false && names.every((name) => Array.isArray(required) && required.includes(name)))
  return closed && Object.values(schema).every((one) => isStrict(one, depth + 1))
}
