// The servers that benchmarks ask, in a process of their own so that only the asking is measured. Writes its port, and ends
// with its input. Chat Completions as https://platform.openai.com/docs/api-reference/chat has it, answered at once; the last
// message of a user says how: `{"chunks":2000,"chars":4,"tools":5}`.
import { once } from "node:events"
import { createServer } from "node:http"

let busy = 0

const textOf = async (request) => {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString()
}

const head = { id: "chatcmpl-1", created: 1, model: "gpt-4o-mini" }
const usage = { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 }
const event = (delta, finish_reason = null) =>
  `data: ${
    JSON.stringify({
      ...head,
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, logprobs: null, finish_reason }]
    })
  }\n\n`
const last = `data: ${
  JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [], usage })
}\n\ndata: [DONE]\n\n`

const chat = async (text, response) => {
  const { messages, stream } = JSON.parse(text)
  const { content } = messages.findLast(({ role }) => role === "user")
  const asked = typeof content === "string" ? content : content[0].text
  const { chars, chunks, tools = 0 } = JSON.parse(asked)
  const call = messages.filter(({ role }) => role === "tool").length
  if (!stream) {
    const message = { role: "assistant", content: "x".repeat(chars * chunks), refusal: null }
    response.writeHead(200, { "content-type": "application/json" })
    return response.end(JSON.stringify({
      ...head,
      object: "chat.completion",
      choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
      usage
    }))
  }
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" })
  if (call < tools) {
    const fn = { name: "digest", arguments: JSON.stringify({ text: `turn ${call}` }) }
    response.write(
      event({ role: "assistant", tool_calls: [{ index: 0, id: `c${call}`, type: "function", function: fn }] })
    )
    return response.end(event({}, "tool_calls") + last)
  }
  const one = event({ content: "x".repeat(chars) })
  for (let n = 0; n < chunks && !response.destroyed; n++) {
    if (response.write(one)) continue
    // A connection that closes is drained, too.
    await once(response, "drain").catch(() => {})
  }
  response.end(event({}, "stop") + last)
}

const server = createServer(async (request, response) => {
  if (request.url === "/busy") {
    response.end(String(busy))
    busy = 0
    return
  }
  const started = performance.now()
  response.on("close", () => {
    busy += performance.now() - started
    response.emit("drain")
  })
  const text = await textOf(request)
  if (request.url === "/v1/chat/completions") return chat(text, response)
  response.writeHead(200, { "content-type": "application/json" })
  response.end(`{"said":${text || "null"}}`)
}).listen(0, "127.0.0.1", () => console.log(server.address().port))
process.stdin.on("end", () => process.exit()).resume()
