import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, FastCheck, Layer, Redacted } from "effect"
import * as Component from "../../../src/components/Component.ts"
import * as Signature from "../../../src/components/trigger/Signature.ts"
import * as Log from "../../../src/subsystems/io/Log.ts"
import { agentDocument } from "../../agents/documents.ts"
import { until } from "../../agents/processes.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import { hmac, keptOf, type Options, owner, post, send, serving } from "./system.ts"

type Settings = Readonly<Record<string, unknown>>

const key = "a secret of both sides"

const document = (id: string, settings: Settings = {}, then = "Keep") =>
  agentDocument(
    {
      T: { name: "WebhookTrigger", data: { triggerEndpoint: "orders", secret: "{{KEY(hook)}}", ...settings } },
      K: { name: then, in: ["v"] }
    },
    ["T.Payload -> K.v"],
    { id }
  )

/** One agent whose trigger is registered. */
const webhook = (id: string, settings: Settings = {}, options: Partial<Options> & { readonly then?: string } = {}) =>
  Effect.gen(function*() {
    const folder = yield* tempFolder
    const { then, ...rest } = options
    const served = yield* serving({
      folder,
      documents: [document(id, settings, then)],
      secrets: { hook: key },
      ...rest
    })
    yield* owner(served.agents.register(id, "orders"))
    const url = `${served.url}/agents/${id}/trigger/orders`
    const deliver = (body: string, headers: Record<string, string> = {}) =>
      post(url, body, { "x-signature-256": hmac(key, body), ...headers })
    return { ...served, url, deliver }
  })

const arrived = (id: string, count = 1) => until(Effect.sync(() => keptOf(id)), (all) => all.length >= count)
const now = () => String(Math.floor(Date.now() / 1000))

