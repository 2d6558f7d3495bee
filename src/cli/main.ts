#!/usr/bin/env node
/** The `sre` command as a process. */
import { Effect } from "effect"
import { sre } from "./Sre.ts"

// Who reads the output may have seen enough: `sre components | head`.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))
}

const code = await Effect.runPromise(sre(process.argv))
process.stdout.write("", () => process.exit(code))
