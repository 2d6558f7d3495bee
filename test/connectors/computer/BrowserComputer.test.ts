import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { spawnSync } from "node:child_process"
import { ActionRefused } from "../../../src/subsystems/compute/Computer.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { click, executable, form, key, navigate, open, services, site, type } from "./screens.ts"

const png = [0x89, 0x50, 0x4e, 0x47]

/** Processes of Chromium that this one started. */
const browsers = () =>
  spawnSync("pgrep", ["-P", String(process.pid), "-f", "chromium"]).stdout.toString().trim().split("\n")
    .filter((line) => line !== "").length

describe.skipIf(executable === undefined)("BrowserComputer (needs chromium)", () => {
  it.scopedLive(
    "fills in a form and sends it, follows where it leads and keeps its cookies",
    () =>
      Effect.gen(function*() {
        const server = yield* site({
          "/": form("/send"),
          "/send": { status: 303, headers: { location: "/thanks?a=1,2;b", "set-cookie": "order=7; HttpOnly" } },
          "/thanks": "<title>Thanks</title>"
        })
        yield* Effect.gen(function*() {
          const screen = yield* open([server.url])
          yield* screen.act(navigate(`${server.url}/`))
          const before = yield* screen.look
          assert.deepStrictEqual(Array.from(before.png.slice(0, 4)), png)
          yield* screen.act(click(50, 20))
          yield* screen.act(type("Adx"))
          yield* screen.act(key("Backspace"))
          yield* screen.act(type("a"))
          yield* screen.act({ type: "click", at: { x: 50, y: 60 }, button: "left", count: 1, held: [] })
          yield* screen.act(type("wrong"))
          yield* screen.act(key("Control", "a"))
          yield* screen.act(type("Bonn & Köln"))
          yield* screen.act(click(50, 100))
          const after = yield* screen.look
          assert.strictEqual(after.url, `${server.url}/thanks?a=1,2;b`)
          assert.deepStrictEqual(after.missing.filter((line) => !line.includes("favicon")), [])
          assert.notDeepEqual(after.png, before.png)
          const sent = server.requests.find(({ method }) => method === "POST")
          assert.deepStrictEqual(Object.fromEntries(new URLSearchParams(sent?.body)), {
            name: "Ada",
            city: "Bonn & Köln"
          })
          assert.strictEqual(server.requests.find(({ url }) => url.startsWith("/thanks"))?.headers.cookie, "order=7")
        }).pipe(Effect.provide(services([server.rule])))
      }),
    60_000
  )

  it.scopedLive(
    "lets no page reach an origin that is not allowed, nor an address the policy refuses",
    () =>
      Effect.gen(function*() {
        const inside = yield* site({ "/": "SECRET" })
        const server = yield* site({
          "/": `<a href="${inside.url}/" style="position: absolute; left: 0; top: 0; width: 90px; height: 90px">out</a>
          <iframe src="${inside.url}/"></iframe><img src="${inside.url}/i.png">
          <script>fetch("${inside.url}/", { mode: "no-cors" }); new WebSocket("ws://${inside.rule}/")</script>`,
          "/away": { status: 302, headers: { location: `${inside.url}/` } },
          "/loop": { status: 302, headers: { location: "/loop" } },
          "/file": { status: 302, headers: { location: "file:///etc/passwd" } }
        })
        yield* Effect.gen(function*() {
          const screen = yield* open([server.url])
          yield* screen.act(navigate(`${server.url}/`))
          yield* screen.act(click(20, 20))
          const { missing, url } = yield* screen.look
          assert.deepStrictEqual(missing, [`${inside.url} is not an allowed origin`])
          assert.notInclude(url, inside.rule)
          const refused = [`${inside.url}/`, "file:///etc/passwd", "javascript:alert(1)", "no url"]
          for (const one of refused) {
            const error = yield* Effect.flip(screen.act(navigate(one)))
            assert.deepInclude({ ...error }, { _tag: "ActionRefused", reason: "Origin" })
          }
          yield* Effect.ignore(screen.act(navigate(`${server.url}/away`)))
          assert.include((yield* screen.look).missing, `${inside.url} is not an allowed origin`)
          const file = yield* Effect.flip(screen.act(navigate(`${server.url}/file`)))
          assert.include(file.message, "something that is no page")
          yield* screen.act(navigate(`${server.url}/loop`))
          const looping = yield* Effect.repeat(screen.look, { until: ({ missing }) => missing.length > 0, times: 5 })
          assert.deepStrictEqual(looping.missing, [`${server.url} redirects without end`])
          // Allowed to the page, but not by the operator.
          const other = yield* open([inside.url])
          const error = yield* Effect.flip(other.act(navigate(`${inside.url}/`)))
          assert.instanceOf(error, ActionRefused)
          assert.include(error.message, "not public")
        }).pipe(Effect.provide(services([server.rule])))
        assert.strictEqual(inside.connections(), 0)
      }),
    60_000
  )

  it.scopedLive(
    "asks the caller about requests to allowed origins, and waits for the answer",
    () =>
      Effect.gen(function*() {
        const server = yield* site({ "/": form("/send"), "/send": "sent" })
        const other = yield* site({ "/": "other" })
        const asked: Array<unknown> = []
        yield* Effect.gen(function*() {
          const screen = yield* open([server.url, other.url], {
            judge: ({ from, isPage, method, url }) => {
              if (url.pathname === "/favicon.ico") return Effect.void
              asked.push([method, url.pathname, isPage, from])
              return method === "POST" ? Effect.delay(Effect.fail("nobody said yes"), "6 seconds") : Effect.void
            }
          })
          yield* screen.act(navigate(`${server.url}/`))
          yield* screen.look
          yield* screen.act(click(50, 100))
          // Longer than a page is waited for.
          assert.deepStrictEqual((yield* screen.look).missing, ["nobody said yes"])
          yield* screen.act(navigate(`${other.url}/`))
          assert.deepStrictEqual(asked, [
            ["GET", "/", true, undefined],
            ["POST", "/send", true, server.url],
            ["GET", "/", true, server.url]
          ])
        }).pipe(Effect.provide(services([server.rule, other.rule])))
        assert.isFalse(server.requests.some(({ method }) => method === "POST"))
      }),
    60_000
  )

  it.scopedLive("keeps no more requests of a page in line than it may", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) => {
        if (url.startsWith("/held")) return
        response.writeHead(200, { "content-type": "text/html" }).end(`<title>Flood</title><script>
          let refused = 0
          for (let n = 0; n < 1000; n++) fetch("/held?" + n).catch(() => { location.hash = ++refused })
        </script>`)
      })
      yield* Effect.gen(function*() {
        const screen = yield* open([server.url])
        yield* screen.act(navigate(`${server.url}/`))
        const { url } = yield* screen.look
        assert.isAtLeast(Number(new URL(url).hash.slice(1)), 1000 - 512 - 32)
      }).pipe(Effect.scoped, Effect.provide(services([server.rule])))
    }), 60_000)

  it.scopedLive("shares nothing between screens, and has no more of them than it may", () =>
    Effect.gen(function*() {
      const server = yield* site({
        "/set": { status: 302, headers: { location: "/", "set-cookie": "who=me" } },
        "/": "<title>Here</title>"
      })
      yield* Effect.gen(function*() {
        const first = yield* Scope.make()
        const one = yield* Scope.extend(open([server.url]), first)
        const two = yield* open([server.url])
        const error = yield* Effect.flip(open([server.url]))
        assert.deepInclude({ ...error }, { _tag: "NoScreenFree", sessions: 2 })
        yield* one.act(navigate(`${server.url}/set`))
        yield* one.look
        yield* two.act(navigate(`${server.url}/?two`))
        assert.strictEqual(server.requests.find(({ url }) => url === "/")?.headers.cookie, "who=me")
        assert.isUndefined(server.requests.find(({ url }) => url === "/?two")?.headers.cookie)
        yield* Scope.close(first, Exit.void)
        yield* open([server.url])
      }).pipe(Effect.scoped, Effect.provide(services([server.rule], { sessions: 2, sessionsPerTenant: 2 })))
      assert.strictEqual(browsers(), 0)
    }), 60_000)

  it.scopedLive(
    "is gone when whoever uses it is interrupted, in the midst of a page that computes for ever",
    () =>
      Effect.gen(function*() {
        const server = yield* site({ "/": "<script>for (;;) {}</script>" })
        yield* Effect.gen(function*() {
          const fiber = yield* Effect.fork(Effect.scoped(Effect.gen(function*() {
            const screen = yield* open([server.url])
            yield* screen.act(navigate(`${server.url}/`))
            yield* screen.look
          })))
          yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => server.requests.length > 0 })
          assert.isAbove(browsers(), 0)
          yield* Fiber.interrupt(fiber)
        }).pipe(Effect.provide(services([server.rule])))
        assert.strictEqual(browsers(), 0)
      }),
    60_000
  )

  it.scopedLive("has a mouse with all its buttons, wheel, and keys to hold", () =>
    Effect.gen(function*() {
      const server = yield* site({
        "/": `<body style="margin: 0; height: 5000px"><script>
          const log = []
          for (const kind of ["click", "dblclick", "auxclick", "contextmenu", "mouseup", "wheel", "keydown"])
            addEventListener(kind, (e) => {
              if (kind === "contextmenu") e.preventDefault()
              log.push([kind, e.key ?? e.button, e.clientX, e.clientY, e.shiftKey, e.ctrlKey].join())
              new Image().src = "/log?" + encodeURIComponent(log.at(-1))
            })
        </script>`
      })
      yield* Effect.gen(function*() {
        const screen = yield* open([server.url])
        yield* screen.act(navigate(`${server.url}/`))
        yield* screen.look
        yield* screen.act({ type: "click", at: { x: 5, y: 6 }, button: "right", count: 1, held: ["Shift"] })
        yield* screen.act({ type: "click", at: { x: 7, y: 8 }, button: "left", count: 2, held: [] })
        yield* screen.act({ type: "drag", path: [{ x: 10, y: 10 }, { x: 90, y: 95 }], held: [] })
        yield* screen.act({ type: "scroll", at: undefined, x: 0, y: 120, held: [] })
        yield* screen.act({ type: "key", keys: ["Control", "k"], times: 2, millis: 10 })
        yield* screen.look
        const log = server.requests.filter(({ url }) => url.startsWith("/log?"))
          .map(({ url }) => decodeURIComponent(url.slice(5)))
        for (
          const expected of [
            "contextmenu,2,5,6,true,false",
            "dblclick,0,7,8,false,false",
            "mouseup,0,90,95,false,false",
            "wheel,0,90,95,false,false",
            "keydown,k,,,false,true"
          ]
        ) assert.include(log, expected)
        assert.lengthOf(log.filter((line) => line.startsWith("keydown,k")), 2)
        const off = yield* Effect.flip(screen.act(click(800, 10)))
        assert.deepInclude({ ...off }, { _tag: "ActionRefused", reason: "OffScreen" })
        const unknown = yield* Effect.flip(screen.act(key("Control", "Hyperdrive")))
        assert.deepInclude({ ...unknown }, { _tag: "ActionRefused", reason: "Key" })
        // The key held before is not held any more.
        yield* screen.act(key("x"))
        yield* screen.look
        assert.include(decodeURIComponent(server.requests.at(-1)?.url ?? ""), "keydown,x,,,false,false")
      }).pipe(Effect.provide(services([server.rule])))
    }), 60_000)
})
