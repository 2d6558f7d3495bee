/** The pages that are rendered from the sources are those the sources give now. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { builtIn } from "../src/components/registry.ts"
import { read, root } from "./fixtures/source.ts"
import * as components from "./render/components.ts"

describe(components.file, () => {
  it("is what the registry gives", () => {
    const found = existsSync(join(root, components.file)) ? read(components.file) : ""
    assert.isTrue(
      found === components.page(),
      `${components.file} is out of date. Render it anew: ${components.command}`
    )
  })

  it("tells of every component, every setting and every port", () => {
    const page = components.page()
    for (const { config, inputs, name, outputs } of builtIn) {
      const section = page.slice(page.indexOf(`\n### ${name}\n`)).split("\n### ")[1] ?? ""
      const fields = [config, inputs, outputs].flatMap((one) => Object.keys(one.fields))
      for (const field of fields) assert.include(section, `\`${field}\``, name)
    }
  })

  it("says of a setting what it takes, its default and what it means", () => {
    const page = components.page()
    assert.match(page, /\| `topK` \| a whole number from 0 to 1000 \| `50` \| How many at most; 0 means 50\. \|/)
    assert.match(page, /\| `url` \| text of at most 8192 characters, not empty \|\s+\|/)
    assert.match(page, /\| `searchTopic` \| one of "general", "news" \| `"general"` \|/)
  })
})
