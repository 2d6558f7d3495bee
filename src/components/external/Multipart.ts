/** Forms with files in them: https://www.rfc-editor.org/rfc/rfc7578 */
import { Effect } from "effect"
import type { LoadedFile } from "../../subsystems/io/Files.ts"
import type { PortInfo } from "../Component.ts"

export type Field = readonly [name: string, value: string | LoadedFile]

/** The boundary is part of the media type. */
export const encode = (fields: Iterable<Field>) =>
  Effect.promise(async () => {
    const data = new FormData()
    for (const [name, value] of fields) {
      if (typeof value === "string") data.append(name, value)
      else data.append(name, new Blob([new Uint8Array(value.bytes)], { type: value.mediaType }), value.name)
    }
    const encoded = new Response(data)
    const mediaType = encoded.headers.get("content-type") ?? "multipart/form-data"
    return { content: new Uint8Array(await encoded.arrayBuffer()), mediaType }
  })

/** Bytes, or an object that says where a file is. */
export const isFileLike = (value: unknown): boolean =>
  value instanceof Uint8Array || value instanceof Blob ||
  (typeof value === "object" && value !== null && "url" in value && typeof value.url === "string")

export const isFilePort = ({ type }: Pick<PortInfo, "type">): boolean => fileTypes.has(type.toLowerCase())
const fileTypes: ReadonlySet<string> = new Set(["binary", "image", "audio", "video", "file"])
