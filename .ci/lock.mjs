// After every install: completes package-lock.json. npm leaves out optional packages of other platforms that the
// registry in use cannot deliver, and `npm ci` then refuses that very lock file. An entry that says for which platform
// a package is satisfies it everywhere, and lets those who can have the package install it.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const file = join(import.meta.dirname, "..", "package-lock.json")
const lock = JSON.parse(readFileSync(file, "utf8"))

const platforms =
  /\b(aix|android|darwin|freebsd|linux|mac|netbsd|openbsd|openharmony|sunos|win|win32)-([a-z0-9]+)(?:-(gnu|musl))?/
const systems = { mac: "darwin", win: "win32" }

let added = 0
for (const [path, { dev, optionalDependencies = {}, peer }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const known = lock.packages[`${path}/node_modules/${name}`] ?? lock.packages[`node_modules/${name}`]
    const [, os, cpu, libc] = platforms.exec(name) ?? []
    if (known !== undefined || os === undefined || !/^\d/.test(version)) continue
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(dev ? { dev } : {}),
      ...(os === "linux" && libc ? { libc: [libc === "gnu" ? "glibc" : libc] } : {}),
      optional: true,
      os: [systems[os] ?? os],
      ...(peer ? { peer } : {})
    }
    added++
  }
}
if (added > 0) {
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")))
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
  console.log(`package-lock.json: added ${added} optional packages of other platforms`)
}
