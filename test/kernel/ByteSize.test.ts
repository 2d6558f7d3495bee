import { assert, it } from "@effect/vitest"
import { FastCheck, Option, Schema } from "effect"
import { ByteSize } from "../../src/kernel/ByteSize.ts"

const decode = Schema.decodeUnknownOption(ByteSize)

it("reads numbers and texts", () => {
  const sizes = [[1, 1], ["512mb", 2 ** 29], ["10gb", 10 * 2 ** 30], ["1.5 KB", 1536], ["64", 64], ["7b", 7]] as const
  for (const [text, bytes] of sizes) assert.deepStrictEqual(decode(text), Option.some(bytes))
  for (const text of [0, -1, 1.5, NaN, "", "mb", "1 xb", "-1mb", "0", null, "1e3"]) {
    assert.deepStrictEqual(decode(text), Option.none(), JSON.stringify(text))
  }
})

it.prop("a whole number of bytes reads back", [FastCheck.integer({ min: 1 })], ([bytes]) => {
  assert.deepStrictEqual(decode(String(bytes)), Option.some(bytes))
})
