/**
 * Object keys for keys of any kind. A key stands for itself, but for segments that are too long for servers which keep objects
 * as files: `/~-` goes on with one. A segment that begins with `~` gets another. What keys begin with, their object keys do.
 */

/** Of an object key: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
export const maxBytes = 1024

const maxSegmentBytes = 200

export const encode = (key: string): string => key.split("/").map(encodeSegment).join("/")

export const decode = (objectKey: string): string => objectKey.replaceAll("/~-", "").replace(/(^|\/)~~/g, "$1~")

const encodeSegment = (segment: string): string => {
  let encoded = segment.startsWith("~") ? "~" : ""
  let bytes = 0
  for (const letter of segment) {
    bytes += Buffer.byteLength(letter)
    if (bytes > maxSegmentBytes) {
      encoded += "/~-"
      bytes = Buffer.byteLength(letter)
    }
    encoded += letter
  }
  return encoded
}
