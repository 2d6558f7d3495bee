/** Ports of one component: the document's, completed by those its type always has; and how an output is read. */
import { Either, ParseResult, Schema } from "effect"
import { coercer } from "../components/Coerce.ts"
import type * as Component from "../components/Component.ts"
import * as Port from "../components/Port.ts"
import { type ComponentRecord, type InputPort, isSet, type OutputPort } from "./AgentDocument.ts"

export interface Input {
  readonly port: InputPort
  readonly type: string
  readonly coerce: Port.Coerce
}

/** Inputs in document order (connections count positions), then built-in ones the document left out. */
export const inputs = (record: ComponentRecord, component: Component.Any): ReadonlyArray<Input> => {
  const listed = record.inputs ?? []
  const builtIn = component.inputs.fields as Schema.Struct.Fields
  const missing = Object.keys(builtIn).filter((name) => !listed.some((port) => port.name === name))
  return [
    ...listed.map((port) => input(port, Object.hasOwn(builtIn, port.name) ? builtIn[port.name] : undefined)),
    ...missing.map((name) => input({ name, default: true, optional: isOptional(builtIn[name]!) }, builtIn[name]))
  ]
}

export const outputs = (record: ComponentRecord, component: Component.Any): ReadonlyArray<OutputPort> => {
  const listed = record.outputs ?? []
  const builtIn = [...Object.keys(component.outputs.fields as Schema.Struct.Fields), "_error"]
  return [
    ...listed,
    ...builtIn.filter((name) => !listed.some((port) => port.name === name)).map((name) => ({ name, default: true }))
  ]
}

const input = (port: InputPort, schema: Schema.Struct.Field | undefined): Input => {
  const builtInType = schema === undefined ? undefined : Port.typeOf(valueSchema(schema))
  const declared = port.type ?? ""
  const type = declared !== "" ? declared : builtInType ?? "Any"
  return {
    port,
    type,
    // A component's own schema that is not a plain port type is stricter than any port type: it decides.
    coerce: schema !== undefined && builtInType === undefined ? decoder(valueSchema(schema)) : coercer(type)
  }
}

const decoder = (schema: Schema.Schema.AnyNoContext): Port.Coerce => {
  const decode = ParseResult.decodeUnknownEither(schema)
  return (value) => Either.mapLeft(decode(value), (issue) => ParseResult.TreeFormatter.formatIssueSync(issue))
}

/** The schema inside `Schema.optional(…)`. */
const valueSchema = (field: Schema.Struct.Field): Schema.Schema.AnyNoContext =>
  Schema.isPropertySignature(field)
    ? (field as unknown as { readonly from?: Schema.Schema.AnyNoContext }).from ?? Schema.Unknown
    : (field as Schema.Schema.AnyNoContext)

const isOptional = (field: Schema.Struct.Field) => Schema.isPropertySignature(field)

/* ------------------------------------------------------------------------------------------------------------------
 * Reading outputs
 * ---------------------------------------------------------------------------------------------------------------- */

/**
 * A default output is read by its name. Any other: its expression as a path into all outputs; its name inside the first
 * default output; its name as a path. Own properties only.
 */
export const reader = (port: OutputPort, ports: ReadonlyArray<OutputPort>): (outputs: Component.Outputs) => unknown => {
  const { name } = port
  if (isSet(port.default) || name === "_error") return (outputs) => own(outputs, name)
  const first = ports.find((other) => isSet(other.default))?.name
  const named = pathOf(name)
  const expression = typeof port.expression === "string" && port.expression !== "" && port.expression !== name
    ? pathOf(port.expression)
    : undefined
  return (outputs) => {
    const direct = expression === undefined ? undefined : walk(outputs, expression)
    if (direct !== undefined) return direct
    const inside = first === undefined ? undefined : own(own(outputs, first), name)
    return inside !== undefined ? inside : walk(outputs, named)
  }
}

/** `body.items[0].id` to its steps. */
export const pathOf = (expression: string): ReadonlyArray<string> =>
  expression.replace(
    /\[(?:"([^"]*)"|'([^']*)'|([^[\]]*))\]/g,
    (_, a: string, b: string, c: string) => `.${a ?? b ?? c}`
  )
    .split(".").filter((part) => part !== "")

const walk = (value: unknown, path: ReadonlyArray<string>): unknown => {
  let current = value
  for (const key of path) current = own(current, key)
  return path.length === 0 ? undefined : current
}

const own = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined

/* ------------------------------------------------------------------------------------------------------------------
 * Which types can flow into which
 * ---------------------------------------------------------------------------------------------------------------- */

const never: Readonly<Record<string, ReadonlyArray<string>>> = {
  number: ["array", "object"],
  integer: ["array", "object"],
  boolean: ["number", "integer", "date", "array", "object"],
  array: ["number", "integer", "boolean", "date", "object"],
  object: ["number", "integer", "boolean", "date", "array"],
  date: ["number", "integer", "boolean", "array", "object"]
}

/** Whether a value of one port type can ever be made to fit another; text may hold anything. */
export const canFlow = (from: string, to: string): boolean =>
  !(never[from.toLowerCase()]?.includes(to.toLowerCase()) ?? false)

/** What is known of an output's type before running: the component's own declaration, or the endpoint's input. */
export const outputType = (port: OutputPort, record: ComponentRecord, component: Component.Any): string => {
  if (component.name === "APIEndpoint") {
    const source = port.expression !== undefined && port.expression !== null && port.expression !== ""
      ? port.expression
      : port.name
    const name = /^(?:body|query)\.(.+)$/.exec(source)?.[1]
    return (record.inputs ?? []).find((one) => one.name === name)?.type ?? "Any"
  }
  const field = (component.outputs.fields as Schema.Struct.Fields)[port.name]
  return field === undefined ? "Any" : Port.typeOf(valueSchema(field)) ?? "Any"
}
