import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { get, type IncomingMessage } from "node:http"
import { frames, listen, post, send, serving } from "../serving.ts"

const users = { "key-ann": "ann", "key-bob": "bob", "key-stranger": "stranger" }
const by = (name: string) => ({ authorization: `Bearer key-${name}` })
/** Owned by ann; bob may call it. */
const owned = { users, owner: "ann" }

const start = (url: string, endpoint: string, headers: Record<string, string>, more: object = {}) =>
  Effect.map(
    post(`${url}/agents/a1/runs`, { endpoint, ...more }, headers),
    ({ json }) => `${url}/agents/a1/runs/${json.id}`
  )

const resultOf = (run: string, headers: Record<string, string>) => send(`${run}/result`, { headers })

describe("runs in the background", () => {
  it.scopedLive("are accepted, found where the answer says, and have a result", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const input = { text: "x", count: "7" }
      const { headers, json, status } = yield* post(`${url}/agents/a1/runs`, { endpoint: "echo", input }, by("bob"))
      assert.strictEqual(status, 202)
      assert.deepInclude(json, { agent: "a1", what: "POST echo", caller: { role: "user", id: "bob" } })
      assert.strictEqual(headers.get("location"), `/agents/a1/runs/${json.id}`)
      const run = `${url}${headers.get("location")}`
      const result = yield* resultOf(run, by("bob"))
      assert.deepStrictEqual(result.json, { id: "C_echo", name: "Pass", result: { in: { text: "x", count: 7 } } })
      assert.strictEqual(result.headers.get("x-run-id"), json.id)
      assert.deepInclude((yield* send(run, { headers: by("bob") })).json, { id: json.id, status: "answered" })
    }))

  it.scopedLive("a result that is not there yet is waited for as long as asked: then 202 with how far it is", () =>
    Effect.gen(function*() {
      const { begun, release, url } = yield* serving(owned)
      const run = yield* start(url, "slow", by("bob"))
      yield* Deferred.await(begun)
      const early = yield* send(`${run}/result?wait=0`, { headers: by("bob") })
      assert.deepStrictEqual([early.status, early.json.status], [202, "running"])
      const waiting = yield* Effect.fork(resultOf(run, by("bob")))
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual((yield* Fiber.join(waiting)).status, 200)
    }))

  it.scopedLive("a result of which every part failed is a 422, as of a call", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const { json, status } = yield* resultOf(yield* start(url, "fail", by("bob")), by("bob"))
      assert.deepStrictEqual([status, json.result], [422, { _error: "no luck" }])
    }))

  it.scopedLive("are held before the next step, go on, and are stopped with a reason", () =>
    Effect.gen(function*() {
      const { begun, release, url } = yield* serving(owned)
      const run = yield* start(url, "slow", by("bob"))
      yield* Deferred.await(begun)
      assert.strictEqual((yield* post(`${run}/pause`, {}, by("bob"))).json.status, "pausing")
      const events = yield* listen(`${run}/events`, by("bob"))
      yield* Deferred.succeed(release, undefined)
      yield* events.until(/RunPaused|RunEnded/)
      for (const what of ["pause", "resume"]) {
        const { json, status } = yield* post(`${run}/${what}`, { inject: { P: { out: 1 } } }, by("bob"))
        assert.deepStrictEqual([status, json.error], [400, "MalformedRequest"])
        assert.include(json.message, "inject: this endpoint takes nothing from its body")
      }
      yield* send(`${run}/resume`, { method: "POST", headers: by("bob") })
      assert.strictEqual((yield* resultOf(run, by("bob"))).status, 200)

      const other = yield* start(url, "pair", by("ann"), { debug: { hold: true } })
      const stopped = yield* post(`${other}/stop`, { reason: "no longer wanted" }, by("ann"))
      assert.deepStrictEqual([stopped.status, stopped.json.status], [200, "stopped"])
      const { json, status } = yield* resultOf(other, by("ann"))
      assert.deepStrictEqual([status, json.error], [409, "RunStopped"])
      assert.include(json.message, "no longer wanted")
    }))

  it.scopedLive("stopping interrupts what is under way", () =>
    Effect.gen(function*() {
      const { begun, stopped, url } = yield* serving(owned)
      const run = yield* start(url, "slow", by("bob"))
      yield* Deferred.await(begun)
      yield* post(`${run}/stop`, undefined, by("bob"))
      yield* Deferred.await(stopped)
      assert.strictEqual((yield* resultOf(run, by("bob"))).status, 409)
      assert.strictEqual((yield* post(`${run}/pause`, {}, by("bob"))).json.error, "RunNotReady")
    }))

  it.scopedLive("what cannot be asked is refused with what is wrong", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const run = yield* start(url, "echo", by("ann"), { input: { text: "x" } })
      const cases: ReadonlyArray<readonly [path: string, body: unknown, status: number, part: string]> = [
        ["runs", {}, 400, "endpoint"],
        ["runs", { endpoint: "echo", inputs: {} }, 400, "inputs"],
        ["runs", { endpoint: "ecko" }, 404, `Did you mean "echo"`],
        ["runs", { endpoint: "echo" }, 400, "text"],
        ["runs", { endpoint: "echo", input: { text: "x" }, debug: { breakpoints: ["C_nope"] } }, 404, "C_nope"],
        ["components/C_nope/runs", {}, 404, "C_nope"],
        ["fork", { component: "C_nope" }, 404, "C_nope"],
        ["runs/run-0/pause", {}, 404, "run-0"],
        [`${run.slice(run.indexOf("runs/"))}/step`, { how: "back" }, 400, "how"]
      ]
      for (const [path, body, status, part] of cases) {
        const reply = yield* post(`${url}/agents/a1/${path}`, body, by("ann"))
        assert.deepStrictEqual([path, reply.status], [path, status])
        assert.include(reply.json.message, part)
      }
      for (const path of ["events?from=-1", "events?from=a", "result?wait=soon"]) {
        assert.strictEqual((yield* send(`${run}/${path}`, { headers: by("ann") })).status, 400, path)
      }
    }))
})

