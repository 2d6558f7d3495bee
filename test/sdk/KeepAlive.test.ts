/** Programs that use the Promise API, as processes: they end when nothing is left to do, and not before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { Running } from "../cli/sre.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const require = createRequire(import.meta.url)
const loader = pathToFileURL(require.resolve("tsx")).href
const sdk = fileURLToPath(new URL("../../src/sdk/index.ts", import.meta.url))
const effect = require.resolve("effect/Effect")
const agents = fileURLToPath(new URL("../../src/agents/Agents.ts", import.meta.url))

/** What the program came to, on the embedded defaults. */
const program = (...lines: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const folder = yield* tempFolder
    const file = join(folder, "program.mjs")
    yield* Effect.promise(() =>
      writeFile(file, [`import { SDK, SRE } from ${JSON.stringify(sdk)}`, ...lines].join("\n"))
    )
    const { ended } = yield* Effect.acquireRelease(
      Effect.sync(() =>
        new Running(
          spawn(process.execPath, ["--import", loader, file], {
            cwd: folder,
            env: { PATH: process.env["PATH"], SRE_DATA: join(folder, "data") }
          })
        )
      ),
      ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
    )
    return yield* ended
  })

describe("a process", () => {
  it.scopedLive("ends when its last promise is settled, without a stop", () =>
    Effect.gen(function*() {
      const { code, out } = yield* program(
        `const agent = new SDK.Agent({ name: "Adder", model: "Echo" })`,
        `agent.addSkill({ name: "add", process: (a, b) => a + b })`,
        `console.log(await agent.call("add", { a: 2, b: 3 }))`,
        `console.log(await agent.chat().send("Hello"))`
      )
      assert.deepStrictEqual([code, out], [0, "5\nHello\n"])
    }))

  it.scopedLive("waits for a call of which nothing else keeps it, and for a run in the background", () =>
    Effect.gen(function*() {
      const { code, out } = yield* program(
        `import { flatMap } from ${JSON.stringify(effect)}`,
        `import { Agents } from ${JSON.stringify(agents)}`,
        `const agent = new SDK.Agent({ name: "Waiter" })`,
        `const slow = (text) => new Promise((resolve) => setTimeout(() => resolve(console.log(text)), 200).unref())`,
        `agent.addSkill({ name: "wait", process: (text) => slow(text) })`,
        `await agent.call("wait", { text: "called" })`,
        `const started = flatMap(Agents, (agents) => agents.start(agent.id, { endpoint: "wait", body: { text: "started" } }))`,
        `await SRE.current.run(started)`,
        `console.log("last line")`
      )
      assert.deepStrictEqual([code, out], [0, "called\nlast line\nstarted\n"])
    }))

  it.scopedLive("that caught why its system did not start ends well, one that did not ends with it", () =>
    Effect.gen(function*() {
      const caught = yield* program(
        `SRE.init({ Storage: { Connector: "Lokal" } })`,
        `await SRE.ready().catch((error) => console.log(error._tag))`
      )
      assert.deepStrictEqual(caught, { code: 0, out: "BootError\n", err: "" })
      const uncaught = yield* program(`await SRE.init({ Storage: { Connector: "Lokal" } }).ready()`)
      assert.strictEqual(uncaught.code, 1)
      assert.include(uncaught.err, `unknown connector "Lokal". Did you mean "Local"?`)
    }))
})
