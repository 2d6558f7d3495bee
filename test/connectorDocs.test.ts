/** `docs/connectors.md` tells of every registered connector, its settings as they are, and shows code that compiles. */
import { assert, describe, it } from "@effect/vitest"
import { join } from "node:path"
import ts from "typescript"
import { services, unexplainedIn } from "./fixtures/connectorDocs.ts"
import { read, root } from "./fixtures/source.ts"
import * as connectors from "./render/connectors.ts"

const page = read(connectors.file)

const sectionOf = (service: string): string => page.split(`\n## ${service}\n`)[1]?.split("\n## ")[0] ?? ""

const blocks = Array.from(
  page.matchAll(/\n(####?) (.+)\n\n```ts\n([\s\S]*?)```/g),
  ([, level, title = "", code = ""]) => ({
    title,
    code,
    /** Others show what connectors can be made from. */
    isConnector: level === "###",
    file: join(root, "docs", `${title.replace(/\W+/g, "-")}.ts`)
  })
)

describe(connectors.file, () => {
  it("has the settings that connectors have now", () => {
    assert.isTrue(
      page === connectors.page(),
      `${connectors.file} is out of date. Render it anew: ${connectors.command}`
    )
  })

  for (const service of services) {
    it(`says what connectors of ${service.name} were verified against`, () => {
      const section = sectionOf(service.name)
      for (const { name } of service.connectors) {
        assert.match(section, new RegExp(`\n\\| \`${name}\` \\| .+ \\| .+ \\|`))
      }
    })

    it(`says what every setting of connectors of ${service.name} is`, () => {
      assert.deepStrictEqual(unexplainedIn(service), [])
    })

    for (const { name } of service.connectors) {
      it(`shows ${service.name}: ${name} in some ten lines`, () => {
        const { code = "" } = blocks.find(({ title }) => title === `${service.name}: ${name}`) ?? {}
        assert.include(code, ".layer(")
        assert.isAtMost(code.trimEnd().split("\n").length, 18)
      })
    }
  }

  it("shows no connector that is not registered", () => {
    const registered = services.flatMap(({ connectors, name }) => connectors.map((one) => `${name}: ${one.name}`))
    assert.sameMembers(blocks.filter(({ isConnector }) => isConnector).map(({ title }) => title), registered)
  })

  it("shows code that compiles", () => assert.deepStrictEqual(problemsOf(blocks), []), 240_000)
})

/** Fails to compile where a program asks for what its connector does not give. */
const whole = "\nexport const whole: Effect.Effect<unknown, unknown> = program\n"

/** All blocks as files of one program, with the options of the project. */
const problemsOf = (all: typeof blocks): ReadonlyArray<string> => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile) as { readonly config: unknown }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const host = ts.createCompilerHost(options)
  const texts = new Map(all.map(({ code, file }) => [file, code.includes(" program =") ? code + whole : code]))
  const program = ts.createProgram({
    rootNames: all.map(({ file }) => file),
    options: { ...options, incremental: false },
    host: {
      ...host,
      fileExists: (file) => texts.has(file) || host.fileExists(file),
      readFile: (file) => texts.get(file) ?? host.readFile(file),
      getSourceFile: (file, ...more) => {
        const text = texts.get(file)
        return text === undefined
          ? host.getSourceFile(file, ...more)
          : ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true)
      }
    }
  })
  return all.flatMap(({ file, title }) => {
    const source = program.getSourceFile(file)
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${title}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`
    )
  })
}
