import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Fiber, Layer } from "effect"
import { APICall } from "../../../src/components/external/APICall.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { EnvVault } from "../../../src/connectors/vault/EnvVault.ts"
import { Teams } from "../../../src/security/Access.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { runComponent, type RunOptions } from "../harness.ts"

type Settings = Readonly<Record<string, unknown>>

interface Options extends Pick<RunOptions, "ports"> {
  readonly secrets?: Readonly<Record<string, string>>
}

/** Runs the component as an agent that may connect to `server` and whose team has `secrets`. */
const call = (
  server: HttpServer.HttpServer,
  settings: Settings,
  inputs: Settings = {},
  { secrets = {}, ...options }: Options = {}
) =>
  runComponent(APICall, { settings, inputs, ...options }).pipe(
    Candidate.as(Candidate.agent("a1")),
    Effect.provide(services(server, secrets))
  )

const failure = (...args: Parameters<typeof call>) => Effect.flip(call(...args))

const services = (server: HttpServer.HttpServer, secrets: Readonly<Record<string, string>>) => {
  const variables = Object.entries(secrets).map(([name, value]): [string, string] => [
    `SRE_SECRET_${name.toUpperCase().replaceAll(" ", "_")}`,
    value
  ])
  return Layer.mergeAll(
    UndiciOutbound.layer({ allow: [server.rule] }),
    EnvVault.layer({ team: "t1" }).pipe(
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(variables)))),
      Layer.provide(Layer.succeed(Teams, () => Effect.succeed(["t1"])))
    ),
    MemoryStorage.layer({})
  ).pipe(Layer.orDie)
}

const echo = HttpServer.make((_, response) => HttpServer.json(response, 200, { ok: true }))

