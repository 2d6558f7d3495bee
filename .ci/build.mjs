// Builds `dist` from nothing, so that no file of a removed module is left in it, and marks when that was.
import { spawnSync } from "node:child_process"
import { rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"

process.chdir(join(import.meta.dirname, ".."))

const started = new Date()
rmSync("dist", { recursive: true, force: true })
const tsc = join("node_modules", "typescript", "bin", "tsc")
const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" })
if (status !== 0) process.exit(status ?? 1)
// The time of the start: what is edited while the compiler runs counts as newer.
writeFileSync("dist/.built", "")
utimesSync("dist/.built", started, started)
