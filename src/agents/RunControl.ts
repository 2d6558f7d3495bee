/** Whether a run may go on: asked before each step, and nowhere else. Pause, stepping and breakpoints are all of it. */

/** What a run that is held may do next. `into` ends at the next step, also of a body; `over` runs a loop as one step. */
export type Advance = "continue" | "into" | "over"

export class RunControl {
  /** While false nothing is asked: a run that nobody holds pays one look at this field a step. */
  holding = false
  /** Ids of components in front of which the run is held. */
  #breakpoints: ReadonlySet<string> = none
  #mode: Advance | "hold" = "continue"
  /** Steps that may still begin. */
  #left = 0
  /** The loop that is stepped over: its steps begin unasked. */
  #within: string | undefined = undefined
  /** The step that is being held at a breakpoint: it begins when the run goes on. */
  #passing: string | undefined = undefined

  /** No further step begins. */
  hold(): void {
    this.holding = true
    this.#mode = "hold"
  }

  /** Whether no step begins whatever comes. */
  get isHeld(): boolean {
    return this.#mode === "hold"
  }

  breakAt(componentIds: Iterable<string>): void {
    this.#breakpoints = new Set(componentIds)
    if (this.#mode === "continue") this.holding = this.#breakpoints.size > 0
  }

  get breakpoints(): ReadonlyArray<string> {
    return Array.from(this.#breakpoints)
  }

  advance(how: Advance): void {
    this.#mode = how
    this.#left = 1
    this.#within = undefined
    this.holding = how !== "continue" || this.#breakpoints.size > 0
  }

  /** Asked once for each step about to begin, and only while {@link holding}. */
  mayBegin(key: string, componentId: string): boolean {
    switch (this.#mode) {
      case "hold":
        return false
      case "continue": {
        if (!this.#breakpoints.has(componentId) || this.#passing === key) {
          this.#passing = undefined
          return true
        }
        this.#passing = key
        this.hold()
        return false
      }
      case "into":
      case "over": {
        if (this.#within !== undefined && (key.startsWith(`${this.#within}[`) || key.startsWith(`${this.#within}/`))) {
          return true
        }
        if (this.#left === 0) return false
        this.#left--
        this.#passing = undefined
        if (this.#mode === "over") this.#within = key
        return true
      }
    }
  }
}

const none: ReadonlySet<string> = new Set()
