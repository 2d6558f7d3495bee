import { Schema } from "effect"
import { createHash } from "node:crypto"
import * as Json from "../../kernel/Json.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Bytes from "./Bytes.ts"

export const FHash = Component.make("FHash", {
  description: "Gives the cryptographic hash of a text or of bytes.",
  category: "data",
  config: Schema.Struct({
    /** Any digest OpenSSL knows, in any case. */
    algorithm: Settings.text(),
    encoding: Settings.literal(Bytes.encodings, { default: "hex" })
  }),
  inputs: Schema.Struct({ Data: Port.Any }),
  outputs: Schema.Struct({ Hash: Port.Text }),
  check: ({ algorithm }) => {
    const problem = Bytes.digestProblem(algorithm)
    return problem === undefined ? [] : [{ setting: "algorithm", problem }]
  },
  run: ({ config, inputs }) => {
    const problem = Bytes.digestProblem(config.algorithm)
    if (problem !== undefined) return new Component.ComponentFailed({ message: problem })
    const bytes = Bytes.of(inputs.Data)
    return bytes === undefined
      ? new Component.ComponentFailed({ message: `Data: expected text or bytes, got ${Json.preview(inputs.Data)}` })
      : { Hash: Bytes.encode(createHash(config.algorithm).update(bytes).digest(), config.encoding) }
  }
})
