/** How far a loop has come: data, so that it can be held between two steps of its bodies and go on later. */
import type { RunState } from "./RunState.ts"

export class LoopState {
  /** The item to be taken next. */
  next = 0
  /** Items that have ended. */
  ended = 0
  /** The bodies of items under way; of a loop that was held those to go on with. */
  readonly active = new Map<number, RunState>()
  /** By item, the records its body came to. */
  readonly collected: Array<ReadonlyArray<unknown>> = []
  /** By item, values on connections that leave the body. */
  readonly exported: Array<ReadonlyMap<symbol, unknown> | undefined> = []
}
