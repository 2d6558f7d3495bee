import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Exit, Layer, Schema, Scope } from "effect"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Computer from "../../../src/subsystems/compute/Computer.ts"
import type { Action } from "../../../src/subsystems/compute/ComputerAction.ts"

const as = Candidate.as(Candidate.agent("a1"))
const display = { width: 800, height: 600 }

/** Screens without anything on them: what the service decides is handed out by the connector. */
const make = Effect.gen(function*() {
  const judges: Array<Computer.Judge> = []
  const acted: Array<Action> = []
  const connector = Layer.succeed(Computer.ComputerConnector, {
    sessions: 4,
    open: (_, judge) =>
      Effect.sync((): Computer.Screen => {
        judges.push(judge)
        return {
          act: (action) => Effect.sync(() => void acted.push(action)),
          look: Effect.succeed({ url: "about:blank", png: new Uint8Array(), missing: [] })
        }
      })
  })
  const context = yield* Layer.build(
    Layer.merge(Layer.provide(Computer.layer, connector), UndiciOutbound.layer({}))
  )
  const open = (origins: ReadonlyArray<string>, judge?: Computer.Judge) =>
    Effect.provide(
      Effect.flatMap(Computer.Computer, (computer) => computer.open({ display, origins, judge })),
      context
    )
  return { acted, judges, open }
})

const visit = (url: string, method = "GET") => ({ method, url: new URL(url), isPage: true, from: undefined })

describe("Computer", () => {
  it.scoped("lets pages ask allowed origins alone", () =>
    Effect.gen(function*() {
      const { judges, open } = yield* make
      yield* as(open(["https://a.example", "https://*.b.example", "http://127.0.0.1:8080/"]))
      const allowed = (url: string) => Effect.map(Effect.either(judges[0]!(visit(url))), Either.isRight)
      const yes = [
        "https://a.example/x?y",
        "https://A.example:443/",
        "https://one.b.example/",
        "https://two.one.b.example/",
        "http://127.0.0.1:8080/z"
      ]
      const no = [
        "http://a.example/",
        "https://a.example:444/",
        "https://a.example.evil.example/",
        "https://evil.example/?https://a.example",
        "https://a.example@evil.example/",
        "https://b.example/",
        "https://evilb.example/",
        "http://one.b.example/",
        "http://127.0.0.1:8081/",
        "file:///etc/passwd",
        "data:text/html,x",
        "ftp://a.example/"
      ]
      for (const url of yes) assert.isTrue(yield* allowed(url), url)
      for (const url of no) assert.isFalse(yield* allowed(url), url)
    }))

  it("knows what an origin is", () => {
    const isOrigin = Schema.is(Computer.Origin)
    const yes = ["https://a.example", "http://a.example:81/", " https://*.a.example ", "https://[::1]:8080"]
    const no = [
      "a.example",
      "https://a.example/x",
      "https://*",
      "https://a.*",
      "*",
      "ftp://a.example",
      "https://u@a.example"
    ]
    for (const text of yes) assert.isTrue(isOrigin(text), text)
    for (const text of [...no, "https://a.example?x", "https://a.example#x", ""]) assert.isFalse(isOrigin(text), text)
  })

  it.scoped("asks the caller's rules about allowed origins only", () =>
    Effect.gen(function*() {
      const { judges, open } = yield* make
      const seen: Array<string> = []
      yield* as(open(["https://a.example"], ({ method, url }) => {
        seen.push(`${method} ${url.pathname}`)
        return method === "POST" ? Effect.fail("no data") : Effect.void
      }))
      const [judge] = judges
      yield* judge!(visit("https://a.example/1"))
      assert.strictEqual(yield* Effect.flip(judge!(visit("https://a.example/2", "POST"))), "no data")
      assert.include(
        yield* Effect.flip(judge!(visit("https://b.example/3", "POST"))),
        "https://b.example is not an allowed"
      )
      assert.deepStrictEqual(seen, ["GET /1", "POST /2"])
    }))

  it.scoped("does nothing beside the screen, and opens no other origin", () =>
    Effect.gen(function*() {
      const { acted, open } = yield* make
      const screen = yield* as(open(["https://a.example"]))
      const reasonOf = (action: Action) =>
        Effect.map(Effect.flip(screen.act(action)), (error) => "reason" in error && error.reason)
      const at = (x: number, y: number): Action => ({ type: "move", at: { x, y }, held: [] })
      assert.strictEqual(yield* reasonOf(at(800, 0)), "OffScreen")
      assert.strictEqual(yield* reasonOf(at(0, 600)), "OffScreen")
      const path = [{ x: 1, y: 1 }, { x: 1000, y: 1 }]
      assert.strictEqual(yield* reasonOf({ type: "drag", path, held: [] }), "OffScreen")
      for (const url of ["https://b.example/", "file:///etc/passwd", "javascript:1", "nothing", ""]) {
        assert.strictEqual(yield* reasonOf({ type: "navigate", url }), "Origin")
      }
      yield* screen.act(at(799, 599))
      yield* screen.act({ type: "navigate", url: "https://a.example/x" })
      assert.lengthOf(acted, 2)
    }))

  it.scoped("has so many screens for each who says who it is, and leaves some to others", () =>
    Effect.gen(function*() {
      const { open } = yield* make
      assert.strictEqual((yield* Effect.flip(open([])))._tag, "NoCandidate")
      const first = yield* Scope.make()
      yield* as(Scope.extend(open([]), first))
      yield* as(open([]))
      const full = yield* Effect.flip(as(open([])))
      assert.deepInclude({ ...full }, { _tag: "NoScreenFree", sessions: 2 })
      const other = Candidate.as(Candidate.agent("a2"))
      yield* other(open([]))
      yield* other(open([]))
      const none = yield* Effect.flip(Candidate.as(open([]), Candidate.agent("a3")))
      assert.deepInclude({ ...none }, { _tag: "NoScreenFree", sessions: 4 })
      yield* Scope.close(first, Exit.void)
      yield* as(open([]))
    }))
})
