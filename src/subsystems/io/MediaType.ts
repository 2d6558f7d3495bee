/** What kind of data a file holds, by its name or its first bytes, and the extension that goes with it. */

/** The first extension of a type is the one files get. */
const extensions: Readonly<Record<string, ReadonlyArray<string>>> = {
  "application/gzip": ["gz"],
  "application/json": ["json", "smyth"],
  "application/msword": ["doc"],
  "application/octet-stream": ["bin"],
  "application/pdf": ["pdf"],
  "application/rtf": ["rtf"],
  "application/vnd.ms-excel": ["xls"],
  "application/vnd.ms-powerpoint": ["ppt"],
  "application/vnd.oasis.opendocument.text": ["odt"],
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": ["pptx"],
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ["xlsx"],
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ["docx"],
  "application/xml": ["xml"],
  "application/yaml": ["yaml", "yml"],
  "application/zip": ["zip"],
  "audio/aac": ["aac"],
  "audio/flac": ["flac"],
  "audio/mp4": ["m4a"],
  "audio/mpeg": ["mp3"],
  "audio/ogg": ["ogg", "oga", "opus"],
  "audio/wav": ["wav"],
  "audio/webm": ["weba"],
  "image/avif": ["avif"],
  "image/bmp": ["bmp"],
  "image/gif": ["gif"],
  "image/heic": ["heic"],
  "image/jpeg": ["jpg", "jpeg"],
  "image/png": ["png"],
  "image/svg+xml": ["svg"],
  "image/tiff": ["tiff", "tif"],
  "image/webp": ["webp"],
  "image/x-icon": ["ico"],
  "text/css": ["css"],
  "text/csv": ["csv"],
  "text/html": ["html", "htm"],
  "text/javascript": ["js", "mjs"],
  "text/markdown": ["md"],
  "text/plain": ["txt", "log"],
  "video/mp4": ["mp4"],
  "video/mpeg": ["mpeg", "mpg"],
  "video/quicktime": ["mov"],
  "video/webm": ["webm"],
  "video/x-matroska": ["mkv"],
  "video/x-msvideo": ["avi"]
}

const types: ReadonlyMap<string, string> = new Map(
  Object.entries(extensions).flatMap(([type, names]) => names.map((name) => [name, type] as const))
)

/** By the extension, else by the first bytes, else `application/octet-stream`. */
export const detect = (name: string, bytes: Uint8Array | undefined): string =>
  ofName(name) ?? (bytes === undefined ? undefined : ofBytes(bytes)) ?? "application/octet-stream"

/** Without its parameters, in lower case: `text/plain; charset=utf-8` is `text/plain`. */
export const essence = (type: string): string => type.split(";")[0]!.trim().toLowerCase()

export const ofName = (name: string): string | undefined => {
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1]
  return extension === undefined ? undefined : types.get(extension.toLowerCase())
}

/** `photo` as an `image/png` is `photo.png`; a name that has an extension keeps it. */
export const withExtension = (name: string, type: string): string => {
  const extension = extensions[essence(type)]?.[0]
  return extension === undefined || /\.[a-z0-9]{1,10}$/i.test(name) ? name : `${name}.${extension}`
}

/** Nothing for bytes of no known kind. By the signatures of https://mimesniff.spec.whatwg.org and of ISO media files; text when it is UTF-8 without controls. */
export const ofBytes = (bytes: Uint8Array): string | undefined => {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 4096))
  const ascii = head.toString("latin1", 0, 64)
  const readable = isText(head, bytes.length > head.length)
  const signature = signatures.find(({ isText, text }) => ascii.startsWith(text) && (isText === true || !readable))
  if (signature !== undefined) return signature.type
  if (readable) return "text/plain"
  if (ascii.startsWith("RIFF")) return containers[ascii.slice(8, 12)]
  return ascii.startsWith("ftyp", 4) ? brands[ascii.slice(8, 12)] ?? "video/mp4" : undefined
}

const signatures: ReadonlyArray<{ readonly text: string; readonly type: string; readonly isText?: true }> = [
  { text: "\x89PNG\r\n\x1a\n", type: "image/png" },
  { text: "\xff\xd8\xff", type: "image/jpeg" },
  { text: "GIF87a", type: "image/gif" },
  { text: "GIF89a", type: "image/gif" },
  { text: "BM", type: "image/bmp" },
  { text: "II*\0", type: "image/tiff" },
  { text: "MM\0*", type: "image/tiff" },
  { text: "\0\0\x01\0", type: "image/x-icon" },
  { text: "%PDF-", type: "application/pdf", isText: true },
  { text: "PK\x03\x04", type: "application/zip" },
  { text: "\x1f\x8b\x08", type: "application/gzip" },
  { text: "ID3", type: "audio/mpeg" },
  { text: "\xff\xfb", type: "audio/mpeg" },
  { text: "\xff\xf3", type: "audio/mpeg" },
  { text: "OggS", type: "audio/ogg" },
  { text: "fLaC", type: "audio/flac" },
  { text: "\x1aE\xdf\xa3", type: "video/webm" },
  { text: "{\\rtf", type: "application/rtf", isText: true }
]

const containers: Readonly<Record<string, string>> = {
  "WEBP": "image/webp",
  "WAVE": "audio/wav",
  "AVI ": "video/x-msvideo"
}

const brands: Readonly<Record<string, string>> = {
  "avif": "image/avif",
  "heic": "image/heic",
  "heix": "image/heic",
  "mif1": "image/heic",
  "M4A ": "audio/mp4",
  "qt  ": "video/quicktime"
}

/** The last character of a cut text may be incomplete, so that a stream decoder leaves it aside. */
const isText = (head: Buffer, isCut: boolean): boolean => {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: isCut })

    return !/[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(text)
  } catch {
    return false
  }
}
