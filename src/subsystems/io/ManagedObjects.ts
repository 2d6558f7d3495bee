/** Objects between two systems: a line that tells what is told of the bytes, and the bytes, in one stream of any length. */
import { Chunk, Data, Effect, Option, Schema, type Scope, Stream } from "effect"
import * as Acl from "../../security/Acl.ts"
import { concat, Metadata } from "../Guarded.ts"

export const Key = Schema.String.pipe(Schema.maxLength(4096))
export const Expected = Schema.OptionFromNullOr(Schema.String)

export const head = {
  acl: Acl.Acl,
  contentType: Schema.String,
  metadata: Metadata,
  expires: Schema.OptionFromNullOr(Schema.Number)
}
export const ObjectHead = Schema.Struct(head)
export const StoredObject = Schema.Struct({
  ...head,
  key: Schema.String,
  version: Schema.String,
  sizeBytes: Schema.Number,
  modified: Schema.Number
})

/** The first line of the body of `put`; the bytes of the object follow. */
export const PutLine = Schema.parseJson(Schema.Struct({ key: Key, head: ObjectHead, expected: Expected }))
/** The first line of the answer to `open`; bytes follow where there is an object. */
export const OpenLine = Schema.parseJson(Schema.Struct({ object: Schema.OptionFromNullOr(StoredObject) }))

/** The body ends before its first line does, or that line is longer than 4 MiB. */
export class NoFirstLine extends Data.TaggedError("NoFirstLine") {}

export const frame = <E, R>(line: string, bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E, R> =>
  Stream.concat(Stream.succeed(new TextEncoder().encode(`${line}\n`)), bytes)

/** The line, and the bytes behind it, to be read before the scope closes. */
export const unframe = <E, R>(
  body: Stream.Stream<Uint8Array, E, R>
): Effect.Effect<
  { readonly line: string; readonly bytes: Stream.Stream<Uint8Array, E, R> },
  E | NoFirstLine,
  R | Scope.Scope
> =>
  Effect.gen(function*() {
    const pull = yield* Stream.toPull(body)
    const parts: Array<Uint8Array> = []
    let length = 0
    while (length <= maxLine) {
      const chunk = yield* Effect.mapError(pull, Option.getOrElse(() => new NoFirstLine()))
      const bytes = concat(Chunk.toReadonlyArray(chunk))
      const end = bytes.indexOf(newline)
      if (end < 0) {
        parts.push(bytes)
        length += bytes.length
        continue
      }
      const line = new TextDecoder().decode(concat([...parts, bytes.subarray(0, end)]))
      const rest = end + 1 < bytes.length ? Stream.succeed(bytes.subarray(end + 1)) : Stream.empty
      return { line, bytes: Stream.concat(rest, Stream.fromPull(Effect.succeed(pull))) }
    }
    return yield* new NoFirstLine()
  })

const newline = 10
const maxLine = 4 * 2 ** 20