describe("debugged runs", () => {
  it.scopedLive("go step by step, show their values, and take others in", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const run = yield* start(url, "pair", by("ann"), { input: { text: "x" }, debug: { hold: true } })
      const step = (how?: string) =>
        Effect.map(post(`${run}/step`, how === undefined ? {} : { how }, by("ann")), ({ json }) => json)
      assert.deepStrictEqual((yield* step()).next, ["C_pair"])
      const inspection = yield* send(`${run}/inspection`, { headers: by("ann") })
      assert.deepStrictEqual(inspection.json.values, [{ from: "E_pair.body", to: "C_pair.in", value: { text: "x" } }])
      assert.deepStrictEqual(inspection.json.steps.map(({ key }: { key: string }) => key), ["E_pair"])
      const changed = yield* post(`${run}/debug`, {
        inject: { C_pair: { in: "injected" } },
        breakpoints: ["C_last"]
      }, by("ann"))
      assert.deepStrictEqual(changed.json.breakpoints, ["C_last"])
      assert.deepStrictEqual((yield* step("over")).next, ["C_last"])
      yield* step("continue")
      yield* post(`${run}/resume`, {}, by("ann"))
      assert.deepStrictEqual((yield* resultOf(run, by("ann"))).json.result, { in: "injected" })
    }))

  it.scopedLive("one component alone, and a branch as an agent of its own", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const alone = yield* post(`${url}/agents/a1/components/C_pair/runs`, { inputs: { in: 7 } }, by("ann"))
      assert.deepStrictEqual([alone.status, alone.json.what], [202, "component C_pair"])
      const { json } = yield* resultOf(`${url}${alone.headers.get("location")}`, by("ann"))
      assert.deepStrictEqual(json, { id: "C_pair", name: "Pass", result: { in: 7 } })

      const fork = yield* post(`${url}/agents/a1/fork`, { component: "C_pair" }, by("ann"))
      assert.strictEqual(fork.status, 201)
      const called = yield* post(`${url}${fork.headers.get("location")}/api/C_pair`, { in: 8 }, by("ann"))
      assert.deepStrictEqual(called.json, { id: "C_last", name: "Pass", result: { in: 8 } })
    }))
})

describe("runs of others", () => {
  it.scopedLive("are not seen, held, stopped or debugged, but by owners of the agent", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const run = yield* start(url, "pair", by("ann"), { debug: { hold: true } })
      const gets = ["", "/result", "/events", "/inspection"]
      const posts = ["/pause", "/resume", "/stop", "/step", "/debug"]
      for (const [who, status, error] of [["bob", 403, "AccessDenied"], ["stranger", 404, "AgentNotFound"]] as const) {
        const replies = [
          ...yield* Effect.forEach(gets, (path) => send(run + path, { headers: by(who) })),
          ...yield* Effect.forEach(posts, (path) => post(run + path, {}, by(who)))
        ]
        assert.deepStrictEqual(replies.map((one) => [one.status, one.json.error]), replies.map(() => [status, error]))
      }
      assert.deepStrictEqual((yield* send(`${url}/agents/a1/runs`, { headers: by("bob") })).json, { runs: [] })
      assert.strictEqual((yield* post(`${run}/step`, {}, by("ann"))).json.status, "paused")

      const bobs = yield* start(url, "echo", by("bob"), { input: { text: "x" } })
      const seen = yield* send(`${url}/agents/a1/runs`, { headers: by("ann") })
      assert.strictEqual(seen.json.runs.length, 2)
      assert.strictEqual((yield* resultOf(bobs, by("ann"))).status, 200)
      assert.strictEqual((yield* send(bobs.replace("/a1/", "/a2/"), { headers: by("bob") })).status, 404)
    }))

  it.scopedLive("debugging, components alone, branches and monitors are for owners", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const asked = [
        post(`${url}/agents/a1/runs`, { endpoint: "pair", debug: {} }, by("bob")),
        post(`${url}/agents/a1/components/C_pair/runs`, {}, by("bob")),
        post(`${url}/agents/a1/fork`, { component: "C_pair" }, by("bob")),
        send(`${url}/agents/a1/monitor`, { headers: by("bob") })
      ]
      for (const { json, status } of yield* Effect.all(asked)) {
        assert.deepStrictEqual([status, json.error], [403, "AccessDenied"])
      }
    }))
})

