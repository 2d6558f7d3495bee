/** ZIP archives of a few files, the same bytes for the same files: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
import { crc32, deflateRawSync } from "node:zlib"

/** Files by name, as text. Readable for everybody, as of the first day of ZIP's calendar. */
export const zip = (files: Readonly<Record<string, string>>): Buffer => {
  const entries = Object.entries(files).map(([path, text]) => {
    const name = Buffer.from(path)
    const content = Buffer.from(text)
    const data = deflateRawSync(content, { level: 9 })
    return { name, data, common: commonOf(name, content, data) }
  })
  const locals = entries.map(({ common, data, name }) => Buffer.concat([numbers([4, 0x04034b50]), common, name, data]))
  let offset = 0
  const directory = entries.map(({ common, name }, index) => {
    const record = Buffer.concat([
      // Made on a Unix, where the mode of a file is in the upper half of its attributes.
      numbers([4, 0x02014b50], [2, (3 << 8) | 20]),
      common,
      numbers([2, 0], [2, 0], [2, 0], [4, (0o100644 << 16) >>> 0], [4, offset]),
      name
    ])
    offset += locals[index]!.length
    return record
  })
  const size = directory.reduce((sum, { length }) => sum + length, 0)
  const count = entries.length
  const end = numbers([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0])
  return Buffer.concat([...locals, ...directory, end])
}

/** What stands in front of a file and in the directory alike: UTF-8 names, deflated, 1980-01-01. */
const commonOf = (name: Buffer, content: Buffer, data: Buffer) =>
  numbers(
    [2, 20],
    [2, 0x0800],
    [2, 8],
    [2, 0],
    [2, 0x21],
    [4, crc32(content)],
    [4, data.length],
    [4, content.length],
    [2, name.length],
    [2, 0]
  )

/** Numbers of so many bytes, the lowest byte first. */
const numbers = (...fields: ReadonlyArray<readonly [bytes: 2 | 4, value: number]>): Buffer =>
  Buffer.concat(fields.map(([bytes, value]) => {
    const buffer = Buffer.alloc(bytes)
    buffer.writeUIntLE(value, 0, bytes)
    return buffer
  }))
