/**
 * A file of secrets, each encrypted by itself with AES-256-GCM under a random nonce, and bound to the file's purpose and
 * to its section and name, so that none can be moved. Re-read when it changes; replaced as a whole when it is written.
 */
import { Effect, Option, ParseResult, Redacted, Ref, Schedule, Schema } from "effect"
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { readFile, stat } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as JsonText from "../../kernel/JsonText.ts"
import * as DataFolder from "../DataFolder.ts"
import * as VaultKey from "./VaultKey.ts"

/** Section (an owner), then name, to the secret. */
export type Entries = ReadonlyMap<string, ReadonlyMap<string, Redacted.Redacted>>

export type Content =
  | { readonly _tag: "Missing" }
  /** JSON of some other shape, in plain text. */
  | { readonly _tag: "Plain"; readonly json: unknown }
  | { readonly _tag: "Encrypted"; readonly entries: Entries }

export interface EncryptedFile<A> {
  readonly path: string
  /** What the file holds now. */
  readonly read: Effect.Effect<A, ConnectorError>
  /** One change, made on what the file holds at that moment; across processes one at a time. */
  readonly modify: <E>(change: (current: A) => Effect.Effect<Entries, E>) => Effect.Effect<void, E | ConnectorError>
}

interface Options {
  readonly connector: string
  readonly file: string
  /** Keeps secrets of one kind of file from being accepted in another. */
  readonly purpose: string
}

/** Fails when the file cannot be read with the key there is; the file is left as it was. */
export const open = Effect.fnUntraced(function*<A>(
  options: Options & { readonly decode: (content: Content, path: string) => Effect.Effect<A, ConnectorError> }
) {
  const file = yield* raw(options)
  const cache = yield* Ref.make(Option.none<{ readonly stamp: string; readonly value: A }>())
  const content = Effect.flatMap(file.load, (content) => options.decode(content, file.path))

  const read = Effect.gen(function*() {
    const stamp = yield* file.stamp
    const cached = yield* Ref.get(cache)
    if (Option.isSome(cached) && cached.value.stamp === stamp) return cached.value.value
    const value = yield* content
    yield* Ref.set(cache, Option.some({ stamp, value }))
    return value
  })

  yield* read
  const self: EncryptedFile<A> = {
    path: file.path,
    read,
    modify: (change) => file.exclusive(Effect.flatMap(Effect.flatMap(content, change), file.save))
  }
  return self
})

/** Replaces a file in plain text by an encrypted one; does nothing to one that is encrypted already. */
export const encrypt = Effect.fnUntraced(function*(
  options: Options & { readonly entries: (json: unknown, path: string) => Effect.Effect<Entries, ConnectorError> }
) {
  const file = yield* raw(options)
  yield* file.exclusive(Effect.gen(function*() {
    const content = yield* file.load
    if (content._tag === "Missing") return yield* file.error("encrypt", "NotFound", "it does not exist")
    if (content._tag === "Plain") yield* Effect.flatMap(options.entries(content.json, file.path), file.save)
  }))
})

/* ------------------------------------------------------------------------------------------------------------------
 * The file itself
 * ---------------------------------------------------------------------------------------------------------------- */

const Envelope = Schema.Struct({
  v: Schema.Literal(1),
  alg: Schema.Literal("A256GCM"),
  /** Of the passphrase, when the key comes from one. */
  salt: Schema.optional(Schema.String),
  /** A known text under the key: tells a wrong key from damaged secrets. */
  check: Schema.String,
  /** Section, name and sealed secret; a list, because names are any text and those of objects are not. */
  entries: Schema.Array(Schema.Tuple(Schema.String, Schema.String, Schema.String))
})

