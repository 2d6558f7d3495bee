/** Ports: the types documents give them, and how a value is made to fit one. Strict: what does not fit is an error. */
import { type Either, Schema } from "effect"

/** Port types of agent documents; matched without regard to case. */
export const portTypes = [
  "Any",
  "Text",
  "Number",
  "Integer",
  "Boolean",
  "Array",
  "Object",
  "Date",
  "Binary",
  "Image",
  "Audio",
  "Video",
  "File"
] as const
export type PortType = (typeof portTypes)[number]

/** Turns what arrived into what the port holds, or says in one sentence what was expected. Never throws. */
export type Coerce = (value: unknown) => Either.Either<unknown, string>

const PortTypeId: unique symbol = Symbol.for("effect-sre/PortType")

const port = <A, I>(type: PortType, schema: Schema.Schema<A, I>) =>
  schema.annotations({ [PortTypeId]: type, identifier: type })

export const Any = port("Any", Schema.Unknown)
export const Text = port("Text", Schema.String)
export const Number = port("Number", Schema.Number)
export const Integer = port("Integer", Schema.Int)
export const Boolean = port("Boolean", Schema.Boolean)
export const List = port("Array", Schema.Array(Schema.Unknown))
export const Record = port("Object", Schema.Record({ key: Schema.String, value: Schema.Unknown }))
/** A file: a file object, a data URL, an http(s) or smythfs URL, bytes or text. Components load it when they need it. */
export const Binary = port("Binary", Schema.Unknown)

/** The port type a component's own schema stands for, if it is one of those above. */
export const typeOf = (schema: Schema.Schema.All): PortType | undefined =>
  (schema.ast.annotations as { readonly [PortTypeId]?: PortType })[PortTypeId]
