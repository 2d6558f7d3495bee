/** What is kept beside the bytes, in an object's own metadata: JSON in printable ASCII, cut to what servers take in one entry. */
import type { HeadObjectCommandOutput } from "@aws-sdk/client-s3"
import { Effect, Either, Option, ParseResult, Schema } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Acl from "../../security/Acl.ts"
import { Metadata, remembering } from "../../subsystems/Guarded.ts"
import type * as Storage from "../../subsystems/io/Storage.ts"

/** Random bytes behind those of an object. */
export const trailerBytes = 16

/** Of all entries, their names included: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html */
const maxBytes = 2048
/** Of one entry: Swift takes 256. */
const maxEntryLength = 250

const Kept = Schema.parseJson(Schema.Struct({
  acl: Acl.Acl,
  metadata: Metadata,
  expires: Schema.OptionFromNullOr(Schema.Number)
}))
const decode = remembering(ParseResult.decodeOption(Kept))
const encode = ParseResult.encodeEither(Kept)

/** The part of a request to write that says all about an object but its bytes. */
export const toRequest = (method: string, { acl, contentType, expires, metadata }: Storage.ObjectHead) => {
  const invalid = (detail: string) =>
    Effect.fail(new ConnectorError({ connector: "S3", method, reason: "InvalidInput", detail }))
  const json = Either.getOrUndefined(encode({ acl, metadata, expires }))
  if (json === undefined) return invalid("the metadata is not JSON")
  if (!/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(contentType)) return invalid("the content type is not ASCII")
  const text = json.replace(/[^\x21-\x7e]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`)
  const entries = (text.match(new RegExp(`.{1,${maxEntryLength}}`, "g")) ?? [])
    .map((part, n) => [entryName(n), part] as const)
  const bytes = entries.reduce((sum, [name, part]) => sum + name.length + part.length, 0)
  return bytes > maxBytes
    ? invalid(
      `the access list and the metadata take ${bytes} bytes together; S3 keeps ${maxBytes} of them with an object`
    )
    : Effect.succeed({ ContentType: contentType, Metadata: Object.fromEntries(entries) })
}

/** What an answer says of an object. One that something else wrote has no list, so that nobody may have it. */
export const fromAnswer = (
  method: string,
  key: string,
  answer: Pick<HeadObjectCommandOutput, "ContentType" | "ETag" | "LastModified" | "Metadata">,
  storedBytes: number | undefined
): Effect.Effect<Storage.StoredObject, ConnectorError> => {
  const { ContentType, ETag, LastModified, Metadata: entries = {} } = answer
  let text = ""
  for (let n = 0; entries[entryName(n)] !== undefined; n++) text += entries[entryName(n)]
  return Option.match(decode(text), {
    onNone: () =>
      Effect.fail(
        new ConnectorError({
          connector: "S3",
          method,
          reason: "Corrupted",
          detail: `the object at "${key}" was not written by this connector; remove it from the bucket or replace it`
        })
      ),
    onSome: (kept) =>
      Effect.succeed({
        ...kept,
        key,
        contentType: ContentType ?? "application/octet-stream",
        version: ETag ?? "",
        sizeBytes: Math.max(0, (storedBytes ?? 0) - trailerBytes),
        modified: LastModified?.getTime() ?? 0
      })
  })
}

const entryName = (n: number) => `sre-${n}`