describe("events of a run", () => {
  it.scopedLive("a stream that was cut goes on where it was, without loss or repeat", () =>
    Effect.gen(function*() {
      const { begun, release, url } = yield* serving(owned)
      const run = yield* start(url, "slow", by("bob"))
      yield* Deferred.await(begun)
      const first = yield* Effect.scoped(Effect.gen(function*() {
        const events = yield* listen(`${run}/events`, by("bob"))
        assert.strictEqual(events.response.headers.get("x-run-id"), run.slice(run.lastIndexOf("/") + 1))
        return frames(yield* events.until(/C_slow[^]*\n\n/))
      }))
      yield* Deferred.succeed(release, undefined)
      yield* resultOf(run, by("bob"))
      const last = first.at(-1)!.id
      const again = yield* send(`${run}/events`, { headers: { ...by("bob"), "last-event-id": last } })
      const all = frames((yield* send(`${run}/events`, { headers: by("bob") })).text)
      assert.deepStrictEqual([...first, ...frames(again.text)], all)
      assert.strictEqual(all.at(-1)!.event, "RunEnded")
      const asked = yield* send(`${run}/events?from=${all.length - 2}`, { headers: by("bob") })
      assert.deepStrictEqual(frames(asked.text), all.slice(-2))
    }))

  it.scopedLive("who has had them all is told not to come back", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const run = yield* start(url, "echo", by("bob"), { input: { text: "x" } })
      yield* resultOf(run, by("bob"))
      const { status, text } = yield* send(`${run}/events`, { headers: { ...by("bob"), "last-event-id": "999" } })
      assert.deepStrictEqual([status, text], [204, ""])
    }))

  it.scopedLive("events that are gone are told as one gap, after which a stream goes on as after any other event", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const run = yield* start(url, "talk", by("bob"))
      yield* resultOf(run, by("bob"))
      const events = frames((yield* send(`${run}/events`, { headers: by("bob") })).text)
      const [gap, ...kept] = events
      assert.strictEqual(gap!.event, "Gap")
      assert.strictEqual(Number(gap!.id) + 1, Number(kept[0]!.id))
      assert.strictEqual(gap!.data.event.missed, Number(kept[0]!.id))
      const again = yield* send(`${run}/events`, { headers: { ...by("bob"), "last-event-id": gap!.id } })
      assert.deepStrictEqual(frames(again.text), kept)
    }))

  it.scopedLive("who reads slower than a run talks gets a gap and then the rest; the run does not wait", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const run = yield* start(url, "talk", by("ann"), { debug: { hold: true } })
      const events = yield* listen(`${run}/events`, by("ann"))
      yield* events.until(/RunPaused/)
      yield* post(`${run}/resume`, {}, by("ann"))
      const seen = frames(yield* events.until(/event: RunEnded\n.*\n\n/))
      const gap = seen.findIndex(({ event }) => event === "Gap")
      assert.isAbove(gap, 0)
      const { missed } = seen[gap]!.data.event
      assert.strictEqual(Number(seen[gap - 1]!.id) + missed, Number(seen[gap]!.id))
      const ids = seen.slice(gap).map(({ id }) => Number(id))
      assert.deepStrictEqual(ids, ids.map((_, n) => ids[0]! + n))
    }))

  it.scopedLive("a client that does not read holds up no run: it finds a gap when it reads again", () =>
    Effect.gen(function*() {
      const { url } = yield* serving(owned)
      const run = yield* start(url, "flood", by("ann"), { debug: { hold: true } })
      const response = yield* Effect.acquireRelease(
        Effect.promise(() =>
          new Promise<IncomingMessage>((resolve) => get(`${run}/events`, { headers: by("ann") }, resolve))
        ),
        (response) => Effect.sync(() => response.destroy())
      )
      response.pause()
      yield* post(`${run}/resume`, {}, by("ann"))
      assert.deepStrictEqual((yield* resultOf(run, by("ann"))).json.result, { said: 3000 })
      const chunks = yield* Effect.promise(() => response.toArray())
      const seen = frames(Buffer.concat(chunks).toString("utf8"))
      assert.strictEqual(seen.at(-1)!.event, "RunEnded")
      assert.isAbove(seen.filter(({ event }) => event === "Gap").length, 0)
      let next = 0
      for (const { data, event, id } of seen) {
        next += event === "Gap" ? data.event.missed : 1
        assert.strictEqual(Number(id), next - 1)
      }
    }))

  it.scopedLive("a client that goes away stops nothing", () =>
    Effect.gen(function*() {
      const { begun, release, url } = yield* serving(owned)
      const run = yield* start(url, "slow", by("bob"))
      yield* Deferred.await(begun)
      yield* Effect.scoped(Effect.flatMap(listen(`${run}/events`, by("bob")), ({ until }) => until(/RunStarted/)))
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual((yield* resultOf(run, by("bob"))).status, 200)
    }))
})
