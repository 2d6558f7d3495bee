import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import { parse } from "../../src/kernel/JsonText.ts"

const problems: ReadonlyArray<readonly [text: string, problem: string]> = [
  ["", "expected a value at line 1, column 1, found the end"],
  [`{a: 1}`, "expected a name in double quotes at line 1, column 2"],
  [`{ oops`, "expected a name in double quotes at line 1, column 3"],
  [`{,}`, "expected a name in double quotes at line 1, column 2, found ,"],
  [`{"a" 1}`, "expected a colon at line 1, column 6"],
  [`{"a": }`, "expected a value at line 1, column 7, found }"],
  [`{\n  "a": 1\n  "b": 2\n}`, `expected a comma at line 3, column 3, found "`],
  [`{"a": 1`, "expected a comma or } at line 1, column 8, found the end"],
  [`[1, 2`, "expected a comma or ] at line 1, column 6, found the end"],
  [`{"a": 1,}`, "expected a name in double quotes at line 1, column 9, found }"],
  [`{"a": 1}}`, "expected nothing more at line 1, column 9, found }"],
  [`{"a": 1} x`, "expected nothing more at line 1, column 10"],
  [`{"a": tru}`, "expected a value at line 1, column 7"],
  [`{'a': 1}`, "expected a name in double quotes at line 1, column 2"],
  [`// all\n{}`, "expected no comment at line 1, column 1"],
  [`["a\nb"]`, `expected a text that ends in the same line at line 1, column 2, found "`],
  [`["\\q"]`, `expected a text with one of "\\/bfnrtu after a backslash at line 1, column 2, found "`],
  ["[".repeat(100_000), "nested too deep to say where it goes wrong"]
]

describe("parse", () => {
  it("says where a text is not JSON, and what should have been there", () => {
    for (const [text, problem] of problems) assert.deepStrictEqual(parse(text), Either.left(problem))
  })

  it("shows nothing of the text but its brackets", () => {
    for (const text of ["s3cret", `{"token": s3cret}`, `{"token": "s3cret`]) {
      assert.notInclude(JSON.stringify(parse(text)), "s3cret")
    }
  })

  it("takes any JSON, a byte order mark before it too", () => {
    for (const value of [0, null, "", [], { a: [1] }]) {
      assert.deepStrictEqual(parse(`\ufeff${JSON.stringify(value)}`), Either.right(value))
    }
  })
})
