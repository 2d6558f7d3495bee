import { Effect, Redacted, Schema } from "effect"
import { constants, createHmac, sign } from "node:crypto"
import { stringify as queryString } from "node:querystring"
import * as Json from "../../kernel/Json.ts"
import * as TemplateString from "../../kernel/TemplateString.ts"
import * as Secrets from "../../security/Secrets.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Bytes from "./Bytes.ts"

const Config = Schema.Struct({
  /** May hold inputs, variables and vault keys. The input Key wins over it. */
  key: Settings.template({ default: "" }),
  signMethod: Settings.literal(["HMAC", "RSA"], { default: "HMAC" }),
  /** How data that is no text is made one: as JSON, as the query string of a URL, or not at all. */
  dataTransform: Settings.literal(["None", "Stringify", "Querystring"], { default: "None" }),
  hashType: Settings.text({ default: "md5" }),
  RSA_padding: Settings.optional(Settings.literal(["RSA_PKCS1_PADDING", "RSA_PKCS1_PSS_PADDING"])),
  RSA_saltLength: Settings.optional(
    Settings.literal(["RSA_PSS_SALTLEN_DIGEST", "RSA_PSS_SALTLEN_MAX_SIGN", "RSA_PSS_SALTLEN_AUTO"])
  ),
  encoding: Settings.literal(Bytes.encodings, { default: "hex" })
})
type Config = typeof Config.Type

export const FSign = Component.make("FSign", {
  description: "Signs data with a secret (HMAC) or a private key (RSA).",
  category: "data",
  config: Config,
  inputs: Schema.Struct({ Data: Port.Any, Key: Schema.optional(Port.Text) }),
  outputs: Schema.Struct({ Signature: Port.Text }),
  check: ({ hashType }) => {
    const problem = Bytes.digestProblem(hashType)
    return problem === undefined ? [] : [{ setting: "hashType", problem }]
  },
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const problem = Bytes.digestProblem(config.hashType)
    if (problem !== undefined) return yield* new Component.ComponentFailed({ message: problem })
    const bytes = Bytes.of(transformed(inputs.Data, config.dataTransform))
    if (bytes === undefined) {
      return yield* new Component.ComponentFailed({
        message: `Data: expected text or bytes, got ${Json.preview(inputs.Data)}; choose Stringify or Querystring`
      })
    }
    const key = inputs.Key === undefined || inputs.Key === ""
      ? yield* keyOf(config.key, step)
      : Redacted.make(inputs.Key)
    const signature = yield* Effect.try({
      try: () => config.signMethod === "HMAC" ? hmac(config, key, bytes) : rsa(config, key, bytes),
      // Without the cause, which may quote the key.
      catch: () =>
        new Component.ComponentFailed({
          message: config.signMethod === "HMAC"
            ? `cannot sign with HMAC and ${config.hashType}`
            : `cannot sign with RSA and ${config.hashType}: the key has to be an RSA private key in PEM`
        })
    })
    return { Signature: Bytes.encode(signature, config.encoding) }
  })
})

const keyOf = Effect.fnUntraced(function*(template: TemplateString.Template, step: Component.Step) {
  const missing = template.parts.find((part) =>
    part._tag === "Token" && (TemplateString.lookup(part, step.data) ?? undefined) === undefined
  )
  if (missing?._tag === "Token") {
    return yield* new Component.ComponentFailed({ message: `key: ${missing.source} has no value` })
  }
  const key = yield* Secrets.render(template, step.data)
  if (Redacted.value(key) === "") {
    return yield* new Component.ComponentFailed({ message: "no key: set key, or connect the input Key" })
  }
  return key
})

const transformed = (data: unknown, transform: Config["dataTransform"]): unknown =>
  typeof data === "string" || data instanceof Uint8Array || transform === "None"
    ? data
    : transform === "Stringify"
    ? Json.stringify(data)
    : queryString(data as Parameters<typeof queryString>[0])

const hmac = ({ hashType }: Config, key: Redacted.Redacted, bytes: Uint8Array) =>
  createHmac(hashType, Redacted.value(key)).update(bytes).digest()

const rsa = ({ RSA_padding, RSA_saltLength, hashType }: Config, key: Redacted.Redacted, bytes: Uint8Array) =>
  sign(hashType, bytes, {
    key: Redacted.value(key),
    ...(RSA_padding === undefined ? {} : { padding: constants[RSA_padding] }),
    ...(RSA_saltLength === undefined ? {} : { saltLength: constants[RSA_saltLength] })
  })
