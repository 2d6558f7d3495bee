/** The key of encrypted files: `SRE_VAULT_KEY`, else a key file beside them, made when something is first written. */
import { Config, Effect, Option, Redacted, Ref } from "effect"
import { randomBytes, scrypt } from "node:crypto"
import { readFile, stat } from "node:fs/promises"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as DataFolder from "../DataFolder.ts"

export interface Key {
  readonly bytes: Uint8Array
  /** Base64, when the key comes from a passphrase; kept in the file it encrypts. */
  readonly salt: string | undefined
  /** Where the key came from, for a person. */
  readonly source: string
}

/** `SRE_VAULT_KEY` is 32 bytes in hexadecimal or base64, or else a passphrase. */
export const make = Effect.fnUntraced(function*(connector: string, keyFile: string) {
  const variable = yield* Effect.option(Config.redacted(Config.nonEmptyString("SRE_VAULT_KEY")))
  const derived = yield* Ref.make(Option.none<Key>())

  const fail = (reason: ConnectorError["reason"], detail: string) =>
    Effect.fail(new ConnectorError({ connector, method: "key", reason, detail }))

  const fromPassphrase = (passphrase: Redacted.Redacted, salt: string) =>
    Effect.flatMap(Ref.get(derived), (known) =>
      Option.isSome(known) && known.value.salt === salt
        ? Effect.succeed(known.value)
        : stretch(Redacted.value(passphrase), salt).pipe(
          Effect.map((bytes): Key => ({ bytes, salt, source: "the passphrase in SRE_VAULT_KEY" })),
          Effect.tap((key) => Ref.set(derived, Option.some(key)))
        ))

  const fromFile = Effect.gen(function*() {
    const text = yield* DataFolder.attempt(
      connector,
      "key",
      (signal) => readFile(keyFile, { encoding: "utf8", signal })
    )
    const bytes = decode(text.trim())
    if (bytes === undefined) return yield* fail("Corrupted", `${keyFile} is not a key: 32 bytes in base64`)
    const { mode } = yield* DataFolder.attempt(connector, "key", () => stat(keyFile))
    if ((mode & 0o077) !== 0) yield* Effect.logWarning(`${keyFile} can be read by others: chmod 600 it`)
    return { bytes, salt: undefined, source: `the key in ${keyFile}` }
  })

  /** Only while the folder is held, so that two processes agree on one key. */
  const create = Effect.zipRight(
    Effect.suspend(() => DataFolder.writeAtomic(keyFile, `${randomBytes(32).toString("base64")}\n`, 0o600)),
    fromFile
  )

  const own = Option.flatMap(variable, (text): Option.Option<Key> => {
    const bytes = decode(Redacted.value(text).trim())
    return bytes === undefined ? Option.none() : Option.some({ bytes, salt: undefined, source: "SRE_VAULT_KEY" })
  })

  /** The key for a file that has `salt`. */
  const existing = (salt: string | undefined): Effect.Effect<Key, ConnectorError> =>
    Option.isSome(own)
      ? Effect.succeed(own.value)
      : Option.isSome(variable)
      ? salt === undefined
        ? fail("Unauthorized", "SRE_VAULT_KEY is a passphrase, but the file was encrypted with a key")
        : fromPassphrase(variable.value, salt)
      : Effect.catchIf(
        fromFile,
        ({ reason }) => reason === "NotFound",
        () => fail("Unauthorized", `the file is encrypted; neither SRE_VAULT_KEY is set nor is there ${keyFile}`)
      )

  /** The key to write with, while the folder is held. */
  const current: Effect.Effect<Key, ConnectorError> = Effect.gen(function*() {
    if (Option.isSome(own)) return own.value
    if (Option.isNone(variable)) {
      return yield* Effect.catchIf(fromFile, ({ reason }) => reason === "NotFound", () => create)
    }
    const known = Option.getOrUndefined(yield* Ref.get(derived))
    return yield* fromPassphrase(variable.value, known?.salt ?? randomBytes(16).toString("base64"))
  })

  return { existing, current }
})

/** 32 bytes in hexadecimal or base64. */
export const decode = (text: string): Uint8Array | undefined => {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex")
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, "base64") : undefined
}

/** scrypt with 32 MB and 2^15 rounds, about a tenth of a second. */
const stretch = (passphrase: string, salt: string): Effect.Effect<Uint8Array> =>
  Effect.async((resume) => {
    scrypt(passphrase, Buffer.from(salt, "base64"), 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 }, (_, key) => {
      resume(Effect.succeed(key))
    })
  })
