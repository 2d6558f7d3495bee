/** The text of office files that are zipped XML: slides, sheets and OpenDocument texts. Fonts, fields and pictures are left out. */
import type { unzipSync } from "fflate"
import * as Markup from "../Markup.ts"

const pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
const odt = "application/vnd.oasis.opendocument.text"

export const mediaTypes: ReadonlyArray<string> = [pptx, xlsx, odt]

/** Some seconds of work. */
const maxTags = 2_000_000

/** A page for each slide or sheet. Throws on what is no zip, or holds or says more than `maxBytes`. */
export const read = (type: string, bytes: Uint8Array, unzip: typeof unzipSync, maxBytes: number) => {
  const kind = type === pptx ? slides : type === xlsx ? sheets : openDocument
  const files = unpacked(bytes, unzip, (name) => kind.needs.test(name), maxBytes)
  Markup.bounded(Object.values(files), maxTags)
  const parts = Object.entries(files).map(([name, part]) => ({ name, xml: new TextDecoder().decode(part) }))
  if (parts.length === 0) throw new Error("no part with text")
  return kind.pages(parts.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true })), maxBytes)
}

/** The files of an archive, by name; no more of one than it says itself. */
export const unpacked = (
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
      if (left < 0) throw new Markup.TooLarge(`it is larger than ${maxBytes} bytes when unpacked`)
      return true
    }
  })
}

interface Part {
  readonly name: string
  readonly xml: string
}

interface Kind {
  /** Names of the parts it is made of. */
  readonly needs: RegExp
  readonly pages: (parts: ReadonlyArray<Part>, maxChars: number) => ReadonlyArray<string>
}

const slides: Kind = {
  needs: /^ppt\/slides\/slide\d+\.xml$/,
  pages: (parts) => parts.map(({ xml }) => elements(xml, "a:p").map((one) => texts(one, "a:t")).join("\n"))
}

const sheets: Kind = {
  needs: /^xl\/(sharedStrings|worksheets\/sheet\d+)\.xml$/,
  pages: (parts, maxChars) => {
    // Any number of cells may show the same text.
    let left = maxChars
    const shown = (text: string) => {
      left -= text.length
      if (left < 0) throw new Markup.TooLarge(`it shows more than ${maxChars} characters`)
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

const openDocument: Kind = {
  needs: /^content\.xml$/,
  pages: ([content]) => [
    plain(
      (content?.xml ?? "").replace(/<text:(tab|s)\b[^<>]*\/>/g, " ").replace(/<text:line-break\/>/g, "\n")
        .replace(/<\/text:(p|h)>/g, "\n")
    )
  ]
}

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
