/**
 * Records in files: a header and a body, committed together by one rename, replaced only at the version that was read.
 * A file is `sre1`, then the length of the header, a checksum of it, the length of the body, the header as JSON, the body.
 */
import { Chunk, Clock, Effect, Either, Option, ParseResult, RcMap, Schedule, Schema, type Scope, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { type FileHandle, open as openFile, readdir, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { crc32 } from "node:zlib"
import { conflict, ConnectorError } from "../kernel/ConnectorError.ts"
import * as Pull from "../kernel/Pull.ts"
import * as DataFolder from "./DataFolder.ts"
import * as SafeName from "./SafeName.ts"

export interface Stored<H> {
  readonly header: H
  readonly version: string
  readonly sizeBytes: number
  /** Milliseconds since 1970. */
  readonly modified: number
}

export interface Opened<H> extends Stored<H> {
  readonly body: Stream.Stream<Uint8Array, ConnectorError>
}

type Body<E, R> = Uint8Array | Stream.Stream<Uint8Array, E, R>

export interface RecordFiles<H> {
  readonly folder: string
  readonly head: (path: string) => Effect.Effect<Option.Option<Stored<H>>, ConnectorError>
  /** The record as it was when opened, also while it is replaced. */
  readonly open: (
    path: string,
    range?: { readonly offset: number; readonly length?: number | undefined }
  ) => Effect.Effect<Option.Option<Opened<H>>, ConnectorError, Scope.Scope>
  readonly put: <E, R>(
    path: string,
    header: H,
    body: Body<E, R>,
    expected: Option.Option<string>
  ) => Effect.Effect<void, ConnectorError | E, R>
  readonly remove: (path: string, expected: string) => Effect.Effect<void, ConnectorError>
  /** Removes the records of a folder, also damaged ones. */
  readonly clear: (folder: string) => Effect.Effect<void, ConnectorError>
  /** The names in a folder, sorted; none where there is no such folder. */
  readonly names: (folder: string) => Effect.Effect<ReadonlyArray<string>, ConnectorError>
}

/** Takes the folder for this process and clears away what a killed one left half-written. */
export const make = Effect.fnUntraced(function*<H, I>(
  connector: string,
  location: string,
  schema: Schema.Schema<H, I>
): Effect.fn.Return<RecordFiles<H>, ConnectorError, Scope.Scope> {
  const folder = yield* DataFolder.open(connector, location)
  yield* DataFolder.sweep(connector, folder)
  const Header = Schema.parseJson(Schema.Struct({ version: Schema.String, record: schema }))
  const decode = ParseResult.decodeEither(Header)
  const encode = ParseResult.encodeEither(Header)
  const locks = yield* RcMap.make({ lookup: (_path: string) => Effect.makeSemaphore(1) })

  const attempt = <A>(method: string, evaluate: (signal: AbortSignal) => Promise<A>) =>
    DataFolder.attempt(connector, method, evaluate)

  const exclusive = (path: string) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.scoped(Effect.flatMap(RcMap.get(locks, path), (lock) => lock.withPermits(1)(self)))

  const corrupted = (path: string) =>
    Effect.fail(
      new ConnectorError({
        connector,
        method: "open",
        reason: "Corrupted",
        detail: `${path} is damaged; restore it from a backup or delete it`
      })
    )

  const opened = (path: string): Effect.Effect<Option.Option<FileHandle>, ConnectorError, Scope.Scope> =>
    Effect.acquireRelease(
      attempt("open", () => openFile(path, "r")),
      (file) => DataFolder.quietly(() => file.close())
    ).pipe(Effect.asSome, Effect.catchIf(({ reason }) => reason === "NotFound", () => Effect.succeedNone))

  const readHeader = Effect.fnUntraced(function*(path: string, file: FileHandle) {
    const { mtimeMs, size } = yield* attempt("open", () => file.stat())
    const start = yield* attempt("open", () => readAt(file, 0, Math.min(firstRead, size)))
    const prefix = readPrefix(start)
    if (prefix === undefined || bodyStart(prefix) + prefix.bodyLength !== size) return yield* corrupted(path)
    const json = bodyStart(prefix) <= start.length
      ? start.subarray(prefixLength, bodyStart(prefix))
      : yield* attempt("open", () => readAt(file, prefixLength, prefix.headerLength))
    if (checksum(json, prefix.bodyLength) !== prefix.checksum) return yield* corrupted(path)
    return yield* Either.match(decode(Buffer.from(json).toString("utf8")), {
      onLeft: () => corrupted(path),
      onRight: ({ record, version }) =>
        Effect.succeed({
          header: record,
          version,
          sizeBytes: prefix.bodyLength,
          modified: Math.floor(mtimeMs),
          first: start,
          bodyAt: bodyStart(prefix)
        })
    })
  })

  const head = (path: string) =>
    Effect.scoped(Effect.flatMap(opened(path), Effect.transposeMapOption((file) => readHeader(path, file))))

  const verify = (path: string, method: string, expected: Option.Option<string>) =>
    Effect.flatMap(
      head(path),
      (stored) =>
        Option.getEquivalence<string>((a, b) => a === b)(Option.map(stored, ({ version }) => version), expected)
          ? Effect.void
          : Effect.fail(conflict(connector, method))
    )

  /** The bytes of a file in a range, of which the first may have been read. */
  const chunks = (
    path: string,
    file: FileHandle,
    first: Uint8Array,
    range: { readonly from: number; readonly to: number }
  ) =>
    Pull.toStream(Effect.sync((): Pull.Pull<Uint8Array, ConnectorError> => {
      let { from } = range
      const next = Effect.suspend(() => {
        const to = Math.min(from + chunkLength, range.to)
        return to <= first.length
          ? Effect.succeed(first.subarray(from, to))
          : attempt("open", () => readAt(file, from, to - from))
      })
      return Effect.suspend(() =>
        from >= range.to ? Pull.end : Effect.mapError(
          Effect.flatMap(next, (bytes) => {
            from += bytes.length
            return bytes.length === 0 ? corrupted(path) : Effect.succeed(Chunk.of(bytes))
          }),
          Option.some
        )
      )
    }))

  const names = (folder: string) =>
    attempt("list", () => readdir(folder)).pipe(
      Effect.map((names) => names.sort()),
      Effect.catchIf(({ reason }) => reason === "NotFound", () => Effect.succeed<ReadonlyArray<string>>([]))
    )

  return {
    folder,
    head,
    names,
    clear: Effect.fnUntraced(function*(folder) {
      const records = (yield* names(folder)).filter((name) => SafeName.decode(name) !== undefined)
      yield* Effect.forEach(records, (name) => attempt("clear", () => rm(join(folder, name), { force: true })), {
        discard: true,
        concurrency: 8
      })
      if (records.length > 0) yield* DataFolder.syncFolder(folder)
    }),
    open: (path, range) =>
      Effect.flatMap(
        opened(path),
        Effect.transposeMapOption((file) =>
          Effect.map(readHeader(path, file), ({ bodyAt, first, ...stored }) => {
            const from = Math.min(range?.offset ?? 0, stored.sizeBytes)
            const to = Math.min(from + (range?.length ?? stored.sizeBytes), stored.sizeBytes)
            return { ...stored, body: chunks(path, file, first, { from: bodyAt + from, to: bodyAt + to }) }
          })
        )
      ),
    put: Effect.fnUntraced(function*(path, record, body, expected) {
      const json = yield* Effect.mapError(
        encode({ version: randomUUID(), record }),
        (cause) =>
          new ConnectorError({ connector, method: "put", reason: "InvalidInput", detail: "it is not JSON", cause })
      )
      // A stream that would lose is better not read at all.
      if (!(body instanceof Uint8Array)) yield* verify(path, "put", expected)
      if (yield* DataFolder.makeFolder(connector, "put", dirname(path))) yield* DataFolder.syncFolder(folder)
      const write = (file: FileHandle) => writeRecord(connector, file, Buffer.from(json), body)
      const { commit } = yield* DataFolder.draft(connector, path, write)
      yield* exclusive(path)(Effect.zipRight(verify(path, "put", expected), commit))
    }, Effect.scoped),
    remove: (path, expected) =>
      verify(path, "remove", Option.some(expected)).pipe(
        Effect.zipRight(attempt("remove", () => rm(path))),
        Effect.zipRight(DataFolder.syncFolder(dirname(path))),
        exclusive(path)
      )
  }
})

/**
 * The records of one folder whose key starts with `prefix`, in the order of their keys. The file names tell the keys, so that
 * only the records of the page are read. One that is damaged is reported to the log and left out.
 */
export const list = Effect.fnUntraced(function*<H, A>(files: RecordFiles<H>, options: {
  readonly folder: string
  readonly prefix: string
  /** The key that {@link SafeName.encode} made the file name of. */
  readonly keyOf: (header: H) => string
  readonly read: (path: string) => Effect.Effect<Option.Option<A>, ConnectorError>
  readonly after: Option.Option<string>
  readonly limit: number
}) {
  const readable = <B>(self: Effect.Effect<Option.Option<B>, ConnectorError>) =>
    Effect.catchIf(
      self,
      ({ reason }) => reason === "Corrupted",
      (error) => Effect.as(Effect.logWarning(error.message), Option.none<B>())
    )
  const named: Array<{ readonly key: string; readonly path: string }> = []
  const hashed: Array<string> = []
  for (const name of yield* files.names(options.folder)) {
    const path = join(options.folder, name)
    const decoded = SafeName.decode(name)
    if (decoded === "hashed") hashed.push(path)
    else if (decoded !== undefined) named.push({ key: decoded.key, path })
  }
  const asked = yield* Effect.forEach(
    hashed,
    (path) =>
      Effect.map(readable(files.head(path)), Option.map(({ header }) => ({ key: options.keyOf(header), path }))),
    { concurrency: 8 }
  )
  const wanted = [...named, ...asked.flatMap(Option.toArray)]
    .filter(({ key }) =>
      key.startsWith(options.prefix) &&
      Option.match(options.after, { onNone: () => true, onSome: (last) => key > last })
    )
    .sort((a, b) => a.key < b.key ? -1 : 1)
  const page = wanted.slice(0, options.limit)
  const found = yield* Effect.forEach(page, ({ path }) => readable(options.read(path)), { concurrency: 8 })
  return {
    items: found.flatMap(Option.toArray),
    next: wanted.length > page.length ? Option.map(Option.fromNullable(page.at(-1)), ({ key }) => key) : Option.none()
  }
})

/**
 * Expired records are absent to everybody; this gives their space back, once an hour until the scope closes. For folders that
 * hold a folder for every home. What cannot be read or removed stays.
 */
export const removeExpired = <H>(
  files: RecordFiles<H>,
  /** Milliseconds since 1970, or infinite. */
  expiryOf: (header: H) => number
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    for (const home of yield* files.names(files.folder)) {
      // Beside the homes there may be files of others.
      for (const name of yield* Effect.orElseSucceed(files.names(join(files.folder, home)), () => [])) {
        const path = join(files.folder, home, name)
        yield* Effect.ignore(Effect.flatMap(files.head(path), (stored) =>
          Option.isSome(stored) && expiryOf(stored.value.header) <= now
            ? files.remove(path, stored.value.version)
            : Effect.void))
      }
    }
  }).pipe(Effect.ignore, Effect.repeat(Schedule.spaced("1 hour")), Effect.forkScoped, Effect.asVoid)

/* ------------------------------------------------------------------------------------------------------------------
 * Bytes
 * ---------------------------------------------------------------------------------------------------------------- */

const magic = 0x73726531
const prefixLength = 20
const firstRead = 4096
const chunkLength = 256 * 1024

interface Prefix {
  readonly headerLength: number
  readonly checksum: number
  readonly bodyLength: number
}

const bodyStart = ({ headerLength }: Prefix) => prefixLength + headerLength

const checksum = (json: Uint8Array, bodyLength: number) => crc32(String(bodyLength), crc32(json))

const readPrefix = (bytes: Uint8Array): Prefix | undefined => {
  if (bytes.length < prefixLength) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, prefixLength)
  return view.getUint32(0) !== magic ? undefined : {
    headerLength: view.getUint32(4),
    checksum: view.getUint32(8),
    bodyLength: Number(view.getBigUint64(12))
  }
}

