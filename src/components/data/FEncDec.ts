import { Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Bytes from "./Bytes.ts"

export const FEncDec = Component.make("FEncDec", {
  description: "Encodes a text or bytes (base64, hex and others), or decodes such a text.",
  category: "data",
  config: Schema.Struct({
    action: Settings.literal(["Encode", "Decode"], { default: "Encode" }),
    encoding: Settings.literal(Bytes.encodings, { default: "utf8" })
  }),
  inputs: Schema.Struct({ Data: Port.Any }),
  outputs: Schema.Struct({ Output: Port.Text }),
  run: ({ config: { action, encoding }, inputs: { Data } }) => {
    const decodes = action === "Decode" && typeof Data === "string"
    const bytes = decodes ? Bytes.decode(Data, encoding) : Bytes.of(Data)
    return bytes === undefined
      ? new Component.ComponentFailed({
        message: `Data: expected ${decodes ? `${encoding} text` : "text or bytes"}, got ${Json.preview(Data)}`
      })
      : { Output: Bytes.encode(bytes, action === "Decode" ? "utf8" : encoding) }
  }
})
