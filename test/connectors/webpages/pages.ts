/** A small site on loopback, and what reads it. */
import { Effect, Layer } from "effect"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import { WebPages } from "../../../src/subsystems/io/WebPages.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { memoryVault } from "../../fixtures/MemoryVault.ts"

const sentence = "Kangaroos carry their young in a pouch, and hop for miles through the dry country without a rest. "

export const article = `<html><head><title>Kangaroos</title><script>document.title = "run"</script></head><body>
  <nav><a href="/">Home</a> <a href="/shop">Buy our things</a></nav>
  <article><h1>On kangaroos</h1><p>${sentence.repeat(5)}</p><h2>Where they live</h2><p>${sentence.repeat(5)}
  <a href="/more">More</a></p></article><footer>Accept our cookies</footer></body></html>`

export type Routes = Readonly<Record<string, readonly [status: number, type: string, body: string | Buffer]>>

export const site = (routes: Routes) =>
  HttpServer.make(({ url }, response) => {
    const [status, type, body] = routes[url.replace(/\?.*/, "")] ?? [404, "text/plain", "not here"]
    const location = status >= 300 && status < 400 ? { location: String(body) } : {}
    response.writeHead(status, { "content-type": type, ...location }).end(body)
  })

type Asked = Parameters<WebPages["Type"]["read"]>[0]

export const services = <E>(layer: Layer.Layer<WebPages, E>, allow: ReadonlyArray<string>, secrets = {}) =>
  Layer.mergeAll(
    Layer.orDie(layer),
    Layer.orDie(UndiciOutbound.layer({ allow })),
    Layer.provide(Vault.layer, memoryVault({ "agent:a1": secrets }))
  )

export const read = (asked: Asked) =>
  Candidate.as(Effect.flatMap(WebPages, (one) => one.read(asked)), Candidate.agent("a1"))
