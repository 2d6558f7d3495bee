/**
 * Runs the benchmarks one after another, each in several fresh processes, and prints one table of medians: `npm run bench`,
 * with names to run only those (`engine memory http boot connectors llm components peers`). The peers have packages of their own:
 * `npm ci --prefix bench`. Compiled as the package is: what runs TypeScript on the fly names every
 * function again each time it is made, which makes a step three times as slow.
 */
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { type Row, row } from "./measure.ts"

process.chdir(join(import.meta.dirname, ".."))
const chosen = process.argv.slice(2)
const isChosen = (name: string) => chosen.length === 0 || chosen.includes(name)
const names = ["engine", "memory", "http", "boot", "connectors", "llm", "components"].filter(isChosen)
/** Fresh processes of each benchmark. The memory is the same in each; the start makes processes of its own. */
const processes: Readonly<Record<string, number>> = { engine: 3, http: 3 }
const outdir = join("node_modules", ".cache", "bench")

await build({
  entryPoints: names.map((name) => `bench/${name}.ts`),
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "node20",
  logLevel: "warning"
})

const rowsOf = (...args: ReadonlyArray<string>): ReadonlyArray<Row> => {
  const { status, stdout } = spawnSync(process.execPath, ["--expose-gc", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  if (status !== 0) process.exit(status ?? 1)
  return stdout.trim().split("\n").filter((line) => line.startsWith("{\"what\"")).map((line) => JSON.parse(line) as Row)
}

/** The median over processes of the medians within each; the extremes of all of them. */
const together = (runs: ReadonlyArray<ReadonlyArray<Row>>): ReadonlyArray<Row> =>
  runs[0]!.map(({ unit, what }, at) => {
    const same = runs.map((rows) => rows[at]!)
    return {
      ...row(what, unit, same.map(({ median }) => median)),
      least: Math.min(...same.map(({ least }) => least)),
      most: Math.max(...same.map(({ most }) => most))
    }
  })

const peers = ["plain async", "langgraph", "mastra", "ai", "sre"]
const rows = [
  ...names.flatMap((name) =>
    together(Array.from({ length: processes[name] ?? 1 }, () => rowsOf(join(outdir, `${name}.mjs`))))
  ),
  ...(isChosen("peers") && existsSync("bench/node_modules")
    ? peers.flatMap((peer) => rowsOf("bench/peers/chain.mjs", peer))
    : [])
]

const number = (value: number) => value.toLocaleString("en", { maximumSignificantDigits: 3 })
const load = loadavg().map((one) => one.toFixed(1)).join(" ")
console.log([
  `${new Date().toISOString().slice(0, 10)} · Node ${process.version} · ${cpus().length} × ${
    cpus()[0]?.model
  } · load ${load}`,
  "",
  "| | median | from | to | |",
  "| --- | ---: | ---: | ---: | --- |",
  ...rows.map(({ least, median, most, unit, what }) =>
    `| ${what} | ${number(median)} | ${number(least)} | ${number(most)} | ${unit} |`
  )
].join("\n"))
