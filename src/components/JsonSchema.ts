/** JSON Schemas of a component's settings and ports, for editors that draw forms: derived from its one definition. */
import { Either, JSONSchema, ParseResult, Schema } from "effect"
import type * as Component from "./Component.ts"
import * as Port from "./Port.ts"
import * as Settings from "./Settings.ts"

type Json = Readonly<Record<string, unknown>>

export interface ObjectSchema {
  readonly type: "object"
  readonly properties: Readonly<Record<string, Json>>
  readonly required: ReadonlyArray<string>
  readonly additionalProperties: boolean
}

export interface ComponentSchemas {
  /** As documents write them; what editors keep for themselves stands beside them. */
  readonly settings: ObjectSchema
  readonly inputs: ObjectSchema
  readonly outputs: ObjectSchema
}

export const of = ({ config, inputs, openInputs, openOutputs, outputs }: Component.Any): ComponentSchemas => ({
  settings: objectOf(config.fields as Schema.Struct.Fields, {
    schemaOf: settingOf,
    isRequired: (name, field) => Either.isLeft(unset(name, field)),
    isOpen: true
  }),
  inputs: objectOf(inputs.fields as Schema.Struct.Fields, {
    schemaOf: portOf,
    isRequired: (_, field) => !Schema.isPropertySignature(field),
    isOpen: openInputs
  }),
  // No output is sure to fire.
  outputs: objectOf(outputs.fields as Schema.Struct.Fields, {
    schemaOf: portOf,
    isRequired: () => false,
    isOpen: openOutputs
  })
})

const objectOf = (fields: Schema.Struct.Fields, { isOpen, isRequired, schemaOf }: {
  readonly schemaOf: (name: string, field: Schema.Struct.Field) => Json
  readonly isRequired: (name: string, field: Schema.Struct.Field) => boolean
  readonly isOpen: boolean
}): ObjectSchema => ({
  type: "object",
  properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, schemaOf(name, field)])),
  required: Object.entries(fields).flatMap(([name, field]) => isRequired(name, field) ? [name] : []),
  additionalProperties: isOpen
})

/** With what it is where it is not set; an editor may leave it empty then. */
const settingOf = (name: string, field: Schema.Struct.Field): Json => {
  const { $id: _id, $schema: _schema, ...schema }: Json = {
    ...JSONSchema.make(Settings.alone(field) as Schema.Schema<unknown>)
  }
  const otherwise = Either.getOrUndefined(unset(name, field))?.[name]
  return otherwise === undefined ? schema : { ...schema, default: otherwise }
}

const unset = (name: string, field: Schema.Struct.Field) => {
  const struct = Schema.Struct({ [name]: field }) as unknown as Schema.Schema<Json, Json>
  return Either.flatMap(ParseResult.decodeUnknownEither(struct)({}), ParseResult.encodeEither(struct))
}

const portOf = (_: string, field: Schema.Struct.Field): Json => {
  const type = Port.typeOf(Settings.alone(field)) ?? "Any"
  return { title: type, ...(jsonTypes[type] === undefined ? {} : { type: jsonTypes[type] }) }
}

/** Others are whatever they hold: an address, bytes, an object. */
const jsonTypes: { readonly [type in Port.PortType]?: string } = {
  Text: "string",
  Number: "number",
  Integer: "integer",
  Boolean: "boolean",
  Array: "array",
  Object: "object",
  Date: "string"
}
