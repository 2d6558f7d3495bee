/** The rules of the house, read from the sources. A failure lists each offending file and line. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { basename, join } from "node:path"
import ts from "typescript"
import { declaredNames, filesIn, lineOf, read, resolve, root, type Source, source, walk } from "./fixtures/source.ts"

/** From the ground up. */
const rooms = [
  "kernel",
  "security",
  "subsystems",
  "connectors",
  "components",
  "agents",
  "boot",
  "sdk",
  "server",
  "cli",
  "testing"
]
/** Who may pick connectors. */
const composers = ["boot", "testing"]
/** Where effects are run. */
const faces = ["sdk", "server", "cli"]

/** Packages that are no vendor's: small, pure, and each the business of one file. */
const helpers: Readonly<Record<string, string | ReadonlyArray<string>>> = {
  "acorn": ["src/sdk/Parameters.ts", "src/subsystems/compute/Main.ts"],
  "fastest-levenshtein": "src/kernel/Nearest.ts",
  "gpt-tokenizer": "src/subsystems/llm/Tokenizer.ts",
  "ipaddr.js": "src/subsystems/io/NetworkPolicy.ts",
  "jsonc-parser": "src/kernel/JsonText.ts",
  "jsonrepair": "src/kernel/Json.ts",
  "xxhash-wasm": "src/security/Acl.ts",
  "yaml": "src/boot/Configuration.ts"
}
const platform = /^(effect|@effect\/(platform|platform-node|cli))(\/|$)|^node:/

const sources = filesIn("src", /\.ts$/).map(source)
const roomOf = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1] ?? ""
const isRelative = (specifier: string) => specifier.startsWith(".")
const packageOf = (specifier: string) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier

const none = (offences: ReadonlyArray<string>) => assert.deepStrictEqual(offences, [])

const importOffences = (offends: (file: Source, specifier: string) => string | undefined) =>
  sources.flatMap((file) =>
    file.imports.flatMap(({ line, specifier }) => {
      const offence = offends(file, specifier)
      return offence === undefined ? [] : [`${file.path}:${line} ${offence}`]
    })
  )

/** Nodes that break a rule, in files the rule is for. */
const nodeOffences = (applies: (path: string) => boolean, offends: (node: ts.Node, file: Source) => boolean) =>
  sources.filter(({ path }) => applies(path)).flatMap((file) => {
    const found: Array<string> = []
    walk(file.tree, (node) => {
      if (offends(node, file)) {
        found.push(`${file.path}:${lineOf(file.tree, node)} ${node.getText(file.tree).slice(0, 60)}`)
      }
    })
    return found
  })

const isMember = (node: ts.Node, object: string, member: RegExp) =>
  ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === object &&
  member.test(node.name.text)

describe("rooms", () => {
  it("there are sources to look at", () => {
    assert.isAbove(sources.length, 20)
  })

  it("every folder of src is a room", () => {
    none(sources.map(({ path }) => path).filter((path) => path !== "src/index.ts" && !rooms.includes(roomOf(path))))
  })

  it("import downwards only", () => {
    none(importOffences((file, specifier) => {
      if (!isRelative(specifier) || file.path === "src/index.ts") return undefined
      const from = roomOf(file.path)
      const target = resolve(file.path, specifier)
      return rooms.indexOf(roomOf(target)) > rooms.indexOf(from) || target === "src/index.ts"
        ? `${from} imports ${target}`
        : undefined
    }))
  })

  it("connectors are picked by boot and testing alone", () => {
    none(importOffences((file, specifier) => {
      const from = roomOf(file.path)
      const target = isRelative(specifier) ? roomOf(resolve(file.path, specifier)) : ""
      return target === "connectors" && from !== "connectors" && from !== "" && !composers.includes(from)
        ? `${from} imports ${specifier}`
        : undefined
    }))
  })

  it("vendor packages are imported by connectors alone, helper packages by the one file they belong to", () => {
    none(importOffences((file, specifier) => {
      if (isRelative(specifier) || platform.test(specifier) || roomOf(file.path) === "connectors") return undefined
      if (specifier === "@effect/vitest" && file.path.startsWith("src/testing/conformance/")) return undefined
      return [helpers[packageOf(specifier)] ?? []].flat().includes(file.path) ? undefined : `imports ${specifier}`
    }))
  })

  it("no module needs itself to load", () => {
    const graph = new Map(
      sources.map((file) => [
        file.path,
        file.imports.filter(({ atLoad, specifier }) => atLoad && isRelative(specifier))
          .map(({ specifier }) => resolve(file.path, specifier))
      ])
    )
    const done = new Set<string>()
    const cycles: Array<string> = []
    const visit = (path: string, trail: ReadonlyArray<string>): void => {
      const start = trail.indexOf(path)
      if (start >= 0) cycles.push([...trail.slice(start), path].join(" -> "))
      if (start >= 0 || done.has(path)) return
      for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
      done.add(path)
    }
    for (const path of graph.keys()) visit(path, [])
    none(cycles)
  })
})

