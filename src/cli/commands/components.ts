/** `sre components`: what agents are made of, as the registry has it. */
import { Console, Effect, Either, ParseResult, Schema } from "effect"
import { isSet } from "../../agents/AgentDocument.ts"
import * as Ports from "../../agents/Ports.ts"
import type * as Component from "../../components/Component.ts"
import * as JsonSchema from "../../components/JsonSchema.ts"
import { builtIn } from "../../components/registry.ts"
import { didYouMean } from "../../kernel/Nearest.ts"

interface Options {
  readonly names: ReadonlyArray<string>
  readonly json: boolean
}

export class UnknownComponent extends Schema.TaggedError<UnknownComponent>()("UnknownComponent", {
  name: Schema.String,
  accepted: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `There is no component "${this.name}".${didYouMean(this.name, this.accepted)} There are: ${
      this.accepted.join(", ")
    }`
  }
}

export const run = Effect.fnUntraced(function*({ json, names }: Options) {
  const all: ReadonlyArray<Component.Any> = [...builtIn].sort((a, b) => a.name.localeCompare(b.name, "en"))
  const chosen = names.length === 0 ? all : yield* Effect.forEach(names, (name) => {
    const found = all.find((one) => [one.name, ...one.aliases].includes(name))
    return found !== undefined
      ? Effect.succeed(found)
      : Effect.fail(new UnknownComponent({ name, accepted: all.map((one) => one.name) }))
  })
  const described = chosen.map(describe)
  if (json) return yield* Console.log(JSON.stringify(described))
  const widest = Math.max(...described.map(({ name }) => name.length))
  yield* Console.log(
    (names.length === 0
      ? described.map(({ description, name }) => `${name.padEnd(widest)}  ${description}`)
      : described.map(page)).join("\n")
  )
})

interface Setting {
  readonly name: string
  readonly required: boolean
  /** The texts it may be, where there is a list of them. */
  readonly accepted: ReadonlyArray<string>
  readonly default: unknown
}

const describe = (component: Component.Any) => {
  const record = { id: "", name: component.name }
  return {
    name: component.name,
    category: component.category,
    description: component.description,
    aliases: component.aliases,
    settings: settingsOf(component),
    inputs: Ports.inputs(record, component).map(({ port, type }) => ({
      name: port.name,
      type,
      required: !isSet(port.optional)
    })),
    openInputs: component.openInputs,
    outputs: Ports.outputs(record, component).map((port) => ({
      name: port.name,
      type: Ports.outputType(port, record, component)
    })),
    openOutputs: component.openOutputs,
    schemas: JsonSchema.of(component)
  }
}

const settingsOf = ({ config }: Component.Any): ReadonlyArray<Setting> =>
  Object.entries(config.fields as Schema.Struct.Fields).map(([name, field]) => {
    const alone = Schema.Struct({ [name]: field }) as unknown as Schema.Schema<unknown, Record<string, unknown>>
    const unset = ParseResult.decodeUnknownEither(alone)({})
    return {
      name,
      required: Either.isLeft(unset),
      accepted: literalsOf(Schema.typeSchema(alone), name),
      default: Either.getOrUndefined(Either.flatMap(unset, (value) => ParseResult.encodeEither(alone)(value)))?.[name]
    }
  })

const literalsOf = ({ ast }: Schema.Schema<unknown>, name: string): ReadonlyArray<string> => {
  const property = ast._tag === "TypeLiteral"
    ? ast.propertySignatures.find((one) => one.name === name)?.type
    : undefined
  const members = property?._tag === "Union" ? property.types : property === undefined ? [] : [property]
  return members.flatMap((one) => one._tag === "Literal" && typeof one.literal === "string" ? [one.literal] : [])
}

const page = (one: ReturnType<typeof describe>): string =>
  [
    `${one.name} (${one.category})`,
    `  ${one.description}`,
    ...section("settings", one.settings, setting),
    ...section("inputs", one.inputs, ({ name, required, type }) =>
      `${name}${required ? "" : "?"}: ${type}`, one.openInputs),
    ...section("outputs", one.outputs, ({ name, type }) =>
      `${name}: ${type}`, one.openOutputs),
    ""
  ].join("\n")

const section = <A>(title: string, rows: ReadonlyArray<A>, row: (one: A) => string, open = false) =>
  rows.length === 0 && !open ? [] : [
    `  ${title}`,
    ...rows.map((one) => `    ${row(one)}`),
    ...(open ? ["    and any others the document declares"] : [])
  ]

const setting = ({ accepted, default: otherwise, name, required }: Setting): string =>
  [
    required ? `${name} (required)` : name,
    ...(accepted.length === 0 ? [] : [`one of ${accepted.join(", ")}`]),
    ...(otherwise === undefined || otherwise === "" ? [] : [`default ${JSON.stringify(otherwise)}`])
  ].join("; ")
