/**
 * The text of office files that are zipped XML: slides, sheets and OpenDocument texts. Fonts, fields and pictures are left out.
 * Read in a thread: the function uses nothing from outside of itself.
 */
import type { unzipSync, zipSync } from "fflate"

export type Kind = "slides" | "sheets" | "openDocument"

export const kinds: Readonly<Record<string, Kind>> = {
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": "slides",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "sheets",
  "application/vnd.oasis.opendocument.text": "openDocument"
}

/** What throws on what is no zip, or, with `tooLarge`, on what holds or says more than so many bytes. */
export const officeText = (tooLarge: (problem: string) => Error) => {
  /** Some seconds of work: a file of some kilobytes may hold millions. */
  const maxTags = 2_000_000

  interface Part {
    readonly name: string
    readonly xml: string
  }

  interface Reader {
    /** Names of the parts it is made of. */
    readonly needs: RegExp
    readonly pages: (parts: ReadonlyArray<Part>, maxChars: number) => ReadonlyArray<string>
  }

  /** A page for each slide or sheet. */
  const read = (kind: Kind, bytes: Uint8Array, unzip: typeof unzipSync, maxBytes: number): ReadonlyArray<string> => {
    const reader = readers[kind]
    const files = unpacked(bytes, unzip, (name) => reader.needs.test(name), maxBytes)
    bounded(Object.values(files))
    const parts = Object.entries(files).map(([name, part]) => ({ name, xml: new TextDecoder().decode(part) }))
    if (parts.length === 0) throw new Error("no part with text")
    return reader.pages(parts.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true })), maxBytes)
  }

  /** A file as it was unpacked within the bounds, for a reader that knows none itself. */
  const repacked = (bytes: Uint8Array, unzip: typeof unzipSync, zip: typeof zipSync, maxBytes: number): Uint8Array =>
    zip(unpacked(bytes, unzip, () => true, maxBytes), { level: 0 })

  /** The files of an archive, by name; no more of one than it says itself. */
  const unpacked = (
    bytes: Uint8Array,
    unzip: typeof unzipSync,
    isNeeded: (name: string) => boolean,
    maxBytes: number
  ) => {
    let left = maxBytes
    return unzip(bytes, {
      filter: ({ name, originalSize }) => {
        if (!isNeeded(name)) return false
        left -= originalSize
        if (left < 0) throw tooLarge(`it is larger than ${maxBytes} bytes when unpacked`)
        return true
      }
    })
  }

  const bounded = (parts: ReadonlyArray<Uint8Array>) => {
    let left = maxTags
    for (const part of parts) {
      for (let at = part.indexOf(0x3c); at >= 0; at = part.indexOf(0x3c, at + 1)) {
        if (left-- === 0) throw tooLarge(`it holds more than ${maxTags} tags`)
      }
    }
  }

  const slides: Reader = {
    needs: /^ppt\/slides\/slide\d+\.xml$/,
    pages: (parts) => parts.map(({ xml }) => elements(xml, "a:p").map((one) => texts(one, "a:t")).join("\n"))
  }

  const sheets: Reader = {
    needs: /^xl\/(sharedStrings|worksheets\/sheet\d+)\.xml$/,
    pages: (parts, maxChars) => {
      // Any number of cells may show the same text.
      let left = maxChars
      const shown = (text: string) => {
        left -= text.length
        if (left < 0) throw tooLarge(`it shows more than ${maxChars} characters`)
        return text
      }
      const strings = parts.filter(({ name }) => name.endsWith("sharedStrings.xml"))
        .flatMap(({ xml }) => elements(xml, "si").map((one) => texts(one, "t")))
      return parts.filter(({ name }) => name.includes("worksheets/")).map(({ xml }) =>
        elements(xml, "row").map((row) =>
          elements(row, "c").map((cell) => {
            const value = texts(cell, "v")
            const type = /^<c\b[^>]*\bt="(\w+)"/.exec(cell)?.[1]
            return type === "s" ? shown(strings[Number(value)] ?? "") : type === "inlineStr" ? texts(cell, "t") : value
          }).filter((text) => text !== "").join("; ")
        ).filter((row) => row !== "").join("\n")
      )
    }
  }

  const openDocument: Reader = {
    needs: /^content\.xml$/,
    pages: ([content]) => [
      plain(
        (content?.xml ?? "").replace(/<text:(tab|s)\b[^<>]*\/>/g, " ").replace(/<text:line-break\/>/g, "\n")
          .replace(/<\/text:(p|h)>/g, "\n")
      )
    ]
  }

  const readers: Readonly<Record<Kind, Reader>> = { slides, sheets, openDocument }

  /** Elements of one name with text in them, which none of these formats nests. In one pass, however broken the XML is. */
  const elements = (xml: string, name: string): ReadonlyArray<string> =>
    xml.split(`</${name}>`).slice(0, -1).flatMap((before) => {
      let start = before.lastIndexOf(`<${name}`)
      while (start > 0 && !/[\s>]/.test(before.charAt(start + name.length + 1))) {
        start = before.lastIndexOf(`<${name}`, start - 1)
      }
      return start < 0 ? [] : [before.slice(start)]
    })

  const texts = (xml: string, name: string) => elements(xml, name).map(plain).join("")

  const plain = (xml: string) => xml.replace(/<[^<>]*>/g, "").replace(/&#?\w{1,10};/g, entity)

  const named: Readonly<Record<string, string>> = {
    "&amp;": "&",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": "\"",
    "&apos;": "'"
  }

  const entity = (text: string) => {
    const [, hex, decimal] = /^&#(?:x([\da-f]{1,6})|(\d{1,7}));$/i.exec(text) ?? []
    const code = hex !== undefined ? parseInt(hex, 16) : Number(decimal ?? NaN)
    return code <= 0x10ffff ? String.fromCodePoint(code) : named[text] ?? text
  }

  return { read, repacked }
}
