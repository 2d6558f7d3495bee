/** The package as a stranger gets it: packed, installed in an empty folder, run by plain Node, seen by the compiler. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, layer } from "@effect/vitest"
import { Context, Data, Effect, Layer } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { read, root } from "./fixtures/source.ts"

interface Manifest {
  readonly version: string
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly devDependencies: Readonly<Record<string, string>>
}
const manifest = JSON.parse(read("package.json")) as Manifest

class CommandFailed extends Data.TaggedError("CommandFailed")<{ readonly message: string }> {}

const run = (cwd: string, command: string, ...args: ReadonlyArray<string>) =>
  Effect.tryPromise({
    try: (signal) => promisify(execFile)(command, [...args], { cwd, signal, maxBuffer: 2 ** 26 }),
    catch: (cause) => {
      const { message, stdout = "" } = cause as { readonly message: string; readonly stdout?: string }
      return new CommandFailed({ message: `${command} ${args.join(" ")}: ${message}\n${stdout}` })
    }
  }).pipe(Effect.map(({ stdout }) => stdout))

/** A folder in which the packed package is installed, and what the package holds. */
class Consumer extends Context.Tag("test/Consumer")<Consumer, {
  readonly folder: string
  readonly files: ReadonlySet<string>
}>() {
  static readonly layer = Layer.scoped(
    Consumer,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped({ prefix: "effect-sre-" })
      yield* run(root, process.execPath, join(".ci", "prepare.mjs"), "build")
      const packed = yield* run(root, "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", folder)
      const [{ filename, files }] = JSON.parse(packed) as [
        { readonly filename: string; readonly files: ReadonlyArray<{ readonly path: string }> }
      ]
      const fixture = join(root, "test", "fixtures", "consumer")
      for (const name of yield* fs.readDirectory(fixture)) yield* fs.copy(join(fixture, name), join(folder, name))
      yield* fs.writeFileString(join(folder, "package.json"), "{ \"private\": true, \"type\": \"module\" }")
      const types = `@types/node@${manifest.devDependencies["@types/node"]}`
      yield* run(folder, "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", `./${filename}`, types)
      return { folder, files: new Set(files.map(({ path }) => path)) }
    })
  ).pipe(Layer.provide(NodeContext.layer))
}

layer(Consumer.layer, { excludeTestServices: true, timeout: "5 minutes" })("the package", (it) => {
  const slow = { timeout: 120_000 }

  it.effect("holds the files its exports name and the license", () =>
    Effect.gen(function*() {
      const { files } = yield* Consumer
      const named = Object.values(manifest.exports).flatMap((entry) =>
        typeof entry === "string" ? [entry] : [entry.types, entry.default]
      ).filter((path) => !path.includes("*")).map((path) => path.replace("./", ""))
      assert.deepStrictEqual(["LICENSE", "CHANGELOG.md", ...named].filter((path) => !files.has(path)), [])
    }))

  it.effect("brings no tests, tools, settings or keys", () =>
    Effect.gen(function*() {
      const { files } = yield* Consumer
      const strange = [...files].filter((path) =>
        !/^(dist|src)\/.+\.(js|ts|map)$|^(package\.json|(README|CHANGELOG)\.md|(dist\/bin\/)?LICENSES?)$/.test(path)
      )
      assert.deepStrictEqual(strange, [])
    }))

  it.effect("runs on plain Node without the optional packages", () =>
    Effect.gen(function*() {
      const { folder } = yield* Consumer
      assert.strictEqual(yield* run(folder, process.execPath, "program.mjs"), "No agent \"nobody\".\n")
    }), slow)

  it.effect("has declarations that lose nothing", () =>
    Effect.gen(function*() {
      const { folder } = yield* Consumer
      yield* run(folder, process.execPath, join(root, "node_modules", "typescript", "bin", "tsc"), "-p", ".")
    }), slow)

  it.effect("installs the command, with the licenses of what it holds", () =>
    Effect.gen(function*() {
      const { files, folder } = yield* Consumer
      const sre = join(folder, "node_modules", ".bin", "sre")
      assert.strictEqual((yield* run(folder, sre, "--version")).trim(), manifest.version)
      assert.include(yield* run(folder, sre, "check", join(root, "examples", "agents")), "4 files, 0 errors")
      assert.isTrue(files.has("dist/bin/LICENSES"))
    }), slow)
})
