import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import { coercer } from "../../src/components/Coerce.ts"
import { portTypes } from "../../src/components/Port.ts"
import * as Json from "../../src/kernel/Json.ts"

const fits = (type: string, cases: ReadonlyArray<readonly [input: unknown, output: unknown]>) =>
  it(`${type} takes ${cases.length} forms`, () => {
    for (const [input, output] of cases) {
      assert.deepStrictEqual(coercer(type)(input), Either.right(output), `${type} of ${Json.preview(input)}`)
    }
  })

const refuses = (type: string, ...values: ReadonlyArray<unknown>) =>
  it(`${type} refuses ${values.length} forms`, () => {
    for (const value of values) {
      const result = coercer(type)(value)
      assert.isTrue(Either.isLeft(result), `${type} of ${Json.preview(value)}`)
    }
  })

describe("Text", () => {
  fits("Text", [
    ["", ""],
    ["null", "null"],
    [5, "5"],
    [0, "0"],
    [true, "true"],
    [false, "false"],
    [null, ""],
    [undefined, ""],
    [{ a: 1 }, "{\"a\":1}"],
    [[1, "b"], "[1,\"b\"]"],
    [new Date(0), "1970-01-01T00:00:00.000Z"]
  ])
})

describe("Number", () => {
  fits("Number", [["42", 42], [" 42 ", 42], ["1e3", 1000], ["0x1f", 31], ["-.5", -0.5], [0, 0], [3.7, 3.7]])
  refuses(
    "Number",
    "12abc",
    "1,234",
    "",
    " ",
    "abc",
    true,
    false,
    null,
    undefined,
    [5],
    {},
    NaN,
    Infinity,
    "Infinity",
    5n
  )
})

describe("Integer", () => {
  fits("Integer", [["42", 42], ["1e3", 1000], ["0x1f", 31], ["12.0", 12], [0, 0], [-3, -3]])
  refuses("Integer", 3.7, "12.9", "12abc", "", true, null, 2 ** 53, "9007199254740993")
})

describe("Boolean", () => {
  fits("Boolean", [["TRUE", true], [" true", true], ["0", false], [1, true], [0, false], [false, false], [true, true]])
  refuses("Boolean", "yes", "", 2, null, [], {})
})

describe("Array", () => {
  fits("Array", [
    ["a,b , c", ["a", "b", "c"]],
    ["a", ["a"]],
    ["", []],
    ["[1,2]", [1, 2]],
    [" [1, 'x',] ", [1, "x"]],
    [[null], [null]]
  ])
  refuses("Array", { a: 1 }, 5, 0, true, null, new Uint8Array([1]))
})

describe("Object", () => {
  fits("Object", [
    ["pre {\"a\":1} post", { a: 1 }],
    ["{a:1}", { a: 1 }],
    [{}, {}],
    [Object.create(null), Object.create(null)]
  ])
  refuses("Object", "[1]", [1], "text", "", 0, 5, null, new Date(0), new Map())
})

describe("Date", () => {
  fits("Date", [
    ["2024-01-20", "2024-01-20T00:00:00.000Z"],
    ["01/20/2024", "2024-01-20T00:00:00.000Z"],
    ["1/20/2024 3:05 pm", "2024-01-20T15:05:00.000Z"],
    ["2024-01-20T10:00:00", "2024-01-20T10:00:00.000Z"],
    ["2024-01-20 10:00", "2024-01-20T10:00:00.000Z"],
    ["2024-01-20T10:00:00.5+02:00", "2024-01-20T08:00:00.500Z"],
    ["2024-01-20t10:00z", "2024-01-20T10:00:00.000Z"],
    ["January 20, 2024", "2024-01-20T00:00:00.000Z"],
    ["20 Jan 2024 10:00 +0100", "2024-01-20T09:00:00.000Z"],
    ["Sat, 20 Jan 2024 10:00:00 GMT", "2024-01-20T10:00:00.000Z"],
    ["Sat Jan 20 2024 10:00:00 GMT+0200 (Central European Summer Time)", "2024-01-20T08:00:00.000Z"],
    [1700000000, "2023-11-14T22:13:20.000Z"],
    [1700000000000, "2023-11-14T22:13:20.000Z"],
    ["1700000000", "2023-11-14T22:13:20.000Z"],
    [0, "1970-01-01T00:00:00.000Z"],
    [-1, "1969-12-31T23:59:59.000Z"],
    [1e11, "1973-03-03T09:46:40.000Z"],
    [new Date(5), "1970-01-01T00:00:00.005Z"]
  ])
  refuses(
    "Date",
    "",
    "tomorrow",
    "abc 12",
    "2024-02-30",
    "30 Feb 2024",
    "13/01/2024",
    "2024-01-20T25:00",
    true,
    null,
    {},
    new Date(NaN),
    1e300
  )
})

describe("Any and files", () => {
  it("pass everything unchanged", () => {
    const values = [null, undefined, 0, "", false, { url: "smythfs://a1.agent/x" }, new Uint8Array([1])]
    for (const type of ["Any", "Binary", "Image", "Audio", "Video", "File", "", "Whatever"]) {
      for (const value of values) assert.strictEqual(Either.getOrThrow(coercer(type)(value)), value)
    }
  })
})

it("type names are matched in any case, String is Text", () => {
  assert.deepStrictEqual(coercer("nUmBeR")("7"), Either.right(7))
  assert.deepStrictEqual(coercer("string")(7), Either.right("7"))
})

it("says what was expected and what came, shortened", () => {
  assert.deepStrictEqual(coercer("number")("abc"), Either.left("expected Number, got \"abc\""))
  assert.deepStrictEqual(coercer("Integer")(3.7), Either.left("expected Integer, got 3.7"))
  assert.deepStrictEqual(coercer("Array")(undefined), Either.left("expected Array, got nothing"))
  assert.deepStrictEqual(coercer("Boolean")("x".repeat(99)), Either.left(`expected Boolean, got "${"x".repeat(38)}…`))
})

const anything = FastCheck.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true })
const aType = FastCheck.constantFrom(...portTypes)

it.prop("never throws, and what fits once fits again unchanged", [aType, anything], ([type, value]) => {
  const once = coercer(type)(value)
  if (Either.isRight(once)) assert.deepStrictEqual(coercer(type)(once.right), once)
})

it.prop(
  "text is never changed by Text",
  [FastCheck.string()],
  ([text]) => assert.deepStrictEqual(coercer("Text")(text), Either.right(text))
)

it.prop(
  "a number survives its way through text",
  [FastCheck.double({ noNaN: true, noDefaultInfinity: true })],
  ([number]) =>
    assert.deepStrictEqual(
      coercer("Number")(Either.getOrThrow(coercer("Text")(number))),
      Either.right(number === 0 ? 0 : number)
    )
)

it.prop("lists and objects survive their way through text", [FastCheck.array(FastCheck.jsonValue())], ([list]) => {
  const plain = JSON.parse(JSON.stringify(list))
  for (const [type, value] of [["Array", plain], ["Object", { plain }]] as const) {
    assert.deepStrictEqual(coercer(type)(Either.getOrThrow(coercer("Text")(value))), Either.right(value))
  }
})

const aDate = FastCheck.date({ min: new Date("1000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
it.prop("a date survives all its texts", [aDate], ([date]) => {
  const seconds = new Date(Math.floor(date.getTime() / 1000) * 1000)
  assert.deepStrictEqual(coercer("Date")(date.toISOString()), Either.right(date.toISOString()))
  assert.deepStrictEqual(coercer("Date")(seconds.toUTCString()), Either.right(seconds.toISOString()))
})
