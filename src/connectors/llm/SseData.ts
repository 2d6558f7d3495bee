/**
 * The `data` of server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html. Searches for line ends
 * instead of looking at every character as general parsers do, which cost a call more than all the rest of reading it.
 */

/** The data of the events that end in `text`, or `undefined` once a single event is larger than `maxChars`. */
export const make = (maxChars = 10 * 1024 * 1024): (text: string) => ReadonlyArray<string> | undefined => {
  /** The line that has not ended yet. */
  let rest = ""
  let data: string | undefined
  return (text) => {
    const events: Array<string> = []
    let buffer = rest + text
    // A carriage return at the end may be half of a line end.
    const half = buffer.endsWith("\r") ? "\r" : ""
    let search = Math.max(0, rest.length - 1)
    if (buffer.includes("\r", search)) {
      buffer = buffer.slice(0, buffer.length - half.length).replace(/\r\n?/g, "\n")
      search = 0
    }
    let start = 0
    for (let end = buffer.indexOf("\n", search); end >= 0; end = buffer.indexOf("\n", start)) {
      if (end === start) {
        if (data !== undefined) events.push(data)
        data = undefined
      } else if (buffer.startsWith("data:", start)) {
        const value = buffer.slice(start + (buffer[start + 5] === " " ? 6 : 5), end)
        data = data === undefined ? value : `${data}\n${value}`
      }
      start = end + 1
    }
    rest = buffer.slice(start) + half
    return rest.length + (data?.length ?? 0) > maxChars ? undefined : events
  }
}