describe("effects", () => {
  it("are run in faces alone", () => {
    // A time limit is a fiber beside the one that asks for it; a request of Node's server begins one.
    const bridges = ["src/kernel/Deadlines.ts", "src/connectors/router/NodeListener.ts"]
    none(nodeOffences(
      (path) => !faces.includes(roomOf(path)) && !bridges.includes(path),
      (node) => isMember(node, "Effect", /^run(?!time)/) || isMember(node, "Runtime", /^run/)
    ))
  })

  it("read environment, clock, chance and network through Effect", () => {
    const globals = ["fetch", "setTimeout", "setInterval", "setImmediate"]
    none(
      nodeOffences(
        (path) => !path.startsWith("src/testing/conformance/"),
        (node, file) =>
          isMember(node, "process", /^env$/) || isMember(node, "Date", /^now$/) || isMember(node, "Math", /^random$/) ||
          isMember(node, "console", /./) || isMember(node, "globalThis", /^(fetch|process|set\w+)$/) ||
          (ts.isNewExpression(node) && node.expression.getText(file.tree) === "Date" &&
            (node.arguments ?? []).length === 0) ||
          (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && globals.includes(node.expression.text) &&
            !declaredNames(file.tree).has(node.expression.text))
      )
    )
  })

  it("carry the candidate in a reference that Candidate.ts alone touches", () => {
    none(nodeOffences(
      (path) => path !== "src/security/Candidate.ts",
      (node) => ts.isIdentifier(node) && node.text === "FiberRef"
    ))
  })
})

describe("registries", () => {
  /** Files of a room's folders whose main export has the name of the file: what can be configured or placed. */
  const members = (room: string) =>
    sources.filter(({ path }) => new RegExp(`^src/${room}/[^/]+/`).test(path)).filter((file) => {
      const name = basename(file.path, ".ts")
      return file.tree.statements.some((statement) =>
        ts.isVariableStatement(statement) &&
        (ts.getCombinedModifierFlags(statement.declarationList.declarations[0]!) & ts.ModifierFlags.Export) !== 0 &&
        statement.declarationList.declarations.some((declaration) => declaration.name.getText(file.tree) === name)
      )
    }).map(({ path }) => path)

  for (const room of ["connectors", "components"]) {
    const registry = `src/${room}/registry.ts`

    it(`every one of ${room} is registered`, () => {
      assert.isTrue(existsSync(join(root, registry)), `${registry} is missing`)
      // Models name their provider themselves: a folder may keep such a table of its own.
      const tables = [registry, ...sources.map(({ path }) => path).filter((path) => path.endsWith("/providers.ts"))]
      const registered = new Set(
        tables.flatMap((table) => source(table).imports.map(({ specifier }) => resolve(table, specifier)))
      )
      assert.isAbove(members(room).length, 0)
      none(members(room).filter((path) => !registered.has(path)))
    })

    it(`every one of ${room} has its test`, () => {
      none(
        members(room).map((path) => path.replace(/^src/, "test").replace(/\.ts$/, ".test.ts"))
          .filter((path) => !existsSync(join(root, path)))
      )
    })

    it(`what makes one of ${room} has the name of its file, or makes those that have`, () => {
      const namespace = room === "connectors" ? "Connector" : "Component"
      const makers = nodeOffences(
        (path) => roomOf(path) === room && path.split("/").length > 3,
        (node) => ts.isCallExpression(node) && isMember(node.expression, namespace, /^make$/)
      ).map((place) => place.replace(/:.*$/s, ""))
      const known = members(room)
      const used = new Set(
        known.flatMap((path) => source(path).imports.map(({ specifier }) => resolve(path, specifier)))
      )
      none(makers.filter((path) => !known.includes(path) && !used.has(path)))
    })
  }
})