const prefixOf = (json: Uint8Array, bodyLength: number): Uint8Array => {
  const view = new DataView(new ArrayBuffer(prefixLength))
  view.setUint32(0, magic)
  view.setUint32(4, json.length)
  view.setUint32(8, checksum(json, bodyLength))
  view.setBigUint64(12, BigInt(bodyLength))
  return new Uint8Array(view.buffer)
}

/** As many bytes as there are, up to `length`. */
const readAt = async (file: FileHandle, position: number, length: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(length)
  const { bytesRead } = await file.read(bytes, 0, length, position)
  return bytesRead === length ? bytes : bytes.subarray(0, bytesRead)
}

/** The length of a stream is known at its end: until then the prefix is not one, and the file is no record. */
const writeRecord = Effect.fnUntraced(function*<E, R>(
  connector: string,
  file: FileHandle,
  json: Uint8Array,
  body: Body<E, R>
) {
  const append = (bytes: Uint8Array) =>
    DataFolder.attempt(connector, "put", (signal) => file.writeFile(bytes, { signal }))
  if (body instanceof Uint8Array) {
    yield* append(Buffer.concat([prefixOf(json, body.length), json]))
    return yield* append(body)
  }
  yield* append(Buffer.concat([new Uint8Array(prefixLength), json]))
  let bodyLength = 0
  yield* Stream.runForEach(body, (bytes) => {
    bodyLength += bytes.length
    return append(bytes)
  })
  const prefix = prefixOf(json, bodyLength)
  yield* DataFolder.attempt(connector, "put", () => file.write(prefix, 0, prefix.length, 0))
})
