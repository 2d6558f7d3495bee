// Builds `dist` from nothing, so that no file of a removed module is left in it, and marks when that was: the library,
// a file for each module with its declarations; and in `dist/bin` the command with all it needs, since Node takes longer
// to find and read a thousand modules than to run them.
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"

process.chdir(join(import.meta.dirname, ".."))

const started = new Date()
rmSync("dist", { recursive: true, force: true })

const tsc = join("node_modules", "typescript", "bin", "tsc")
const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" })
// Without the optional package there are no types of it either; what is emitted is the same.
const isComplete = existsSync(join("node_modules", "@effect", "sql-sqlite-node"))
if (status !== 0 && isComplete) process.exit(status ?? 1)
if (!isComplete) console.warn("SQLite could not be installed: connectors that need it say so when they are used")

// What connectors load on first use, and say how to install when it is missing; and what has binaries of its own.
const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync("package.json", "utf8")
)
const optional = [
  ...Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional),
  ...Object.keys(optionalDependencies),
  ...["undici", "quickjs-emscripten", "gpt-tokenizer", "ajv"].filter((name) => name in dependencies)
]

const { metafile } = await build({
  entryPoints: { sre: "src/cli/main.ts" },
  outdir: "dist/bin",
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20",
  // Of packages that come in both forms the one that can be split.
  mainFields: ["module", "main"],
  external: optional,
  banner: {
    js: "import { createRequire as requireFrom } from \"node:module\"; const require = requireFrom(import.meta.url);"
  },
  metafile: true,
  logLevel: "warning"
}).catch(() => process.exit(1))

// Who passes on the bundled packages passes on their licenses.
const packages = new Set(
  Object.keys(metafile.inputs).flatMap((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [])
)
const licenses = [...packages].sort().map((folder) => {
  const { license, name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name))
  return `${name} ${version}, ${license}\n\n${file === undefined ? "" : readFileSync(join(folder, file), "utf8")}`
})
writeFileSync("dist/bin/LICENSES", licenses.join(`\n${"-".repeat(80)}\n`))

// The time of the start: what is edited while the compiler runs counts as newer.
writeFileSync("dist/.built", "")
utimesSync("dist/.built", started, started)
