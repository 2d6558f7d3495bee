/** Start of the built package: a fresh process each time, from its start until every embedded default is ready. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { report, row } from "./measure.ts"

const entry = join(process.cwd(), "dist", "index.js")
if (!existsSync(entry)) throw new Error("dist is missing: npm run build")

const program = `
  const { Effect, Layer } = await import("effect")
  const { Sre } = await import(${JSON.stringify(pathToFileURL(entry).href)})
  await Effect.runPromise(Effect.scoped(Layer.build(Sre.layer())))
  console.log(JSON.stringify({ millis: performance.now(), rss: process.memoryUsage.rss() }))
  process.exit(0)
`

const home = mkdtempSync(join(tmpdir(), "effect-sre-bench-"))
const samples = Array.from({ length: 8 }, () => {
  const { stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, HOME: home }
  })
  const line = stdout.trim().split("\n").at(-1) ?? ""
  if (!line.startsWith("{")) throw new Error(stderr)
  return JSON.parse(line) as { readonly millis: number; readonly rss: number }
}).slice(1)
rmSync(home, { recursive: true, force: true })

report(row("boot of the embedded default to ready", "ms", samples.map(({ millis }) => millis)))
report(row("memory of the booted process", "MiB", samples.map(({ rss }) => rss / 1024 / 1024)))
