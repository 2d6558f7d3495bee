/**
 * Renders `docs/components.md` from the registry, with what the sources say of each setting and port:
 * `npx tsx test/render/components.ts`.
 */
import { Either, ParseResult, Schema, type SchemaAST } from "effect"
import { writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import ts from "typescript"
import type * as Component from "../../src/components/Component.ts"
import * as Port from "../../src/components/Port.ts"
import { builtIn } from "../../src/components/registry.ts"
import { filesIn, resolve, root, type Source, source, walk } from "../fixtures/source.ts"

export const file = "docs/components.md"
export const command = "npx tsx test/render/components.ts"

const categories: Readonly<Record<Component.Category, string>> = {
  entry: "Entries",
  exit: "Answers",
  ai: "Models",
  external: "Other services",
  data: "Data",
  logic: "Logic",
  flow: "Flow",
  storage: "Storage",
  system: "System"
}

export const page = (): string => {
  const sources = new Map(filesIn("src/components", /\.ts$/).map((path) => [path, source(path)]))
  const components: ReadonlyArray<Component.Any> = [...builtIn].sort((a, b) => a.name.localeCompare(b.name, "en"))
  const used = Object.entries(categories).filter(([key]) => components.some(({ category }) => category === key))
  return [
    "# Components",
    "",
    `Rendered from \`src/components/registry.ts\` by \`${command}\`; do not edit.`,
    "",
    "A setting without a default that is not optional has to be set. Numbers and booleans may be text, as documents write them. " +
    "Every component also has the output `_error`, which fires when it fails.",
    "",
    ...used.map(([key, title]) =>
      `- ${title}: ${
        components.filter(({ category }) => category === key).map(({ name }) => `[${name}](#${name.toLowerCase()})`)
          .join(", ")
      }`
    ),
    ...used.flatMap(([key, title]) => [
      "",
      `## ${title}`,
      ...components.filter(({ category }) => category === key).flatMap((component) => section(component, sources))
    ]),
    ""
  ].join("\n")
}

const section = (component: Component.Any, sources: ReadonlyMap<string, Source>): ReadonlyArray<string> => {
  const docs = docsOf(component.name, sources)
  const settings = Object.entries(component.config.fields as Schema.Struct.Fields).map(([name, field]) => {
    const { accepts, otherwise } = settingOf(name, field)
    return `| \`${name}\` | ${cell(accepts)} | ${cell(otherwise)} | ${cell(docs(name))} |`
  })
  const ports = (kind: string, fields: Schema.Struct.Fields, isOpen: boolean) => {
    const lines = Object.entries(fields).map(([name, field]) => {
      const optional = kind === "Inputs" && Schema.isPropertySignature(field) ? ", optional" : ""
      const meaning = docs(name)
      return `- \`${name}\` (${typeOf(field)}${optional})${meaning === "" ? "" : `: ${meaning}`}`
    })
    const all = isOpen ? [...lines, "- any the document declares"] : lines
    return all.length === 0 ? [] : ["", `${kind}:`, "", ...all]
  }
  return [
    "",
    `### ${component.name}`,
    "",
    component.description + (component.aliases.length === 0 ? "" : ` Also called ${component.aliases.join(", ")}.`),
    ...(settings.length === 0
      ? []
      : ["", "| setting | accepts | default | meaning |", "| --- | --- | --- | --- |", ...settings]),
    ...ports("Inputs", component.inputs.fields as Schema.Struct.Fields, component.openInputs),
    ...ports("Outputs", component.outputs.fields as Schema.Struct.Fields, component.openOutputs)
  ]
}

const typeOf = (field: Schema.Struct.Field) => {
  const { from = Schema.Unknown } = field as unknown as { readonly from?: Schema.Schema.All }
  return Port.typeOf(Schema.isPropertySignature(field) ? from : field as Schema.Schema.All) ?? "Any"
}

const cell = (text: string) => text.replaceAll("|", "\\|")

/** What a setting takes, as it says itself when it gets something else, and what it is when it is not set. */
const settingOf = (name: string, field: Schema.Struct.Field) => {
  const struct = Schema.Struct({ [name]: field }) as unknown as Schema.Schema<Readonly<Record<string, unknown>>, object>
  const decode = ParseResult.decodeUnknownEither(struct, { errors: "all" })
  const unset = decode({})
  const refused = [[[0]], { "?": [0] }, 0.5].map((value) => decode({ [name]: value })).find(Either.isLeft)
  const [issue] = refused === undefined ? [] : ParseResult.ArrayFormatter.formatIssueSync(refused.left)
  const expected = issue === undefined ? undefined : /^expected (.*), got /s.exec(issue.message)?.[1]
  const [property] = (Schema.encodedSchema(struct).ast as SchemaAST.TypeLiteral).propertySignatures
  const encoded = Either.isRight(unset) ? ParseResult.encodeEither(struct)(unset.right) : undefined
  const value = encoded !== undefined && Either.isRight(encoded)
    ? (encoded.right as Readonly<Record<string, unknown>>)[name]
    : undefined
  return {
    accepts: expected ?? (issue === undefined ? "anything" : typeText(String(property!.type))),
    otherwise: Either.isLeft(unset) ? "" : value === undefined ? "optional" : `\`${JSON.stringify(value)}\``
  }
}

/** Without what means as much as nothing. */
const typeText = (type: string) =>
  type.split(" | ").filter((one) => !["\"\"", "null", "undefined"].includes(one)).join(" or ").replace(
    /^string$/,
    "text"
  )

/** The comments of a component's file on its properties; then those of the files it is made of. */
const docsOf = (name: string, sources: ReadonlyMap<string, Source>) => {
  const own = [...sources.values()].find(({ path }) => basename(path, ".ts") === name)
  const files = own === undefined ? [] : [
    own,
    ...own.imports.flatMap(({ specifier }) => sources.get(resolve(own.path, specifier)) ?? [])
  ]
  const comments = new Map<string, string>()
  for (const { text, tree } of files) {
    walk(tree, (node) => {
      if (!ts.isPropertyAssignment(node) || !ts.isIdentifier(node.name) || comments.has(node.name.text)) return
      const ranges = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []
      const comment = ranges.map(({ end, pos }) => text.slice(pos, end)).findLast((one) => one.startsWith("/**"))
      if (comment !== undefined) {
        comments.set(node.name.text, comment.replace(/^\/\*\*|\*\/$/g, "").replace(/\s*\n\s*\*?\s*/g, " ").trim())
      }
    })
  }
  return (property: string) => comments.get(property) ?? ""
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(join(root, file), page())
}
