import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as SafeName from "../../src/connectors/SafeName.ts"

describe("SafeName", () => {
  const keys = FastCheck.string({ unit: "grapheme", minLength: 1, maxLength: 400 }).filter((key) => key.isWellFormed())

  it.prop("a name is one segment of lower case, fits, and tells its key or that it cannot", [keys], ([key]) => {
    const name = SafeName.encode(key)
    assert.match(name, /^[a-z0-9%_-][a-z0-9%._~-]{0,199}$/)
    const decoded = SafeName.decode(name)
    assert.isTrue(decoded === "hashed" ? name.length > 150 : decoded?.key === key)
  })

  it.prop("different keys have different names, also where case does not count", [keys, keys], ([a, b]) => {
    FastCheck.pre(a !== b)
    assert.notStrictEqual(SafeName.encode(a).toLowerCase(), SafeName.encode(b).toLowerCase())
    assert.notStrictEqual(SafeName.encode(a), SafeName.encode(a.toUpperCase() === a ? `${a}A` : a.toUpperCase()))
  })

  it("names that no key has are told apart", () => {
    for (const name of ["~tmp-1", ".lock", "A", "%4", "%zz", "a~b", "%41x", "ü"]) {
      assert.deepStrictEqual(SafeName.decode(name), name === "%41x" ? { key: "Ax" } : undefined, name)
    }
  })
})
