/** A site on loopback, screens in a real Chromium, and what they are used with. */
import { Effect, Layer } from "effect"
import { spawnSync } from "node:child_process"
import { BrowserComputer } from "../../../src/connectors/computer/BrowserComputer.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Computer, type Options } from "../../../src/subsystems/compute/Computer.ts"
import type { Action } from "../../../src/subsystems/compute/ComputerAction.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const found = spawnSync("sh", ["-c", "command -v chromium"]).stdout.toString().trim()
export const executable = process.env["SRE_REQUIRE_SERVICES"] === "1" || found !== "" ? found || "chromium" : undefined

export const settings = { executable: executable ?? "chromium", sandbox: false }

/** Answers by path; anything else is not found. */
export const site = (
  pages: Readonly<Record<string, string | { readonly status: number; readonly headers: Record<string, string> }>>
) =>
  HttpServer.make(({ url }, response) => {
    const page = pages[url.replace(/\?.*/, "")]
    if (page === undefined) return void response.writeHead(404).end("not here")
    if (typeof page === "string") {
      return void response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page)
    }
    response.writeHead(page.status, page.headers).end()
  })

/** Elements at fixed places, so that a script can click on them: inputs at y 20 and 60, the button at y 100. */
export const form = (action: string) =>
  `<!doctype html><title>Form</title>
  <style>* { position: absolute; left: 10px; width: 200px; height: 20px; margin: 0 } form, body { height: auto; top: 0 }</style>
  <form action="${action}" method="post">
    <input name="name" style="top: 10px"><input name="city" style="top: 50px"><button style="top: 90px">Send</button>
  </form>`

export const services = (allow: ReadonlyArray<string>, more: Parameters<typeof BrowserComputer.layer>[0] = {}) =>
  Layer.orDie(Layer.merge(BrowserComputer.layer({ ...settings, ...more }), UndiciOutbound.layer({ allow: [...allow] })))

export const display = { width: 800, height: 600 }

export const as = Candidate.as(Candidate.agent("a1"))

export const open = (origins: ReadonlyArray<string>, more: Partial<Options> = {}) =>
  as(Effect.flatMap(Computer, (computer) => computer.open({ display, origins, ...more })))

export const click = (x: number, y: number): Action => ({
  type: "click",
  at: { x, y },
  button: "left",
  count: 1,
  held: []
})
export const key = (...keys: ReadonlyArray<string>): Action => ({ type: "key", keys, times: 1, millis: 0 })
export const type = (text: string): Action => ({ type: "type", text })
export const navigate = (url: string): Action => ({ type: "navigate", url })