const raw = Effect.fnUntraced(function*({ connector, file, purpose }: Options) {
  const path = resolve(file)
  const folder = dirname(path)
  const keys = yield* VaultKey.make(connector, join(folder, "vault.key"))
  const writing = yield* Effect.makeSemaphore(1)

  const error = (method: string, reason: ConnectorError["reason"], problem: string) =>
    new ConnectorError({ connector, method, reason, detail: `${path}: ${problem}` })

  const orMissing = <A, B>(self: Effect.Effect<A, ConnectorError>, missing: B) =>
    Effect.catchIf(self, ({ reason }) => reason === "NotFound", () => Effect.succeed(missing))

  /** Changes whenever the file does: a replaced file is another inode. */
  const stamp = orMissing(
    Effect.map(
      DataFolder.attempt(connector, "read", () => stat(path, { bigint: true })),
      ({ ino, mtimeNs, size }) => `${ino} ${mtimeNs} ${size}`
    ),
    "missing"
  )

  const decrypt = Effect.fnUntraced(function*(json: unknown) {
    const { check, entries, salt } = yield* Effect.mapError(
      ParseResult.decodeUnknown(Envelope)(json),
      () => error("read", "Corrupted", "it is not an encrypted file of version 1")
    )
    const key = yield* keys.existing(salt)
    if (Option.isNone(unseal(key.bytes, check, [purpose]))) {
      return yield* error("read", "Unauthorized", `it cannot be decrypted with ${key.source}`)
    }
    const sections = new Map<string, Map<string, Redacted.Redacted>>()
    for (const [section, name, sealed] of entries) {
      const value = unseal(key.bytes, sealed, [purpose, section, name])
      if (Option.isNone(value)) {
        return yield* error("read", "Corrupted", `the secret "${name}" of ${section} was changed or damaged`)
      }
      const values = sections.get(section) ?? new Map<string, Redacted.Redacted>()
      sections.set(section, values.set(name, Redacted.make(value.value)))
    }
    return sections
  })

  const load: Effect.Effect<Content, ConnectorError> = Effect.gen(function*() {
    const text = yield* orMissing(
      DataFolder.attempt(connector, "read", (signal) => readFile(path, { encoding: "utf8", signal })),
      undefined
    )
    if (text === undefined) return { _tag: "Missing" }
    const json = yield* Effect.mapError(JsonText.parse(text), (problem) => error("read", "Corrupted", problem))
    return isEnvelope(json) ? { _tag: "Encrypted", entries: yield* decrypt(json) } : { _tag: "Plain", json }
  })

  const save = Effect.fnUntraced(function*(entries: Entries) {
    const { bytes, salt } = yield* keys.current
    const envelope: typeof Envelope.Type = {
      v: 1,
      alg: "A256GCM",
      ...(salt === undefined ? {} : { salt }),
      check: seal(bytes, "", [purpose]),
      entries: Array.from(entries).flatMap(([section, values]) =>
        Array.from(
          values,
          ([name, value]) => [section, name, seal(bytes, Redacted.value(value), [purpose, section, name])] as const
        )
      )
    }
    yield* DataFolder.writeAtomic(path, Buffer.from(`${JSON.stringify(envelope, undefined, 2)}\n`), 0o600)
  })

  /** The folder is locked for the moment of a write only: readers and other processes go on. */
  const exclusive = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E | ConnectorError> =>
    writing.withPermits(1)(Effect.scoped(Effect.zipRight(
      Effect.retry(DataFolder.open(connector, folder), {
        while: ({ reason }) => reason === "Locked",
        schedule: patience
      }),
      self
    )))

  return { path, error, stamp, load, save, exclusive }
})

/** For other writers, who are done in an instant; and longer than the lock of one that crashed counts. */
const patience = Schedule.spaced("50 millis").pipe(Schedule.upTo("15 seconds"))

/** A plain vault may have a team called `v`, but that is an object. */
const isEnvelope = (json: unknown): boolean =>
  typeof json === "object" && json !== null && "v" in json && typeof json.v === "number"

/* ------------------------------------------------------------------------------------------------------------------
 * AES-256-GCM: nonce (12 bytes), tag (16 bytes), text, in base64
 * ---------------------------------------------------------------------------------------------------------------- */

export const seal = (key: Uint8Array, text: string, context: ReadonlyArray<string>): string => {
  const nonce = randomBytes(12)
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(JSON.stringify(context)))
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64")
}

export const unseal = (key: Uint8Array, sealed: string, context: ReadonlyArray<string>): Option.Option<string> => {
  const bytes = Buffer.from(sealed, "base64")
  if (bytes.length < 28) return Option.none()
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12), { authTagLength: 16 })
    .setAAD(Buffer.from(JSON.stringify(context)))
    .setAuthTag(bytes.subarray(12, 28))
  return Option.liftThrowable(() =>
    Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8")
  )()
}