describe("files", () => {
  const own = [
    ...["src", "test", "examples", ".ci"].filter((folder) => existsSync(join(root, folder)))
      .flatMap((folder) => filesIn(folder, /\.(ts|mjs|md|json|smyth)$|\/run$/)),
    ...["AGENTS.md", "CHANGELOG.md", "README.md", "package.json", "tsconfig.json", "vitest.config.ts"]
      .filter((path) => existsSync(join(root, path)))
  ]

  it("of code have at most 400 lines", () => {
    none(
      own.filter((path) => path.endsWith(".ts")).map((path) => `${path}:${read(path).trimEnd().split("\n").length}`)
        .filter((place) => Number(place.split(":")[1]) > 400)
    )
  })

  it("name no place of one machine", () => {
    // In two parts, so that this file does not name one.
    const place = new RegExp("[\"'`\\s(=:]/(" + "home|root|Users|work" + ")/[\\w.-]+|[A-Z]:\\\\" + "\\w")
    none(
      own.flatMap((path) =>
        read(path).split("\n").flatMap((line, index) => place.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])
      )
    )
  })
})

describe("packages", () => {
  type Lock = { readonly packages: Readonly<Record<string, { readonly version?: string } & Record<string, unknown>>> }
  const { packages } = JSON.parse(read("package-lock.json")) as Lock
  const nameOf = (path: string) => path.replace(/^.*node_modules\//, "")

  it("hold one version of Effect and of each of its packages", () => {
    const versions = new Map<string, Set<string>>()
    for (const [path, { version = "" }] of Object.entries(packages)) {
      const name = nameOf(path)
      if (name !== "effect" && !name.startsWith("@effect/")) continue
      versions.set(name, (versions.get(name) ?? new Set()).add(version))
    }
    none(Array.from(versions).filter(([, all]) => all.size > 1).map(([name, all]) => `${name} ${[...all].join(", ")}`))
    assert.match(Array.from(versions.get("effect") ?? []).join(), /^3\./)
  })

  it("of every platform are in the lock file, which `npm ci` refuses otherwise", () => {
    none(
      Object.values(packages).flatMap(({ optionalDependencies }) =>
        Object.keys(optionalDependencies ?? {}).filter((name) => packages[`node_modules/${name}`] === undefined)
      )
    )
  })

  it("are pinned, and those the host brings have an upper bound", () => {
    const manifest = packages[""] as Readonly<Record<string, Readonly<Record<string, string>>>>
    const pinned = Object.entries({ ...manifest["dependencies"], ...manifest["devDependencies"] })
    none(pinned.filter(([, range]) => !/^\d+\.\d+\.\d+$/.test(range)).map(([name, range]) => `${name} ${range}`))
    const peers = Object.entries(manifest["peerDependencies"] ?? {})
    none(peers.filter(([, range]) => !/^>=\d[\d.]* <\d[\d.]*$/.test(range)).map(([name, range]) => `${name} ${range}`))
    none(peers.map(([name]) => name).filter((name) => manifest["devDependencies"]?.[name] === undefined))
  })
})
