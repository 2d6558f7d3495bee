/** The server of `server.mjs`, for as long as the scope lasts. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"

/** Its address: `http://127.0.0.1:port`. */
export const served = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = spawn(process.execPath, [join("bench", "server.mjs")], { stdio: ["pipe", "pipe", "inherit"] })
      const [port] = await once(child.stdout, "data")
      return { child, origin: `http://127.0.0.1:${String(port).trim()}` }
    }),
    ({ child }) => Effect.sync(() => child.stdin.end())
  ),
  ({ origin }) => origin
)
