/** What an agent did on a computer: each action is an event, and what the screen shows after it a file of the agent. */
import { type Duration, Effect } from "effect"
import type { Screen } from "../../../subsystems/compute/Computer.ts"
import { type Action, summary } from "../../../subsystems/compute/ComputerAction.ts"
import * as Files from "../../../subsystems/io/Files.ts"
import type { FilePart } from "../../../subsystems/llm/Prompt.ts"
import type { Step } from "../../Component.ts"

export interface Done {
  readonly action: Action
  /** Why it was not done. */
  readonly refused?: string
  /** What the screen showed after it, a `smythfs://` URI. */
  readonly screenshot?: string
}

/** The screen as a model sees it. */
export interface Shown {
  readonly picture: FilePart
  /** What pages did not get since the last look, one sentence each. */
  readonly missing: ReadonlyArray<string>
}

export class Journal {
  readonly steps: Array<Done> = []
  readonly screenshots: Array<Files.FileObject> = []
  readonly #step: Step
  readonly #timeToLive: Duration.Duration

  constructor(step: Step, timeToLive: Duration.Duration) {
    this.#step = step
    this.#timeToLive = timeToLive
  }

  get last(): string | undefined {
    return this.screenshots.at(-1)?.url
  }

  /** Looks at the screen and keeps what is to be seen; `action` has led to it. */
  look(screen: Screen, action: Action) {
    return Effect.gen(this, function*() {
      const { missing, png } = yield* screen.look
      const name = `screen-${this.screenshots.length + 1}.png`
      const file = yield* Files.store({ bytes: png, mediaType: "image/png", name }, { timeToLive: this.#timeToLive })
      this.screenshots.push(file)
      this.steps.push({ action, screenshot: file.url })
      this.#step.log("info", `${summary(action)}: ${file.url}`)
      missing.forEach((line) => this.#step.log("warning", line))
      const data = Buffer.from(png).toString("base64")
      const picture: FilePart = { type: "file", mediaType: "image/png", data, fileName: name }
      return { picture, missing } satisfies Shown
    })
  }

  refuse(action: Action, refused: string): void {
    this.steps.push({ action, refused })
    this.#step.log("warning", `${summary(action)}: ${refused}`)
  }
}
