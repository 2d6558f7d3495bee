/**
 * Settings as documents write them: numbers and booleans are often text, and `null` or empty text means "not set".
 *
 * A setting is required unless it has a `default` or stands in {@link optional}. Required text is not empty.
 */
import { Either, Option, ParseResult, Schema, SchemaAST } from "effect"
import * as Json from "../kernel/Json.ts"
import { didYouMean } from "../kernel/Nearest.ts"
import * as TemplateString from "../kernel/TemplateString.ts"
import { booleanOf, numberOf } from "./Coerce.ts"

interface Default<I> {
  /** Used when the document does not set it; must itself be a valid setting. */
  readonly default?: I
}

/** Both bounds belong to the range. */
interface Range {
  readonly min?: number
  readonly max?: number
}

/** At most `max` characters. */
interface Length {
  readonly max?: number
}

/** What a constructor gives: a schema, or with a default a property that may be left out. */
export type Setting<A, I, Options> = Options extends { readonly default: {} } ? Defaulted<A, I> : Schema.Schema<A, I>

type Unset = "" | null | undefined
type Defaulted<A, I> = Schema.PropertySignature<":", A, never, "?:", I | Unset, false>

export const number = <const O extends Range & Default<number>>(options?: O): Setting<number, number | string, O> =>
  setting(
    scalar(
      { expected: `a number${range(options)}`, json: { type: ["number", "string"], ...bounds(options) } },
      Schema.Union(Schema.Number, Schema.String),
      Schema.Number,
      (value) => {
        const read = numberOf(value)
        return read !== undefined && within(read, options) ? read : undefined
      }
    ),
    options
  )

export const integer = <const O extends Range & Default<number>>(options?: O): Setting<number, number | string, O> =>
  setting(
    scalar(
      { expected: `a whole number${range(options)}`, json: { type: ["integer", "string"], ...bounds(options) } },
      Schema.Union(Schema.Number, Schema.String),
      Schema.Int,
      (value) => {
        const read = numberOf(value)
        return Number.isSafeInteger(read) && within(read!, options) ? read : undefined
      }
    ),
    options
  )

/** `true`, `"true"`, `1`, `"1"` and their opposites, in any case. */
export const boolean = <const O extends Default<boolean>>(
  options?: O
): Setting<boolean, boolean | string | number, O> =>
  setting(
    scalar(
      { expected: "true or false", json: { type: ["boolean", "string", "integer"] } },
      Schema.Union(Schema.Boolean, Schema.String, Schema.Number),
      Schema.Boolean,
      booleanOf
    ),
    options
  )

export const text = <const O extends Length & Default<string>>(options?: O): Setting<string, string, O> =>
  setting(bounded(options), options)

/** Text with `{{name}}` in it, parsed. */
export const template = <const O extends Length & Default<string>>(
  options?: O
): Setting<TemplateString.Template, string, O> =>
  setting(Schema.compose(bounded(options), TemplateString.FromString), options)

/** One of these texts, in any case; what is decoded is the spelling given here. */
export const literal = <const L extends ReadonlyArray<string>, const O extends Default<L[number]>>(
  values: L,
  options?: O
): Setting<L[number], string, O> => {
  const spelling = new Map(values.map((value) => [value.toLowerCase(), value]))
  return setting(
    scalar(
      { expected: `one of ${values.map((value) => `"${value}"`).join(", ")}`, json: { type: "string", enum: values } },
      Schema.String,
      Schema.Literal(...values),
      (value) => spelling.get(value.toLowerCase()),
      values
    ),
    options
  )
}

/** A setting that has a value also where it is missing, `null` or empty text; the value is given as a document would. */
export const withDefault = <A, I>(self: Schema.Schema<A, I>, otherwise: I): Defaulted<A, I> =>
  Schema.optionalToRequired(orNothing(self), self, {
    decode: (value) => Option.getOrElse(Option.filter(value, isSet<I>), () => otherwise),
    encode: Option.some
  })

