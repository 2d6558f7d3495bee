/** The bytes of objects: read as they come, written in one request or, when there are many, in parts that become one object. */
import type { CompletedPart, GetObjectCommandOutput } from "@aws-sdk/client-s3"
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Chunk, type Duration, Effect, Exit, Option, type Scope, Sink, Stream } from "effect"
import { randomBytes } from "node:crypto"
import type { Readable } from "node:stream"
import { ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import * as Pull from "../../kernel/Pull.ts"
import { concat } from "../../subsystems/Guarded.ts"
import * as S3Bucket from "../S3Bucket.ts"
import { trailerBytes } from "./S3Head.ts"

/** Every part but the last has as many: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const minPartBytes = 5 * 2 ** 20
const copyPartBytes = 2 ** 30
const concurrency = 4

/** Bodies up to this size are read in one piece, with their head: a stream costs more than they do. */
const maxPieceBytes = 2 ** 18

export interface Opened {
  readonly answer: GetObjectCommandOutput
  /** Of a small body. That of any other is still to be read from the answer. */
  readonly bytes: Uint8Array | undefined
}

/** To be read before the scope closes: let go of in the middle, it closes its connection. */
export const open = (
  s3: S3Bucket.S3Bucket,
  request: S3Bucket.Place & { readonly Range: string | undefined }
): Effect.Effect<Option.Option<Opened>, ConnectorError, Scope.Scope> => {
  const asked = s3.find("open", async (client, options): Promise<Opened> => {
    const answer = await client.getObject(request, options)
    const isSmall = answer.ContentLength !== undefined && answer.ContentLength <= maxPieceBytes
    return { answer, bytes: isSmall ? await answer.Body?.transformToByteArray() : undefined }
  })
  return Effect.uninterruptibleMask((restore) =>
    Effect.tap(
      restore(asked),
      (found) =>
        Option.isSome(found) && found.value.bytes === undefined
          ? Effect.addFinalizer(() => release(found.value.answer))
          : Effect.void
    )
  )
}

/** The first `length` bytes. */
export const read = (
  { answer: { Body }, bytes }: Opened,
  length: number,
  timeout: Duration.Duration
): Stream.Stream<Uint8Array, ConnectorError> =>
  bytes !== undefined
    ? Pull.fromIterable([bytes.subarray(0, length)])
    : NodeStream.fromReadable<ConnectorError, Uint8Array>(() => Body as Readable, S3Bucket.fromS3Error("open")).pipe(
      Stream.timeoutFail(() => new ConnectorError({ connector: "S3", method: "open", reason: "Timeout" }), timeout),
      Stream.mapAccum(length, (left, bytes) => [left - bytes.length, bytes.subarray(0, Math.max(0, left))]),
      Stream.filter((bytes) => bytes.length > 0)
    )

const release = ({ Body }: GetObjectCommandOutput): Effect.Effect<void> =>
  Effect.sync(() => {
    const source = Body as Readable
    if (!source.readableEnded) source.on("error", () => {}).destroy()
  })

/** What a request to write says of an object: content type and metadata. */
export interface Head {
  readonly ContentType: string
  readonly Metadata: Record<string, string>
}

export interface Uploads {
  readonly put: <E, R>(
    place: S3Bucket.Place,
    head: Head,
    body: Stream.Stream<Uint8Array, E, R>,
    expected: Option.Option<string>
  ) => Effect.Effect<void, ConnectorError | E, R>
  /** The same bytes with another head. They do not leave the server; for objects of `minPartBytes` or more. */
  readonly copy: (method: string, copy: Copy) => Effect.Effect<void, ConnectorError>
}

export interface Copy {
  readonly from: S3Bucket.Place
  /** Without its trailer. */
  readonly sizeBytes: number
  readonly to: S3Bucket.Place
  readonly head: Head
  /** What it replaces, which then gets a trailer of its own; a new object gets none. */
  readonly expected: Option.Option<string>
}

export const uploads = (s3: S3Bucket.S3Bucket, partSize: number, scope: Scope.Scope): Uploads => {
  const uploadPart = (
    method: string,
    place: S3Bucket.Place,
    UploadId: string | undefined,
    PartNumber: number,
    Body: Uint8Array
  ) =>
    retrying(
      s3.call(method, (client, options) => client.uploadPart({ ...place, UploadId, PartNumber, Body }, options))
    ).pipe(Effect.map(({ ETag }): CompletedPart => ({ ETag, PartNumber })))

  /** All parts at once or nothing. What was uploaded of an object that is not to be is given up behind the caller's back. */
  const inParts = <E, R>(
    method: string,
    place: S3Bucket.Place,
    head: Head,
    expected: Option.Option<string>,
    upload: (UploadId: string | undefined) => Effect.Effect<ReadonlyArray<CompletedPart>, ConnectorError | E, R>
  ) =>
    Effect.acquireUseRelease(
      Effect.interruptible(
        s3.call(method, (client, options) => client.createMultipartUpload({ ...place, ...head }, options))
      ),
      ({ UploadId }) =>
        Effect.flatMap(upload(UploadId), (parts) =>
          s3.replace(method, place, expected, (conditions) =>
            s3.call(method, (client, options) =>
              client.completeMultipartUpload(
                { ...place, ...conditions, UploadId, MultipartUpload: { Parts: [...parts] } },
                options
              )))),
      ({ UploadId }, exit) =>
        Exit.isSuccess(exit) ? Effect.void : s3.call(
          method,
          (client, options) =>
            client.abortMultipartUpload({ ...place, UploadId }, options)
        ).pipe(Effect.ignore, Effect.interruptible, Effect.forkIn(scope))
    )

  return {
    put: (place, head, body, expected) =>
      Effect.scoped(Effect.gen(function*() {
        const [first, rest] = yield* Stream.peel(parts(body, partSize), Sink.head())
        const { bytes, isLast } = Option.getOrThrow(first)
        if (isLast) {
          return yield* s3.replace("put", place, expected, (conditions) =>
            s3.call("put", (client, options) =>
              client.putObject({ ...place, ...head, ...conditions, Body: bytes }, options)))
        }
        yield* inParts("put", place, head, expected, (UploadId) =>
          Stream.concat(Stream.fromIterable(Option.toArray(first)), rest).pipe(
            Stream.zipWithIndex,
            Stream.mapEffect(([part, index]) =>
              uploadPart("put", place, UploadId, index + 1, part.bytes), { concurrency }),
            Stream.runCollect,
            Effect.map(Chunk.toReadonlyArray)
          ))
      })),
    copy: (method, { expected, from, head, sizeBytes, to }) =>
      inParts(method, to, head, expected, (UploadId) => {
        const count = Math.ceil(sizeBytes / copyPartBytes)
        const start = (n: number) => Math.floor(sizeBytes * n / count)
        const copyPart = (n: number) =>
          retrying(s3.call(method, (client, options) =>
            client.uploadPartCopy({
              ...to,
              UploadId,
              PartNumber: n + 1,
              CopySource: encodeURI(`${from.Bucket}/${from.Key}`).replace(/[?#+]/g, encodeURIComponent),
              CopySourceRange: `bytes=${start(n)}-${start(n + 1) - 1}`
            }, options))).pipe(
              Effect.map(({ CopyPartResult }): CompletedPart => ({ ETag: CopyPartResult?.ETag, PartNumber: n + 1 }))
            )
        return Effect.all([
          ...Array.from({ length: count }, (_, n) => copyPart(n)),
          ...(Option.isSome(expected) ? [uploadPart(method, to, UploadId, count + 1, randomBytes(trailerBytes))] : [])
        ], { concurrency })
      })
  }
}

interface Part {
  readonly bytes: Uint8Array
  readonly isLast: boolean
}

/** The bytes and their trailer in pieces of `partSize`, the last of them shorter or as long. At least one. */
const parts = <E, R>(body: Stream.Stream<Uint8Array, E, R>, partSize: number): Stream.Stream<Part, E, R> =>
  Stream.suspend(() => {
    let chunks: Array<Uint8Array> = []
    let length = 0
    const gather = (bytes: Uint8Array): ReadonlyArray<Part> => {
      // A copy: who made the stream may use its buffer again.
      chunks.push(bytes.slice())
      length += bytes.length
      if (length <= partSize) return []
      const all = concat(chunks)
      const full: Array<Part> = []
      let start = 0
      for (; length - start > partSize; start += partSize) {
        full.push({ bytes: all.subarray(start, start + partSize), isLast: false })
      }
      chunks = [all.subarray(start)]
      length -= start
      return full
    }
    return Stream.concat(body, Stream.sync(() => randomBytes(trailerBytes))).pipe(
      Stream.mapConcat(gather),
      Stream.concat(Stream.sync(() => ({ bytes: concat(chunks), isLast: true })))
    )
  })