/** Runs the component against a server that answers `{"ok":true}` and gives the request the server received. */
const received = (settings: Settings, inputs: Settings = {}, options: Options = {}) =>
  Effect.gen(function*() {
    const server = yield* echo
    const url = String(settings["url"] ?? "/").replace(/^\//, `${server.url}/`)
    const outputs = yield* call(server, { method: "POST", ...settings, url }, { base: server.url, ...inputs }, options)
    assert.deepStrictEqual(outputs["Response"], { ok: true })
    return server.requests[0]!
  })

const answering = (status: number, contentType: string | undefined, body: string | Uint8Array) =>
  HttpServer.make((_, response) => {
    response.writeHead(status, contentType === undefined ? {} : { "content-type": contentType }).end(body)
  })

/** The outputs for a given answer. */
const reply = (status: number, contentType: string | undefined, body: string | Uint8Array) =>
  Effect.flatMap(answering(status, contentType, body), (server) => call(server, { url: server.url }))

describe("APICall", () => {
  describe("URL", () => {
    const cases: ReadonlyArray<readonly [template: string, inputs: Settings, expected: string]> = [
      ["/a?q={{q}}", { q: "v 1&z=2#x" }, "/a?q=v%201%26z%3D2%23x"],
      ["/a?q={{q}}&r={{r}}", { q: "1+1", r: "ü" }, "/a?q=1%2B1&r=%C3%BC"],
      ["/users/{{id}}/x", { id: "a/b?c" }, "/users/a%2Fb%3Fc/x"],
      ["/a?q=1+2", {}, "/a?q=1%202"],
      ["/c++/a?q=1", {}, "/c++/a?q=1"],
      ["/a?q={{nope}}&r=1", {}, "/a?q=&r=1"],
      ["/a?n={{n}}&f={{f}}", { n: 0, f: false }, "/a?n=0&f=false"],
      ["/a?x=1&x=2&x=3", {}, "/a?x=1&x=2&x=3"],
      ["/a?b#fragment", {}, "/a?b"],
      ["{{base}}/a", {}, "/a"],
      ["{{base}}{{path}}", { path: "/p/q?r=1&s" }, "/p/q?r=1&s"],
      ["{{base}}{{path}}?t={{t}}", { path: "/p", t: "&" }, "/p?t=%26"],
      ["{{base}}/?o={{o}}", { o: { a: [1] } }, "/?o=%7B%22a%22%3A%5B1%5D%7D"]
    ]
    for (const [url, inputs, expected] of cases) {
      it.scopedLive(`${url} with ${JSON.stringify(inputs)} is ${expected}`, () =>
        Effect.map(received({ url }, inputs), (request) => assert.strictEqual(request.url, expected)))
    }

    it.scopedLive("that is one token is taken as it is", () =>
      Effect.gen(function*() {
        const server = yield* echo
        yield* call(server, { url: "{{url}}" }, { url: `${server.url}/a/b?c=d&e=%20f+g` })
        assert.strictEqual(server.requests[0]?.url, "/a/b?c=d&e=%20f+g")
      }))

    it.scopedLive("lets no value choose another host or path", () =>
      Effect.gen(function*() {
        const server = yield* echo
        const host = `127.0.0.1:${server.port}`
        for (const path of ["@evil.example/", ".evil.example", "evil", ":1"]) {
          const error = yield* failure(server, { url: `http://${host}{{path}}/x` }, { path })
          assert.include(error.message, "not an absolute URL")
        }
        for (const id of ["..", "."]) {
          const error = yield* failure(server, { url: `${server.url}/users/{{id}}/x` }, { id })
          assert.include(error.message, "{{id}}")
        }
        assert.lengthOf(server.requests, 0)
      }))

    it.scopedLive("sends user and password as basic authentication, a value in them encoded", () =>
      Effect.gen(function*() {
        const server = yield* echo
        yield* call(server, { url: `http://{{user}}:{{pw}}@127.0.0.1:${server.port}/` }, { user: "me", pw: "p@s/s:w" })
        assert.strictEqual(
          server.requests[0]?.headers.authorization,
          `Basic ${Buffer.from("me:p@s/s:w").toString("base64")}`
        )
      }))

    it.scopedLive("that cannot be read, or is not allowed, fails the component", () =>
      Effect.gen(function*() {
        const server = yield* echo
        assert.include((yield* failure(server, { url: "no url" })).message, "not an absolute URL")
        assert.include((yield* failure(server, { url: "http://10.0.0.1/x" })).message, "not public")
        assert.include((yield* failure(server, { url: "file:///etc/passwd" })).message, "only http and https")
      }))

    it.scopedLive("does not carry a stored file, naming the parameter", () =>
      Effect.gen(function*() {
        const server = yield* echo
        const error = yield* failure(server, { url: `${server.url}/?a=1&doc={{f}}` }, { f: "smythfs://a1.agent/x.txt" })
        assert.include(error.message, `"doc"`)
        assert.lengthOf(server.requests, 0)
      }))
  })

  describe("headers", () => {
    it.scopedLive("are an object or its text, values filled in, names in any case", () =>
      Effect.gen(function*() {
        const inputs = { v: `say "hi"`, n: 5 }
        for (
          const headers of [
            { "X-One": "a {{v}} b", "X-Two": "{{n}}", "X-Three": 3, "X-Four": null },
            `{"X-One": "a {{v}} b", "X-Two": "{{n}}", "X-Three": 3, "X-Four": null}`
          ]
        ) {
          const request = yield* received({ headers }, inputs)
          assert.strictEqual(request.headers["x-one"], `a say "hi" b`)
          assert.strictEqual(request.headers["x-two"], "5")
          assert.strictEqual(request.headers["x-three"], "3")
          assert.isFalse("x-four" in request.headers)
        }
      }))

    it.scopedLive("cannot be split by a value", () =>
      Effect.gen(function*() {
        const server = yield* echo
        const error = yield* failure(server, { url: server.url, headers: { "x-a": "{{v}}" } }, { v: "1\r\nx-b: 2" })
        assert.include(error.message, `"x-a"`)
        assert.lengthOf(server.requests, 0)
      }))

    it.scopedLive("that are no object fail the component", () =>
      Effect.gen(function*() {
        const server = yield* echo
        assert.include((yield* failure(server, { url: server.url, headers: "nonsense" })).message, "headers")
      }))

    it.scopedLive("override the content type", () =>
      Effect.gen(function*() {
        const request = yield* received({
          contentType: "application/json",
          headers: { "Content-Type": "application/vnd.api+json" },
          body: "{}"
        })
        assert.strictEqual(request.headers["content-type"], "application/vnd.api+json")
      }))
  })

  describe("bodies", () => {
    const cases: ReadonlyArray<
      readonly [contentType: string, body: unknown, inputs: Settings, sent: string, mediaType: string]
    > = [
      [
        "application/json",
        `{"s":"{{a}}","o":{{b}},"n":{{nope}}}`,
        { a: `line\n"q" \\`, b: { x: [1] } },
        `{"s":"line\\n\\"q\\" \\\\","o":{"x":[1]},"n":null}`,
        "application/json"
      ],
      [
        "application/json",
        { s: "{{a}}!", o: "{{b}}", n: 1, l: ["{{z}}"] },
        { a: `"`, b: { x: 1 }, z: 0 },
        `{"s":"\\"!","o":{"x":1},"n":1,"l":[0]}`,
        "application/json"
      ],
      [
        "application/json",
        `{"z":{{z}},"f":{{f}},"e":"{{e}}"}`,
        { z: 0, f: false, e: "" },
        `{"z":0,"f":false,"e":""}`,
        "application/json"
      ],
      ["application/json", "{{b}}", { b: [1, { a: "x" }] }, `[1,{"a":"x"}]`, "application/json"],
      ["application/json", "{{b}}", { b: `{"a": 1}` }, `{"a": 1}`, "application/json"],
      ["application/json", `{"id": 12345678901234567890}`, {}, `{"id": 12345678901234567890}`, "application/json"],
      [
        "application/x-www-form-urlencoded",
        `{"p":"{{a}}"}`,
        { a: "v 1&z=2" },
        "p=v+1%26z%3D2",
        "application/x-www-form-urlencoded"
      ],
      [
        "application/x-www-form-urlencoded",
        "p={{a}}&q=1",
        { a: "v 1&z=2" },
        "p=v%201%26z%3D2&q=1",
        "application/x-www-form-urlencoded"
      ],
      [
        "application/x-www-form-urlencoded",
        { p: "{{a}}", l: [1, 2], o: { x: 1 } },
        { a: "&" },
        "p=%26&l=1&l=2&o=%7B%22x%22%3A1%7D",
        "application/x-www-form-urlencoded"
      ],
      ["text/plain", "a {{v}} {{nope}}!", { v: `"1"` }, `a "1" !`, "text/plain"],
      [
        "application/xml",
        "<a b='{{v}}'>{{v}}</a>",
        { v: `<'&">` },
        "<a b='&#60;&#39;&#38;&#34;&#62;'>&#60;&#39;&#38;&#34;&#62;</a>",
        "application/xml"
      ],
      ["none", "a={{v}}", { v: "1" }, "a=1", "application/x-www-form-urlencoded"],
      ["none", { a: "{{v}}" }, { v: 1 }, `{"a":1}`, "application/json"]
    ]
    for (const [contentType, body, inputs, sent, mediaType] of cases) {
      it.scopedLive(`${contentType}: ${JSON.stringify(body)}`, () =>
        Effect.gen(function*() {
          const request = yield* received({ contentType, body }, inputs)
          assert.strictEqual(request.body, sent)
          assert.strictEqual(request.headers["content-type"], mediaType)
        }))
    }

    it.scopedLive("that are empty are not sent", () =>
      Effect.gen(function*() {
        for (const body of [undefined, "", null, "{{nope}}"]) {
          const request = yield* received({ contentType: "application/json", body })
          assert.strictEqual(request.body, "")
          assert.isUndefined(request.headers["content-type"])
        }
      }))

    it.scopedLive("go with every method", () =>
      Effect.gen(function*() {
        for (const method of ["get", "POST", "Put", "PATCH", "DELETE", "OPTIONS"]) {
          const request = yield* received({ method, contentType: "text/plain", body: "b" })
          assert.strictEqual(request.method, method.toUpperCase())
          assert.strictEqual(request.body, "b")
        }
      }))

    it.scopedLive("multipart carry fields and files, empty ones left out", () =>
      Effect.gen(function*() {
        const request = yield* received(
          {
            contentType: "multipart/form-data",
            body: `{"t":"a {{v}}","b":{{flag}},"o":"{{o}}","none":"{{nope}}","f":"{{file}}"}`,
            headers: { "content-type": "multipart/form-data" }
          },
          { v: "1", flag: true, o: { x: 1 }, file: "data:text/csv;base64,YSxi" },
          {
            ports: [{ name: "file", type: "Binary" }]
          }
        )
        assert.match(String(request.headers["content-type"]), /^multipart\/form-data; boundary=/)
        assert.match(request.body, /name="t"\r\n\r\na 1\r\n/)
        assert.match(request.body, /name="b"\r\n\r\ntrue\r\n/)
        assert.match(request.body, /name="o"\r\n\r\n\{"x":1\}\r\n/)
        assert.match(request.body, /name="f"; filename="[^"]+"\r\nContent-Type: text\/csv\r\n\r\na,b\r\n/i)
        assert.notInclude(request.body, "none")
      }))

    it.scopedLive("binary are the bytes of a file under its own type", () =>
      Effect.gen(function*() {
        const request = yield* received(
          { contentType: "binary", body: "{{file}}" },
          { file: `data:image/png;base64,${png.toString("base64")}` }
        )
        assert.isTrue(request.bytes.equals(png))
        assert.strictEqual(request.headers["content-type"], "image/png")
      }))
  })

  describe("secrets", () => {
    it.scopedLive("of the vault go into URL, headers and body, each as its place demands", () =>
      Effect.gen(function*() {
        const request = yield* received(
          {
            url: "/?k={{KEY(api key)}}",
            headers: { authorization: "Bearer {{KEY(api key)}}" },
            contentType: "application/json",
            body: `{"k":"{{KEY(api key)}}"}`
          },
          {},
          { secrets: { "api key": secret } }
        )
        assert.strictEqual(request.url, `/?k=${encodeURIComponent(secret)}`)
        assert.strictEqual(request.headers.authorization, `Bearer ${secret}`)
        assert.deepStrictEqual(JSON.parse(request.body), { k: secret })
      }))

    it.scopedLive("that are missing fail the component before anything is sent", () =>
      Effect.gen(function*() {
        const server = yield* echo
        const error = yield* failure(server, { url: server.url, headers: { a: "{{KEY(nope)}}" } })
        assert.include(error.message, "nope")
        assert.lengthOf(server.requests, 0)
      }))

    it.scopedLive("do not show in failures", () =>
      Effect.gen(function*() {
        const server = yield* answering(500, "text/plain", "no")
        const settings = {
          url: `${server.url}/{{KEY(api key)}}?k={{KEY(api key)}}`,
          headers: { "x-k": "{{KEY(api key)}}" }
        }
        const options = { secrets: { "api key": secret } }
        const failed = yield* failure(server, settings, {}, options)
        const refused = yield* failure(server, { ...settings, url: settings.url.replace(/:\d+/, ":1") }, {}, options)
        for (const error of [failed, refused]) assert.notInclude(JSON.stringify(error), "s3cr3t")
      }))

    it.scopedLive("are not reached by request data that looks like a token", () =>
      Effect.gen(function*() {
        const request = yield* received(
          { contentType: "text/plain", body: "{{v}}" },
          { v: "{{KEY(api key)}}" },
          { secrets: { "api key": secret } }
        )
        assert.notInclude(request.body, "s3cr3t")
      }))
  })

  describe("responses", () => {
    it.scopedLive("are read by their media type", () =>
      Effect.gen(function*() {
        const response = (status: number, type: string | undefined, body: string | Uint8Array) =>
          Effect.map(reply(status, type, body), ({ Response }) => Response)
        assert.deepStrictEqual(yield* response(200, "application/json", `{"a":[1,null]}`), { a: [1, null] })
        assert.deepStrictEqual(yield* response(200, "application/hal+json; charset=utf-8", `[1]`), [1])
        assert.strictEqual(yield* response(200, "application/json", "0"), 0)
        assert.strictEqual(yield* response(200, "application/json", "null"), null)
        assert.deepStrictEqual(yield* response(200, "application/json", ""), {})
        assert.strictEqual(yield* response(200, "text/html", "<p>1</p>"), "<p>1</p>")
        assert.strictEqual(yield* response(200, "application/xml", "<a/>"), "<a/>")
        assert.strictEqual(yield* response(200, "text/plain; charset=iso-8859-1", Buffer.from([0xe9])), "é")
        assert.strictEqual(yield* response(200, undefined, "just text"), "just text")
        assert.strictEqual(yield* response(200, "x/unknown", "just text"), "just text")
        assert.strictEqual(yield* response(204, undefined, ""), "")
      }))

    it.scopedLive("give their headers", () =>
      Effect.map(
        reply(200, "text/plain", "x"),
        ({ Headers }) => assert.strictEqual((Headers as Settings)["content-type"], "text/plain")
      ))

    it.scopedLive("that are bytes become a stored file", () =>
      Effect.gen(function*() {
        for (const type of ["image/png", undefined]) {
          const file = (yield* reply(200, type, png))["Response"] as Settings
          assert.strictEqual(file["size"], png.length)
          assert.match(String(file["url"]), /^smythfs:\/\//)
        }
      }))

    it.scopedLive("of a failing status are the failure, with the parsed body beside it", () =>
      Effect.gen(function*() {
        const server = yield* answering(422, "application/json", `{"why":"no"}`)
        const error = yield* failure(server, { url: server.url })
        assert.strictEqual(error.message, "Request failed with status code 422")
        assert.deepStrictEqual(error.outputs?.["Response"], { why: "no" })
        assert.strictEqual((error.outputs?.["Headers"] as Settings)["content-type"], "application/json")
      }))

    it.scopedLive("that are not the JSON they claim fail, with the text beside the error", () =>
      Effect.gen(function*() {
        const server = yield* answering(200, "application/json", "<html>")
        const error = yield* failure(server, { url: server.url })
        assert.include(error.message, "not JSON")
        assert.strictEqual(error.outputs?.["Response"], "<html>")
      }))

    it.scopedLive("that never come leave nothing behind when the run is stopped", () =>
      Effect.gen(function*() {
        const server = yield* HttpServer.make((_, response) => void response.write("begun"))
        const fiber = yield* Effect.fork(call(server, { url: server.url }))
        yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.length === 1 })
        yield* Fiber.interrupt(fiber)
        yield* Effect.promise(() => server.aborted)
      }))
  })

  it.scopedLive("refuses settings this build cannot honour, naming them", () =>
    Effect.gen(function*() {
      const server = yield* echo
      for (
        const [name, value] of [["proxy", "http://p:1"], ["oauth_con_id", "c1"], ["oauthService", "Google"]] as const
      ) {
        const error = yield* failure(server, { url: server.url, [name]: value })
        assert.include(error.message, name)
        assert.include(error.message, "not supported yet")
      }
      yield* call(server, { url: server.url, proxy: "", oauth_con_id: "None", oauthService: "None" })
      assert.lengthOf(server.requests, 1)
    }))
})

const secret = `s3cr3t"&/ü`.replace("ü", "x")
const png = Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex")
