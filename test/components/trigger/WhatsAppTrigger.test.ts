import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import { agentDocument } from "../../agents/documents.ts"
import { until } from "../../agents/processes.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import { hmac, keptOf, type Options, owner, post, send, serving } from "./system.ts"

type Settings = Readonly<Record<string, unknown>>

const appSecret = "the secret of the app"
const verifyToken = "a token we made up"

const document = (id: string, settings: Settings = {}) =>
  agentDocument(
    {
      T: {
        name: "WhatsAppTrigger",
        data: {
          triggerEndpoint: "chat",
          verifyToken: "{{KEY(wa token)}}",
          clientSecret: "{{KEY(wa secret)}}",
          clientId: "12345",
          ...settings
        }
      },
      K: { name: "Keep", in: ["v"] }
    },
    ["T.Payload -> K.v"],
    { id }
  )

const secrets = { "wa token": verifyToken, "wa secret": appSecret }

const whatsApp = (id: string, settings: Settings = {}, options: Partial<Options> = {}) =>
  Effect.gen(function*() {
    const folder = yield* tempFolder
    const served = yield* serving({ folder, documents: [document(id, settings)], secrets, ...options })
    yield* owner(served.agents.register(id, "chat"))
    const url = `${served.url}/agents/${id}/trigger/chat`
    const deliver = (body: unknown, key = appSecret) => {
      const text = JSON.stringify(body)
      return post(url, text, { "x-hub-signature-256": `sha256=${hmac(key, text)}` })
    }
    return { ...served, url, deliver }
  })

const arrived = (id: string, count: number) => until(Effect.sync(() => keptOf(id)), (all) => all.length >= count)

/** As Meta sends it: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples */
const notification = (...values: ReadonlyArray<object>) => ({
  object: "whatsapp_business_account",
  entry: values.map((value) => ({
    id: "102290129340398",
    changes: [{
      field: "messages",
      value: {
        messaging_product: "whatsapp",
        metadata: { display_phone_number: "15550783881", phone_number_id: "106540352242922" },
        ...value
      }
    }]
  }))
})

const contacts = [{ profile: { name: "Sheena Nelson" }, wa_id: "16505551234" }]
const message = (id: string, rest: object) => ({ from: "16505551234", id, timestamp: "1749416383", ...rest })
const words = (id: string, body: string) => message(id, { type: "text", text: { body } })

