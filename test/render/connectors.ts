/** `docs/connectors.md` with the settings the connectors have now; what else it says is written by hand. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { cellOf, meaningsOf, type Service, services } from "../fixtures/connectorDocs.ts"
import { read, root } from "../fixtures/source.ts"

export const file = "docs/connectors.md"
export const command = "npx tsx test/render/connectors.ts"

export const page = (): string =>
  read(file).split(/(?=\n## )/).map((section) => {
    const service = services.find(({ name }) => section.startsWith(`\n## ${name}\n`))
    return service === undefined ? section : rendered(section, service)
  }).join("")

/** A connector that has no row yet gets one that does not say what it was verified against. */
const rendered = (section: string, service: Service): string => {
  const [heading = ""] = section.split("\n| ")
  const examples = section.slice(section.indexOf("\n### "))
  const verified = new Map(
    Array.from(section.matchAll(/\n\| `(\w+)` \| .* \| (.*) \|(?=\n)/g), ([, name, text]) => [name, text])
  )
  const rows = service.connectors.map((one) => `| \`${one.name}\` | ${cellOf(one)} | ${verified.get(one.name) ?? ""} |`)
  const table = ["| connector | settings | verified against |", "| --- | --- | --- |", ...rows].join("\n")
  const meanings = meaningsOf(service)
  return [heading.trimEnd(), "", table, ...(meanings === "" ? [] : ["", meanings]), examples].join("\n")
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(join(root, file), page())
}
