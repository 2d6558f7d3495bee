import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { constants, generateKeyPairSync, verify } from "node:crypto"
import { FSign } from "../../../src/components/data/FSign.ts"
import { EnvVault } from "../../../src/connectors/vault/EnvVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { runComponent, type RunOptions } from "../harness.ts"

const vault = Layer.provide(
  EnvVault.layer({ team: "t1" }),
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["SRE_SECRET_SIGNING", "k"]]), { pathDelim: "_" }))
)

const sign = (settings: Record<string, unknown>, Data: unknown, options: RunOptions = {}) =>
  runComponent(FSign, { ...options, settings, inputs: { Data, ...options.inputs } }).pipe(
    Effect.map(({ Signature }) => Signature),
    Candidate.as(Candidate.team("t1")),
    Effect.provide(vault)
  )

const problem = (...call: Parameters<typeof sign>) => Effect.map(Effect.flip(sign(...call)), ({ message }) => message)

const hmac = "95ff8b0ea14e4f19fa830dd3d5b3e045"
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
const pem = rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString()

describe("FSign with HMAC", () => {
  it.effect("signs text, and objects as JSON or as a query string", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* sign({ key: "k" }, "hi"), hmac)
      assert.strictEqual(
        yield* sign({ key: "k", dataTransform: "Stringify", hashType: "sha256" }, { a: 1 }),
        "c3a92ff9e274cdcce27a58c15a78ec6dcbbdbd0038a87e7a11baef2028fd8bff"
      )
      assert.strictEqual(
        yield* sign({ key: "k", dataTransform: "Querystring", hashType: "" }, { a: 1, b: "x y" }),
        "82aaf0808ce678be3d7cbb9c8bf66110"
      )
      assert.strictEqual(yield* sign({ key: "k", dataTransform: "Stringify" }, "hi"), hmac)
    }))

  it.effect("takes the key from the input first, else from the setting with its inputs, variables and secrets", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* sign({ key: "other" }, "hi", { inputs: { Key: "k" } }), hmac)
      assert.strictEqual(yield* sign({ key: "{{KEY(signing)}}" }, "hi"), hmac)
      assert.strictEqual(yield* sign({ key: "{{mine}}" }, "hi", { variables: { mine: "k" } }), hmac)
    }))

  it.effect("never signs with a key that is missing or half filled in", () =>
    Effect.gen(function*() {
      assert.include(yield* problem({}, "hi"), "no key")
      assert.strictEqual(yield* problem({ key: "a{{nope}}" }, "hi"), "key: {{nope}} has no value")
      assert.include(yield* problem({ key: "{{KEY(signin)}}" }, "hi"), "No secret named \"signin\"")
    }))

  it.effect("refuses data that is no text and not to be made one", () =>
    Effect.gen(function*() {
      assert.include(yield* problem({ key: "k" }, { a: 1 }), "Data: expected text or bytes, got {\"a\":1}")
    }))

  it.effect("refuses unknown methods and digests at load", () =>
    Effect.gen(function*() {
      assert.include(yield* problem({ key: "k", signMethod: "DSA" }, "hi"), "signMethod")
      assert.include(yield* problem({ key: "k", hashType: "sha2566" }, "hi"), "Did you mean \"sha256\"")
    }))
})

describe("FSign with RSA", () => {
  const settings = { signMethod: "RSA", hashType: "sha256", encoding: "base64" }
  const isGenuine = (signature: unknown, options = {}) =>
    verify("sha256", Buffer.from("hi"), { key: rsa.publicKey, ...options }, Buffer.from(String(signature), "base64"))

  it.effect("signs so that the public key verifies it", () =>
    Effect.gen(function*() {
      assert.isTrue(isGenuine(yield* sign(settings, "hi", { inputs: { Key: pem } })))
      assert.isFalse(isGenuine(yield* sign(settings, "ho", { inputs: { Key: pem } })))
    }))

  it.effect("uses padding and salt length by their names", () =>
    Effect.gen(function*() {
      const signature = yield* sign(
        { ...settings, RSA_padding: "RSA_PKCS1_PSS_PADDING", RSA_saltLength: "RSA_PSS_SALTLEN_DIGEST" },
        "hi",
        { inputs: { Key: pem } }
      )
      assert.isFalse(isGenuine(signature))
      assert.isTrue(isGenuine(signature, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }))
    }))

  it.effect("refuses what is no private key, without telling it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(sign({ ...settings, key: "hunter2" }, "hi"))
      assert.include(error.message, "RSA private key in PEM")
      assert.notInclude(JSON.stringify(error), "hunter2")
    }))
})