/** A setting that may be missing; `null` and empty text are as good as missing. */
export const optional = <A, I>(
  self: Schema.Schema<A, I>
): Schema.PropertySignature<"?:", A, never, "?:", I | Unset, false> =>
  Schema.optionalToOptional(orNothing(self), self, { decode: Option.filter(isSet<I>), encode: (value) => value })

const setting = <A, I, O extends Default<I>>(schema: Schema.Schema<A, I>, options: O | undefined): Setting<A, I, O> =>
  (options?.default === undefined ? schema : withDefault(schema, options.default)) as Setting<A, I, O>

const isSet = <I>(value: I | Unset): value is I => value !== "" && value !== null && value !== undefined

/** What may stand in a document for `self`, or for its absence. What may not is reported as `self` does. */
const orNothing = <A, I>(self: Schema.Schema<A, I>) => {
  const decode = ParseResult.decodeUnknownEither(self)
  return Schema.Union(Schema.encodedSchema(self), Schema.Literal(""), Schema.Null, Schema.Undefined).annotations({
    message: ({ actual }) => ({
      message: Either.match(decode(actual), { onLeft: ParseResult.TreeFormatter.formatIssueSync, onRight: () => "" }),
      override: true
    }),
    [AloneId]: self
  })
}

const AloneId: unique symbol = Symbol.for("effect-sre/Setting")

/** The schema of a setting where it is set. */
export const alone = (field: Schema.Struct.Field): Schema.Schema.All => {
  if (!Schema.isPropertySignature(field)) return field as Schema.Schema.All
  const { ast } = field
  const { annotations, type } = ast._tag === "PropertySignatureTransformation"
    ? { annotations: ast.from.type.annotations, type: ast.from.type }
    : { annotations: ast.type.annotations, type: ast.type }
  const self = (annotations as { readonly [AloneId]?: Schema.Schema.All })[AloneId]
  const types = type._tag === "Union" ? type.types.filter(({ _tag }) => _tag !== "UndefinedKeyword") : [type]
  return self ?? Schema.make(SchemaAST.Union.make(types))
}

/** One message for whatever is wrong with it, instead of one for each way it could have been right. */
const scalar = <A, I>(
  { expected, json }: { readonly expected: string; readonly json: object },
  from: Schema.Schema<I>,
  to: Schema.Schema<A>,
  read: (value: I) => A | undefined,
  accepted: ReadonlyArray<string> = []
): Schema.Schema<A, I> =>
  Schema.transformOrFail(from, to, {
    strict: false,
    decode: (value, _, ast) => {
      const found = read(value)
      return found === undefined ? ParseResult.fail(new ParseResult.Type(ast, value)) : ParseResult.succeed(found)
    },
    encode: ParseResult.succeed
  }).annotations({
    jsonSchema: json,
    message: ({ actual }) => {
      const near = typeof actual === "string" ? didYouMean(actual, accepted) : ""
      const message = `expected ${expected}, got ${Json.preview(actual)}`
      return { message: near === "" ? message : `${message}.${near}`, override: true }
    }
  })

const bounded = ({ default: otherwise, max }: Length & Default<string> = {}) =>
  scalar(
    {
      expected: `text${max === undefined ? "" : ` of at most ${max} characters`}${
        otherwise === undefined ? ", not empty" : ""
      }`,
      json: {
        type: "string",
        ...(otherwise === undefined ? { minLength: 1 } : {}),
        ...(max === undefined ? {} : { maxLength: max })
      }
    },
    Schema.String,
    Schema.String,
    (value) => (value === "" && otherwise === undefined) || value.length > (max ?? Infinity) ? undefined : value
  )

const within = (value: number, { max = Infinity, min = -Infinity }: Range = {}) => value >= min && value <= max

const bounds = ({ max, min }: Range = {}) => ({
  ...(min === undefined ? {} : { minimum: min }),
  ...(max === undefined ? {} : { maximum: max })
})

const range = ({ max, min }: Range = {}) =>
  min !== undefined && max !== undefined
    ? ` from ${min} to ${max}`
    : min !== undefined
    ? ` of at least ${min}`
    : max !== undefined
    ? ` of at most ${max}`
    : ""
