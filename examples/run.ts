/** Runs one example: `npx tsx examples/run.ts services`. */
import { existsSync } from "node:fs"

const name = process.argv[2] ?? ""
const file = new URL(`./${name}.ts`, import.meta.url)

if (!/^[\w-]+$/.test(name) || name === "run" || !existsSync(file)) {
  console.error(`no example "${name}"; name a file of this folder, without .ts`)
  process.exitCode = 1
} else {
  const { program } = await import(file.href) as { readonly program: () => Promise<void> }
  await program().catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
}