describe("WhatsAppTrigger", () => {
  it.scopedLive("proves to Meta that it is the right address", () =>
    Effect.gen(function*() {
      const { url } = yield* whatsApp("wa1")
      const ask = (query: Record<string, string>) => send(`${url}?${new URLSearchParams(query)}`)
      const right = { "hub.mode": "subscribe", "hub.verify_token": verifyToken, "hub.challenge": "1158201444" }
      const reply = yield* ask(right)
      assert.deepStrictEqual([reply.status, reply.text], [200, "1158201444"])
      assert.include(reply.headers.get("content-type"), "text/plain")
      for (
        const wrong of [{ ...right, "hub.verify_token": "guessed" }, { ...right, "hub.mode": "unsubscribe" }, {}]
      ) {
        const { json, status } = yield* ask(wrong as Record<string, string>)
        assert.deepStrictEqual([status, json.error], [403, "BadVerification"])
        assert.notInclude(JSON.stringify(json), verifyToken)
      }
      assert.deepStrictEqual(keptOf("wa1"), [])
    }))

  it.scopedLive("starts a run for every message, and tells who wrote it", () =>
    Effect.gen(function*() {
      const { deliver } = yield* whatsApp("wa2")
      const reply = yield* deliver(notification(
        { contacts, messages: [words("wamid.1", "Does it come in another color?"), words("wamid.2", "And size?")] },
        {
          contacts,
          messages: [message("wamid.3", { type: "image", image: { id: "2754859441498128", mime_type: "image/jpeg" } })]
        }
      ))
      assert.strictEqual(reply.status, 200)
      const all = yield* arrived("wa2", 3)
      assert.strictEqual(new Set(all.map(({ run }) => run.id)).size, 3)
      const payloads = all.map(({ value }) => (value as { readonly message: Record<string, unknown> }).message)
      assert.deepStrictEqual(payloads[0], {
        id: "wamid.1",
        from: "16505551234",
        profileName: "Sheena Nelson",
        text: "Does it come in another color?",
        type: "text",
        timestamp: "2025-06-08T20:59:43.000Z",
        phoneNumberId: "106540352242922"
      })
      assert.sameMembers(payloads.map(({ text }) => text), ["Does it come in another color?", "And size?", ""])
      assert.deepInclude(payloads.find(({ type }) => type === "image"), {
        image: { id: "2754859441498128", mime_type: "image/jpeg" }
      })
    }))

  it.scopedLive("takes the words of buttons and lists", () =>
    Effect.gen(function*() {
      const { deliver } = yield* whatsApp("wa3")
      yield* deliver(notification({
        contacts,
        messages: [
          message("b1", { type: "button", button: { payload: "YES", text: "Yes" } }),
          message("b2", {
            type: "interactive",
            interactive: { type: "list_reply", list_reply: { id: "1", title: "Express" } }
          }),
          message("b3", {
            type: "interactive",
            interactive: { type: "button_reply", button_reply: { id: "2", title: "Cancel" } }
          })
        ]
      }))
      const all = yield* arrived("wa3", 3)
      assert.sameMembers(all.map(({ value }) => (value as { message: { text: string } }).message.text), [
        "Yes",
        "Express",
        "Cancel"
      ])
    }))

  it.scopedLive("takes a message once, however often Meta sends it", () =>
    Effect.gen(function*() {
      const { deliver } = yield* whatsApp("wa4")
      yield* deliver(notification({ contacts, messages: [words("once", "hi")] }))
      const reply = yield* deliver(notification({ contacts, messages: [words("once", "hi"), words("other", "there")] }))
      assert.strictEqual(reply.status, 200)
      assert.lengthOf(yield* arrived("wa4", 2), 2)
    }))

  it.scopedLive("runs nothing for what Meta did not sign", () =>
    Effect.gen(function*() {
      const { deliver, url } = yield* whatsApp("wa5")
      const body = notification({ contacts, messages: [words("x", "hi")] })
      const text = JSON.stringify(body)
      const cases = [
        yield* post(url, text),
        yield* deliver(body, "another app"),
        yield* post(url, text, { "x-hub-signature-256": hmac(appSecret, text) }),
        yield* post(url, `${text} `, { "x-hub-signature-256": `sha256=${hmac(appSecret, text)}` })
      ]
      assert.deepStrictEqual(
        cases.map(({ json, status }) => [status, json.error]),
        cases.map(() => [401, "BadSignature"])
      )
      assert.deepStrictEqual(keptOf("wa5"), [])
    }))

  it.scopedLive("leaves statuses out, unless it is to tell them, each step of a message once", () =>
    Effect.gen(function*() {
      const status = (status: string) => ({
        id: "wamid.sent",
        status,
        timestamp: "1750263773",
        recipient_id: "16505551234",
        pricing: { billable: true }
      })
      const quiet = yield* whatsApp("wa6")
      assert.strictEqual((yield* quiet.deliver(notification({ statuses: [status("sent")] }))).status, 200)
      assert.deepStrictEqual(yield* owner(quiet.agents.runs("wa6")), [])
      const telling = yield* whatsApp("wa7", { statuses: true })
      yield* telling.deliver(notification({ statuses: [status("sent"), status("delivered"), status("sent")] }))
      const all = yield* arrived("wa7", 2)
      assert.deepStrictEqual(all[0]?.value, {
        status: {
          ...status("sent"),
          recipient: "16505551234",
          timestamp: "2025-06-18T16:22:53.000Z",
          phoneNumberId: "106540352242922"
        }
      })
      assert.lengthOf(all, 2)
    }))

  it.scopedLive("reads whatever shape comes, and what is no JSON not at all", () =>
    Effect.gen(function*() {
      const { deliver, url } = yield* whatsApp("wa8")
      const odd = [null, 1, [], {}, { entry: 1 }, {
        entry: [null, { changes: [{}, { value: { messages: [1, {}] } }] }]
      }]
      for (const body of odd) assert.strictEqual((yield* deliver(body)).status, 200)
      const reply = yield* post(url, "{", { "x-hub-signature-256": `sha256=${hmac(appSecret, "{")}` })
      assert.deepStrictEqual([reply.status, reply.json.error], [400, "BadPayload"])
      assert.deepStrictEqual(keptOf("wa8"), [])
    }))

  it.scopedLive("understands the settings of older documents", () =>
    Effect.gen(function*() {
      const { deliver, url } = yield* whatsApp("wa9", {
        verifyToken: "",
        clientSecret: null,
        verify_token: "old token",
        appSecret: "old secret"
      })
      const query = new URLSearchParams({
        "hub.mode": "subscribe",
        "hub.verify_token": "old token",
        "hub.challenge": "7"
      })
      assert.strictEqual((yield* send(`${url}?${query}`)).text, "7")
      yield* deliver(notification({ contacts, messages: [words("o", "hi")] }), "old secret")
      assert.lengthOf(yield* arrived("wa9", 1), 1)
    }))

  it.scopedLive("subscribes to the messages of the app, after it can answer, and takes it back", () =>
    Effect.gen(function*() {
      let status = 200
      const graph = yield* HttpServer.make(({ body, method }, response) => {
        const fields = new URLSearchParams(body)
        const proof = new URLSearchParams({
          "hub.mode": "subscribe",
          "hub.verify_token": fields.get("verify_token") ?? "",
          "hub.challenge": "prove it"
        })
        if (status !== 200 || method !== "POST") {
          return HttpServer.json(
            response,
            status,
            status === 200 ? { success: true } : { error: { message: "Bad app" } }
          )
        }
        // As Meta does: the address is asked before the subscription is granted.
        void fetch(`${fields.get("callback_url")}?${proof}`).then((answer) => answer.text()).then((text) =>
          HttpServer.json(response, text === "prove it" ? 200 : 400, { success: text === "prove it" })
        )
      })
      const folder = yield* tempFolder
      const { agents, url } = yield* serving({
        folder,
        documents: [],
        secrets,
        allow: [graph.rule]
      })
      const load = (id: string, more = {}) =>
        owner(Effect.flatMap(
          AgentDefinition.fromUnknown(document(id, {
            webhookUrl: `${url}/agents/${id}/trigger/chat?key=1`,
            graphUrl: `${graph.url}/v19.0`,
            ...more
          })),
          agents.load
        ))
      yield* load("wa10")
      yield* owner(agents.register("wa10", "chat"))
      const [made] = graph.requests
      assert.deepStrictEqual([made?.method, made?.url], ["POST", "/v19.0/12345/subscriptions"])
      assert.deepStrictEqual(Object.fromEntries(new URLSearchParams(made?.body)), {
        object: "whatsapp_business_account",
        callback_url: `${url}/agents/wa10/trigger/chat`,
        fields: "messages,message_template_status_update",
        verify_token: verifyToken,
        access_token: `12345|${appSecret}`
      })
      yield* owner(agents.unregister("wa10", "chat"))
      assert.deepStrictEqual(graph.requests.map(({ method }) => method), ["POST", "DELETE"])

      status = 400
      const error = yield* Effect.flip(owner(agents.register("wa10", "chat")))
      assert.strictEqual(error._tag, "TriggerFailed")
      assert.include(error.message, "Bad app")
      assert.isFalse((yield* owner(agents.triggers("wa10")))[0]?.registered)

      status = 200
      yield* load("wa10", { clientId: null, appId: "678" })
      yield* owner(agents.register("wa10", "chat"))
      assert.strictEqual(graph.requests.at(-1)?.url, "/v19.0/678/subscriptions")
    }))
})
