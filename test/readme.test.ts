/** The code in the README is the code of the examples, which are type-checked and run. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

const root = new URL("../", import.meta.url)
const readme = readFileSync(new URL("README.md", root), "utf8")
const blocks = Array.from(
  readme.matchAll(/<!-- (examples\/[\w-]+\.ts) -->\n```ts\n([\s\S]*?)```/g),
  ([, file, code]) => ({ file: file!, code })
)

describe("the README", () => {
  it("shows examples", () => assert.isAtLeast(blocks.length, 4))

  for (const { code, file } of blocks) {
    it(`shows ${file} as it is`, () => assert.strictEqual(code, readFileSync(new URL(file, root), "utf8")))
    it(`shows ${file} in at most 40 lines`, () => assert.isAtMost((code ?? "").trimEnd().split("\n").length, 40))
  }
})
