/** What runs in the process of a call, before the code and around it; for Deno and Node alike. */
import { type Arguments, callMain } from "./CallMain.ts"

/** Its input, as JSON. */
export interface Task extends Arguments {
  /** Lines that begin with it are the runner's; all others the code wrote by itself. */
  readonly mark: string
  /** A module, as a `data:` URL; it exports `$main`. */
  readonly module: string
}

export const runner = `${callMain}
const deno = globalThis.Deno
const out = deno ? deno.stdout : process.stdout
const encoder = new TextEncoder()
const decoder = new TextDecoder()
const exit = deno ? deno.exit : process.exit.bind(process)
const write = deno
  ? async (text) => { let rest = encoder.encode(text); while (rest.length > 0) rest = rest.subarray(out.writeSync(rest)) }
  : (text) => new Promise((resolve) => out.write(text, resolve))

let input = ""
for await (const chunk of deno ? deno.stdin.readable : process.stdin) input += decoder.decode(chunk, { stream: true })
const task = JSON.parse(input)
const { mark, module } = task
const { stringify } = JSON
const tell = (message) => write("\\n" + mark + stringify(message) + "\\n")
await tell(await callMain(task, () => import(module), (log) => tell({ log })))
exit(0)
`
