import { Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

const contentTypes = ["application/json", "text/plain", "text/html", "application/xml"] as const

export const APIOutput = Component.make("APIOutput", {
  description: "Collects values into the answer of a workflow.",
  category: "exit",
  config: Schema.Struct({
    /** `full`: the record with an object of the inputs. `minimal`: that object alone. `raw`: the inputs as one text. */
    format: Settings.literal(["full", "minimal", "raw"]),
    /** Other types than JSON answer with the bare output, whatever the format. */
    contentType: Settings.literal(contentTypes, { default: "application/json" })
  }),
  outputs: Schema.Struct({ Output: Port.Any }),
  openInputs: true,
  openOutputs: true,
  run: ({ config, inputs, step }) => {
    const given = step.component.inputs.filter(({ name }) => Object.hasOwn(inputs, name) && inputs[name] !== undefined)
    return {
      Output: config.format === "raw"
        ? given.map(({ name }) => Json.toText(inputs[name])).join("")
        : Object.fromEntries(given.map(({ name }) => [name, inputs[name]]))
    }
  },
  answer: (record, { contentType, format }) =>
    format === "minimal" || contentType !== "application/json" ? record.result["Output"] : record
})
