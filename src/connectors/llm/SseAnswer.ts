/** Reads answers that come as server-sent events of JSON, as nearly all providers send them. */
import { type AnswerDraft, type Decoder, decoder, type Reader } from "./AnswerDraft.ts"
import * as SseData from "./SseData.ts"

/** `Event` is what the provider documents: anything of it may be missing. */
export const decode = <Event extends object>(draft: AnswerDraft, reader: Reader<Event>): Decoder<Uint8Array> => {
  const text = new TextDecoder()
  const dataIn = SseData.make()
  const events = decoder<string>(draft, {
    ...reader,
    read: (data) => {
      if (data.trim() === "[DONE]") return draft.done()
      const event = parse<Event>(data)
      if (event === undefined) draft.protocol("an event of the answer is not a JSON object")
      else reader.read(event)
    }
  })
  return {
    ...events,
    feed: (chunks) => {
      const found: Array<string> = []
      for (const bytes of chunks) {
        const data = dataIn(text.decode(bytes, { stream: true }))
        if (data === undefined) draft.protocol("one event of the answer is larger than 10 MiB")
        else found.push(...data)
      }
      return events.feed(found)
    }
  }
}

const parse = <Event>(data: string): Event | undefined => {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Event : undefined
  } catch {
    return undefined
  }
}
