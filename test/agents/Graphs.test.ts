/** Random graphs against an interpreter that is slow and plain: the engine must agree with it whatever the timing. */
import { describe, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { agrees, count } from "./graphRuns.ts"
import { graphs } from "./graphs.ts"

const shapes = {
  "forward only": { cycles: false, loops: false, jobs: false },
  "with cycles": { cycles: true, loops: false, jobs: false },
  "with loops": { cycles: false, loops: true, jobs: false },
  "with cycles, loops and jobs": { cycles: true, loops: true, jobs: true }
}

describe("random graphs answer as the interpreter says, whatever the timing, each step once", () => {
  for (const [name, options] of Object.entries(shapes)) {
    it.live(`${count(220)} of them ${name}, up to 200 nodes`, () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(
            graphs({ ...options, maxNodes: 200 }),
            FastCheck.integer(),
            (graph, seed) => agrees(graph, seed)
          ),
          { numRuns: count(220) }
        )
      ), 3_600_000)
  }
})