describe("WebhookTrigger", () => {
  it.scopedLive("starts a run with the body, as the agent, asked by nobody who is known", () =>
    Effect.gen(function*() {
      const { agents, deliver } = yield* webhook("w1")
      const reply = yield* deliver(`{"id":7,"items":["a"]}`, { "x-event": "order", cookie: "a=b", authorization: "x" })
      assert.deepStrictEqual([reply.status, reply.json], [202, { accepted: 1, duplicates: 0 }])
      const [one] = yield* arrived("w1")
      assert.deepStrictEqual(one?.value, { id: 7, items: ["a"] })
      assert.strictEqual(one?.run.request.headers["x-event"], "order")
      assert.doesNotHaveAnyKeys(one?.run.request.headers, ["cookie", "authorization"])
      const [run] = yield* owner(agents.runs("w1"))
      assert.deepInclude(run, { what: "trigger orders", caller: { role: "public", id: "public" } })
    }))

  it.scopedLive("runs nothing for what is not signed, signed by another, or changed on the way", () =>
    Effect.gen(function*() {
      const { deliver, url } = yield* webhook("w2")
      const cases = [
        yield* post(url, "{}"),
        yield* deliver("{}", { "x-signature-256": "" }),
        yield* deliver("{}", { "x-signature-256": hmac("another secret", "{}") }),
        yield* deliver(`{"a":1}`, { "x-signature-256": hmac(key, `{"a": 1}`) }),
        yield* deliver("{}", { "x-signature-256": hmac(key, "{}").slice(0, 62) }),
        yield* deliver("{}", { "x-signature-256": `${hmac(key, "{}")}00` }),
        yield* deliver("{}", { "x-signature-256": "no hex" })
      ]
      for (const { headers, json, status } of cases) {
        assert.deepStrictEqual([status, json.error], [401, "BadSignature"])
        assert.isString(headers.get("www-authenticate"))
        assert.notInclude(JSON.stringify(json), key)
      }
      assert.deepStrictEqual(keptOf("w2"), [])
    }))

  it.scopedLive("is there from its registration on until it is unregistered, and knows no other names", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const { agents, url } = yield* serving({ folder, documents: [document("w3")], secrets: { hook: key } })
      const at = (path: string, headers = {}) =>
        Effect.map(post(url + path, "{}", { "x-signature-256": hmac(key, "{}"), ...headers }), ({ json, status }) => [
          status,
          json.error
        ])
      const here = "/agents/w3/trigger/orders"
      assert.deepStrictEqual(yield* at(here), [404, "TriggerNotFound"])
      assert.deepStrictEqual(yield* owner(agents.triggers("w3")), [
        { name: "orders", component: "WebhookTrigger", kind: "hook", registered: false }
      ])
      const registration = `${url}/agents/w3/triggers/orders`
      assert.isTrue((yield* send(registration, { method: "PUT" })).json.registered)
      assert.deepStrictEqual(yield* at(here), [202, undefined])
      assert.deepStrictEqual(yield* at("/trigger/orders", { "x-agent-id": "w3" }), [202, undefined])
      assert.deepStrictEqual(yield* at("/v2.0/trigger/orders", { "x-agent-id": "w3" }), [202, undefined])
      assert.deepStrictEqual(yield* at("/trigger/orders"), [400, "MalformedRequest"])
      assert.deepStrictEqual(yield* at("/agents/w3/trigger/other"), [404, "TriggerNotFound"])
      assert.deepStrictEqual(yield* at("/agents/nobody/trigger/orders"), [404, "TriggerNotFound"])
      assert.deepStrictEqual((yield* send(`${url}/agents/w3/triggers`)).json.triggers[0].registered, true)
      assert.isFalse((yield* send(registration, { method: "DELETE" })).json.registered)
      assert.deepStrictEqual(yield* at(here), [404, "TriggerNotFound"])
      const other = yield* send(`${url}/agents/w3/triggers/other`, { method: "PUT" })
      assert.deepStrictEqual([other.status, other.json.error], [404, "TriggerNotFound"])
      assert.lengthOf(yield* arrived("w3", 3), 3)
    }))

  it.scopedLive("asks senders for no credentials, and those who register it for theirs", () =>
    Effect.gen(function*() {
      const { deliver, url } = yield* webhook("w14", {}, { auth: "account" })
      assert.strictEqual((yield* deliver("{}")).status, 202)
      assert.strictEqual((yield* deliver("{}", { "x-signature-256": "00" })).json.error, "BadSignature")
      const registration = url.replace("/trigger/", "/triggers/")
      for (const method of ["PUT", "DELETE"]) {
        const { json, status } = yield* send(registration, { method })
        assert.deepStrictEqual([status, json.error], [401, "Unauthenticated"])
      }
      assert.strictEqual((yield* send(url.replace("/trigger/orders", "/triggers"))).status, 401)
      assert.strictEqual((yield* deliver("{}")).status, 202)
    }))

  it.scopedLive("stays registered over a restart, and is another's after a change of its kind", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const start = (documents: ReadonlyArray<unknown>) => serving({ folder, documents, secrets: { hook: key } })
      yield* Effect.scoped(
        Effect.flatMap(start([document("w4")]), ({ agents }) => owner(agents.register("w4", "orders")))
      )
      const status = Effect.scoped(
        Effect.flatMap(
          start([document("w4")]),
          ({ url }) => post(`${url}/agents/w4/trigger/orders`, "{}", { "x-signature-256": hmac(key, "{}") })
        )
      )
      assert.strictEqual((yield* status).status, 202)
      const changed = agentDocument({ T: { name: "WhatsAppTrigger", data: { triggerEndpoint: "orders" } } }, [], {
        id: "w4"
      })
      const { url } = yield* start([changed])
      assert.strictEqual((yield* post(`${url}/agents/w4/trigger/orders`, "{}")).json.error, "TriggerNotFound")
    }))

  it.scopedLive("takes what is sent in its own time only, and each of it once", () =>
    Effect.gen(function*() {
      const { url } = yield* webhook("w5", {
        timestampHeader: "X-Time",
        signatureHeader: "X-Sig",
        signaturePrefix: "v1="
      })
      const at = (time: string, body: string, more = "") =>
        Effect.map(
          post(url, body, { "x-time": time, "x-sig": `v1=${hmac(key, `${time}.${body}`)}${more}` }),
          ({ json, status }) => [status, json.error ?? json.accepted]
        )
      const time = now()
      assert.deepStrictEqual(yield* at(time, "{}"), [202, 1])
      assert.deepStrictEqual(yield* at(time, "{}"), [202, 0])
      assert.deepStrictEqual(yield* at(time, "{}", " v1=00"), [202, 0])
      assert.deepStrictEqual(yield* at(time, `{"a":1}`), [202, 1])
      for (const wrong of [String(Number(time) - 301), String(Number(time) + 302), "soon", ""]) {
        assert.deepStrictEqual(yield* at(wrong, "{}"), [401, "BadSignature"])
      }
      // Signed without the time: it could be of any day.
      const old = yield* post(url, "{}", { "x-time": time, "x-sig": `v1=${hmac(key, "{}")}` })
      assert.strictEqual(old.status, 401)
      assert.lengthOf(keptOf("w5"), 2)
    }))

  it.scopedLive("takes what is as old as its tolerance", () =>
    Effect.gen(function*() {
      const { url } = yield* webhook("w5b", { timestampHeader: "X-Time", signatureHeader: "X-Sig", tolerance: "3600" })
      const at = (seconds: number) => {
        const time = String(Number(now()) - seconds)
        return Effect.map(
          post(url, "{}", { "x-time": time, "x-sig": hmac(key, `${time}.{}`) }),
          ({ status }) => status
        )
      }
      assert.deepStrictEqual([yield* at(3500), yield* at(3700)], [202, 401])
    }))

  it.scopedLive("knows an event by its id, in the ways others sign", () =>
    Effect.gen(function*() {
      const { url } = yield* webhook("w6", {
        signatureHeader: "webhook-signature",
        signaturePrefix: "v1,",
        encoding: "base64",
        timestampHeader: "webhook-timestamp",
        idHeader: "webhook-id",
        signed: "{id}.{timestamp}.{body}"
      })
      const of = (id: string, time: string) =>
        Effect.map(
          post(url, "{}", {
            "webhook-id": id,
            "webhook-timestamp": time,
            "webhook-signature": `v1,${hmac("old key", "{}", "base64")} v1,${hmac(key, `${id}.${time}.{}`, "base64")}`
          }),
          ({ json, status }) => [status, json.error ?? json.accepted]
        )
      const time = now()
      assert.deepStrictEqual(yield* of("e1", time), [202, 1])
      // Sent again later, as senders do who did not get the answer.
      assert.deepStrictEqual(yield* of("e1", String(Number(time) + 1)), [202, 0])
      assert.deepStrictEqual(yield* of("e2", time), [202, 1])
      assert.deepStrictEqual(yield* of("", time), [400, "BadPayload"])
    }))

  it.scopedLive("of many who send the same at once, one starts a run", () =>
    Effect.gen(function*() {
      const { deliver } = yield* webhook("w7", { idHeader: "X-Id" })
      const replies = yield* Effect.all(Array.from({ length: 20 }, () => deliver("{}", { "x-id": "same" })), {
        concurrency: "unbounded"
      })
      assert.strictEqual(replies.reduce((sum, { json }) => sum + json.accepted, 0), 1)
      assert.lengthOf(keptOf("w7"), 1)
    }))

  it.scopedLive("answers with the run's answer where it is to, and tells failures", () =>
    Effect.gen(function*() {
      const { deliver } = yield* webhook("w8", { respond: "answer" })
      const reply = yield* deliver(`{"a":1}`)
      assert.deepStrictEqual([reply.status, reply.json.result.out], [200, { a: 1 }])
      const failing = yield* webhook("w8b", { respond: "answer" }, { then: "Fail" })
      const failed = yield* failing.deliver("{}")
      assert.deepStrictEqual([failed.status, failed.json.result._error], [422, "no luck"])
    }))

  it.scopedLive("a run that fails after the answer is in the log", () =>
    Effect.gen(function*() {
      const records: Array<Log.LogRecord> = []
      const log = Layer.provide(
        Log.layer,
        Layer.succeed(Log.LogConnector, { write: (some) => Effect.sync(() => void records.push(...some)) })
      )
      const { agents, deliver } = yield* webhook("w9", {}, { then: "Fail", log })
      assert.strictEqual((yield* deliver("{}")).status, 202)
      const [record] = yield* until(
        Effect.sync(() => records.filter(({ message }) => message.startsWith("trigger orders"))),
        (all) => all.length > 0
      )
      assert.deepInclude(record, { level: "warning", message: "trigger orders of w9 failed", agentId: "w9" })
      assert.include(record?.error, "no luck")
      assert.strictEqual((yield* owner(agents.runs("w9")))[0]?.status, "failed")
    }))

  it.scopedLive("reads forms and text, and refuses what is no JSON, too large, or no POST", () =>
    Effect.gen(function*() {
      const { deliver, url } = yield* webhook("w10", {}, { maxBodyBytes: 100 })
      yield* deliver("a=1&b=x%20y", { "content-type": "application/x-www-form-urlencoded" })
      yield* deliver("hi", { "content-type": "text/plain" })
      yield* deliver("")
      assert.deepStrictEqual((yield* arrived("w10", 3)).map(({ value }) => value), [{ a: "1", b: "x y" }, "hi", {}])
      const refused = [yield* deliver("{"), yield* deliver(`"${"x".repeat(100)}"`), yield* send(url)]
      assert.deepStrictEqual(refused.map(({ json, status }) => [status, json.error]), [
        [400, "BadPayload"],
        [413, "BodyTooLarge"],
        [400, "BadPayload"]
      ])
    }))

  it.scopedLive("what is wrong with its secret is told to the operator alone", () =>
    Effect.gen(function*() {
      const { deliver } = yield* webhook("w11", { secret: "{{KEY(nowhere)}}" })
      const { headers, json, status } = yield* deliver("{}")
      assert.deepStrictEqual([status, json.error], [503, "Unavailable"])
      assert.isString(headers.get("retry-after"))
      assert.notInclude(JSON.stringify(json), "nowhere")
    }))

  it.scopedLive("a secret in the document is refused, and not repeated", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const error = yield* Effect.flip(serving({ folder, documents: [document("w12", { secret: "hunter2" })] }))
      assert.include(String(error), "{{KEY(name)}}")
      assert.notInclude(String(error), "hunter2")
    }))

  it.scopedLive("who sends when there is no place is told so, and may send again", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const Slow = Component.make("Slow", {
        description: "Waits.",
        category: "data",
        openInputs: true,
        run: () => Effect.as(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(release)), {})
      })
      const { agents, deliver } = yield* webhook("w13", { idHeader: "X-Id" }, {
        then: "Slow",
        components: [Slow],
        agents: { maxRunsPerCandidate: 1, maxQueued: 0 }
      })
      assert.strictEqual((yield* deliver("{}", { "x-id": "1" })).status, 202)
      yield* Deferred.await(begun)
      const refused = yield* deliver("{}", { "x-id": "2" })
      assert.deepStrictEqual([refused.status, refused.json.error], [429, "Overloaded"])
      yield* Deferred.succeed(release, undefined)
      yield* until(owner(agents.counts), ({ running }) => running === 0)
      assert.deepStrictEqual((yield* deliver("{}", { "x-id": "2" })).json, { accepted: 1, duplicates: 0 })
    }))
})

describe("signatures", () => {
  it("are accepted when they are of these bytes and this secret, whatever else is given", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.uint8Array(),
      FastCheck.string({ minLength: 1 }),
      FastCheck.array(FastCheck.string()),
      FastCheck.constantFrom("hex" as const, "base64" as const),
      (body, key, others, encoding) => {
        const given = [...others, hmac(key, body, encoding)]
        assert.isDefined(Signature.verify(Redacted.make(key), [body], given, encoding))
        assert.isUndefined(Signature.verify(Redacted.make(`${key}x`), [body], given, encoding))
        assert.isUndefined(Signature.verify(Redacted.make(key), [body, "x"], given, encoding))
      }
    ))
  })

  it("tokens are the same when all of their characters are", () => {
    assert.isTrue(Signature.isSameText(Redacted.make("token"), "token"))
    for (const other of ["", "toke", "token ", "Token"]) {
      assert.isFalse(Signature.isSameText(Redacted.make("token"), other))
    }
  })
})
