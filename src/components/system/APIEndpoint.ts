/** Entry of a workflow and, when exposed, a tool of conversations. The request is checked and coerced before the run. */
import { Effect, Schema } from "effect"
import * as Files from "../../subsystems/io/Files.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

export const APIEndpoint = Component.make("APIEndpoint", {
  description: "Receives a request and hands its headers, body and query to the components behind it.",
  category: "entry",
  config: Schema.Struct({
    /** Path below the agent, and the name of the tool. */
    endpoint: Schema.String.pipe(
      Schema.pattern(/^[A-Za-z0-9]+(?:[_-]+[A-Za-z0-9]+)*_*$/, {
        message: () => "letters, digits, and single - or _ between them"
      }),
      Schema.maxLength(50)
    ),
    method: Settings.literal(["POST", "GET"], { default: "POST" }),
    /** Told to models. */
    description: Settings.text({ max: 5000, default: "" }),
    summary: Settings.text({ max: 1000, default: "" }),
    /** Told to people. */
    doc: Settings.text({ max: 1000, default: "" }),
    /** Whether conversations may call it. */
    ai_exposed: Settings.boolean({ default: true }),
    endpointLabel: Settings.text({ max: 100, default: "" }),
    /** Shown while the tool runs. */
    status_message: Settings.text({ max: 1000, default: "" })
  }),
  outputs: Schema.Struct({ headers: Port.Record, body: Port.Any, query: Port.Record, params: Port.Record }),
  openInputs: true,
  openOutputs: true,
  entry: { kind: "call" },
  run: ({ step }) => {
    const { body, headers, query } = step.run.request
    const files = step.component.inputs.filter(({ type }) => fileTypes.has(type.toLowerCase())).map(({ name }) => name)
    const outputs = { headers, body, query, params: {} }
    const wanted = isRecord(body) ? files.filter((name) => body[name] !== undefined && body[name] !== "") : []
    return wanted.length === 0 || !isRecord(body) ? outputs : Effect.map(
      Effect.forEach(wanted, (name) => Effect.map(keep(body[name]), (stored) => [name, stored] as const), {
        concurrency: 4
      }),
      (stored) => ({ ...outputs, body: { ...body, ...Object.fromEntries(stored) } })
    )
  }
})

const fileTypes: ReadonlySet<string> = new Set(["binary", "image", "audio", "video", "file"])

/** Uploads are kept under the agent's home for the length of the run; what flows is the file object. */
const keep = Effect.fnUntraced(function*(value: unknown) {
  const stored = yield* Effect.forEach(
    Array.isArray(value) ? value : [value],
    (one) => Effect.flatMap(Files.load(one), (file) => Files.store(file))
  )
  return Array.isArray(value) ? stored : stored[0]
})

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
