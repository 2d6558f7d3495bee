/** A three-step endpoint over HTTP, and in the same run a bare server of Node that reads and sends the same JSON. */
import { Context, Effect } from "effect"
import { createHash } from "node:crypto"
import { createServer, type RequestListener } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { fileURLToPath } from "node:url"
import { isMainThread, Worker, workerData } from "node:worker_threads"
import * as Server from "../src/server/Server.ts"
import { Router } from "../src/subsystems/io/Router.ts"
import { booted, digest, load } from "./agents.ts"
import { report, row } from "./measure.ts"

const connections = 32
const runs = 5
const millis = 2000
const body = JSON.stringify({ text: "hello" })

interface Target {
  readonly port: number
  readonly path: string
}

/** How many answers a second one server gives: each connection sends its next request when the last is answered. */
const load32 = ({ path, port }: Target, done: (perSecond: number) => void): void => {
  const request = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\n` +
    `content-length: ${body.length}\r\n\r\n${body}`
  let answers = 0
  const sockets = Array.from({ length: connections }, () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => socket.write(request))
    let received = ""
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1")
      const head = received.indexOf("\r\n\r\n")
      const length = /\r\ncontent-length: (\d+)/i.exec(received)?.[1]
      if (head < 0 || length === undefined || received.length < head + 4 + Number(length)) return
      if (!received.startsWith("HTTP/1.1 200")) throw new Error(received)
      received = ""
      answers++
      socket.write(request)
    })
    return socket
  })
  setTimeout(() => {
    const [before, started] = [answers, performance.now()]
    setTimeout(() => {
      done((answers - before) * 1000 / (performance.now() - started))
      for (const socket of sockets) socket.destroy()
    }, millis)
  }, 300)
}

const measured = (target: Target): Effect.Effect<number> =>
  Effect.async((resume) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: target })
    worker.once("message", (perSecond: number) => resume(Effect.succeed(perSecond)))
    worker.once("error", (error) => resume(Effect.die(error)))
  })

const bare: RequestListener = (request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const { text } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly text: string }
    const answer = JSON.stringify({ digest: createHash("sha256").update(text).digest("hex") })
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) })
    response.end(answer)
  })
}

const listening = Effect.acquireRelease(
  Effect.async<ReturnType<typeof createServer>>((resume) => {
    const server = createServer(bare).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
)

const program = Effect.gen(function*() {
  const context = yield* booted
  yield* Effect.provide(Effect.zipRight(load(digest), Server.serve({ auth: "local" })), context)
  const ours = Number(new URL(yield* Context.get(context, Router).baseUrl).port)
  const { port } = (yield* listening).address() as AddressInfo
  const [theirs, own]: [Array<number>, Array<number>] = [[], []]
  // The first round is the warm-up. Both take turns, so that other work of the machine meets both.
  for (let run = 0; run <= runs; run++) {
    const [a, b] = [
      yield* measured({ port, path: "/" }),
      yield* measured({ port: ours, path: "/agents/digester/api/digest" })
    ]
    if (run > 0) {
      theirs.push(a)
      own.push(b)
    }
  }
  report(row(`node:http alone, ${connections} connections`, "requests/s", theirs))
  report(row(`the digest agent, ${connections} connections`, "requests/s", own))
  report(row("the digest agent against node:http alone", "×", own.map((one, run) => one / theirs[run]!)))
})

if (isMainThread) {
  await Effect.runPromise(Effect.scoped(program))
  process.exit(0)
} else {
  const { parentPort } = await import("node:worker_threads")
  load32(workerData as Target, (perSecond) => parentPort?.postMessage(perSecond))
}
