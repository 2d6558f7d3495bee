// Before start, test, lint, check and build: installs packages when they are missing or not those of the lock file.
// `prepare.mjs build` also builds when a source is newer than the last build. Says what it does; else costs some ms.
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"

process.chdir(join(import.meta.dirname, ".."))

const packagesOf = (file) => JSON.parse(readFileSync(file, "utf8")).packages

const outdated = () => {
  const wanted = packagesOf("package-lock.json")
  let installed
  try {
    installed = packagesOf("node_modules/.package-lock.json")
  } catch {
    return "are missing"
  }
  const different = Object.entries(wanted).some(([path, { devOptional, optional, version }]) =>
    path !== "" && (installed[path]?.version ?? (optional || devOptional ? version : undefined)) !== version
  )
  return different ? "differ from package-lock.json" : undefined
}

const mtime = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0

const isBuildStale = () => {
  const built = mtime("dist/.built")
  const sources = readdirSync("src", { recursive: true, withFileTypes: true })
  // A removed file shows in the time of its folder.
  return ["src", "package-lock.json", "tsconfig.json", "tsconfig.build.json"].some((file) => mtime(file) > built)
    || sources.some((entry) => mtime(join(entry.parentPath, entry.name)) > built)
}

const npm = (why, ...args) => {
  console.log(`${why}: npm ${args.join(" ")}`)
  const shell = process.platform === "win32"
  const { error, status, stderr, stdout } = spawnSync("npm", args, { encoding: "utf8", shell, maxBuffer: 2 ** 28 })
  if (status === 0) return
  process.stderr.write(`${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}\n`)
  process.exit(status ?? 1)
}

const reason = outdated()
if (reason !== undefined) npm(`packages ${reason}`, "ci", "--no-audit", "--no-fund")
if (process.argv[2] === "build" && isBuildStale()) npm("sources are newer than dist", "run", "build")
