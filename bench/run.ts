/**
 * Runs the benchmarks one after another, each in a process of its own, and prints one table: `npx tsx bench/run.ts`, with
 * names to run only those (`engine http boot`). Compiled as the package is: what runs TypeScript on the fly names every
 * function again each time it is made, which makes a step three times as slow.
 */
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import type { Row } from "./measure.ts"

process.chdir(join(import.meta.dirname, ".."))
const chosen = process.argv.slice(2)
const names = ["engine", "http", "boot"].filter((name) => chosen.length === 0 || chosen.includes(name))
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

const rows = names.flatMap((name) => {
  const { status, stdout } = spawnSync(process.execPath, [join(outdir, `${name}.mjs`)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  if (status !== 0) process.exit(status ?? 1)
  return stdout.trim().split("\n").map((line) => JSON.parse(line) as Row)
})

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
