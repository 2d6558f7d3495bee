/** A page of this machine that a browser is led to, once: what it brings is the address it asks for. */
import { Effect, Queue } from "effect"
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { UsageError } from "./Ending.ts"

interface Visit {
  readonly address: string
  readonly answer: ServerResponse
}

/** Listens on loopback until the scope closes; 0 takes any free port. */
export const make = (port: number) =>
  Effect.gen(function*() {
    const visits = yield* Queue.unbounded<Visit>()
    const server = yield* Effect.acquireRelease(listening(port, visits), closed)
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`

    /** What `use` makes of the first visit with that `state`; the browser is told. */
    const first = <A, E extends { readonly message: string }, R>(
      use: (address: string) => Effect.Effect<A, E, R>,
      state: string
    ) =>
      Effect.gen(function*() {
        for (;;) {
          const { address, answer } = yield* Queue.take(visits)
          if (new URL(address, url).searchParams.get("state") !== state) {
            yield* say(answer, 404, "Nobody waits for this.")
            continue
          }
          return yield* Effect.onExit(use(address), (exit) =>
            exit._tag === "Success"
              ? say(answer, 200, "Signed in. This page can be closed.")
              : say(answer, 400, "The sign-in failed; the command says why."))
        }
      })
    return { url, first }
  })

const path = "/sign-in"

const listening = (port: number, visits: Queue.Enqueue<Visit>) =>
  Effect.async<Server, UsageError>((resume) => {
    const server = createServer({ maxHeaderSize: 64 * 1024 }, ({ method, url: address = "" }, answer) => {
      if (method === "GET" && address.replace(/\?.*$/s, "") === path) Queue.unsafeOffer(visits, { address, answer })
      else answer.writeHead(404).end()
    })
    server.once("error", ({ message }) =>
      resume(Effect.fail(new UsageError({ message: `--port: cannot listen on 127.0.0.1:${port}: ${message}` }))))
    server.listen(port, "127.0.0.1", () =>
      resume(Effect.succeed(server)))
  })

const closed = (server: Server) =>
  Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** Done when it has been sent, or nobody is there to hear it. */
const say = (answer: ServerResponse, status: number, text: string) =>
  Effect.async<void>((resume) => {
    const headers = {
      "content-type": "text/plain",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      connection: "close"
    }
    answer.on("close", () => resume(Effect.void))
    if (answer.destroyed) resume(Effect.void)
    else answer.writeHead(status, headers).end(`${text}\n`)
  })
