import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { png, received, type Settings } from "../apicall.ts"

describe("APICall bodies", () => {
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
          ports: ["v", "flag", "o", { name: "file", type: "Binary" }]
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
