import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^effect-sre$/, replacement: src("index.ts") },
      { find: /^effect-sre\/(sdk|server|testing|testing\/conformance)$/, replacement: src("$1/index.ts") },
      { find: /^effect-sre\/(connectors|components)\/(.*)$/, replacement: src("$1/$2.ts") }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/seed.ts"],
    // What hangs is to end, what is slow on a busy machine is not.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    // Most tests wait for servers: one process fewer than there are cores would leave one idle.
    poolOptions: { forks: { maxForks: availableParallelism() } },
    silent: "passed-only"
  }
})
