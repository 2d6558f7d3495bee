import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import * as TemplateString from "../../src/kernel/TemplateString.ts"

const render = (source: string, data: Record<string, unknown>, options?: TemplateString.RenderOptions) =>
  TemplateString.render(TemplateString.parse(source), data, options)

describe("values", () => {
  it("are put in by name, also beside each other", () => {
    assert.strictEqual(render("{{a}}{{b}}-{{a}}", { a: "x", b: "y" }), "xy-x")
  })

  it("of 0, false and empty text count; null and undefined leave the token or nothing", () => {
    const data = { a: 0, b: false, c: "", d: null }
    assert.strictEqual(render("[{{a}}|{{b}}|{{c}}|{{d}}|{{e}}]", data), "[0|false||{{d}}|{{e}}]")
    assert.strictEqual(render("[{{a}}|{{b}}|{{c}}|{{d}}|{{e}}]", data, { missing: "drop" }), "[0|false|||]")
  })

  it("are found by the exact key first, then by a path", () => {
    const data = { "a.b": "exact", a: { b: "path", list: [{ c: 1 }, { c: 2 }], "d e": { f: 3 } }, n: { "x.y": null } }
    assert.strictEqual(render("{{a.b}}", data), "exact")
    assert.strictEqual(render("{{a.list[1].c}}{{a.list.0.c}}{{a.list.length}}", data), "212")
    assert.strictEqual(render("{{a[\"d e\"].f}}{{a['d e'].f}}", data), "33")
    assert.strictEqual(render("{{a.nope.deeper}}", data), "{{a.nope.deeper}}")
  })

  it("that are objects become JSON, dates ISO text", () => {
    assert.strictEqual(render("{{o}} {{d}}", { o: { a: [1] }, d: new Date(0) }), "{\"a\":[1]} 1970-01-01T00:00:00.000Z")
  })

  it("keep their quotes in plain text", () => {
    assert.strictEqual(render("He said {{x}}", { x: "\"hi\"\n" }), "He said \"hi\"\n")
  })

  it("are not looked up with spaces trimmed", () => {
    assert.strictEqual(render("{{ x }}", { x: 1 }), "{{ x }}")
    assert.strictEqual(render("{{ x }}", { " x ": 1 }), "1")
  })

  it("come from own properties only", () => {
    for (
      const name of ["constructor", "constructor.name", "toString", "__proto__", "a.constructor", "a.length.toFixed"]
    ) {
      assert.strictEqual(render(`{{${name}}}`, { a: "text" }), `{{${name}}}`)
    }
  })

  it("are never searched for more tokens", () => {
    assert.strictEqual(
      render("{{a}}", { a: "{{secret}} {{KEY(k)}}", secret: "s" }, { secret: () => "k" }),
      "{{secret}} {{KEY(k)}}"
    )
  })
})

describe("secrets", () => {
  it("are put in where they are given and stay as tokens where not, even when others are dropped", () => {
    const source = "token {{KEY(Github Token)}}{{none}}"
    assert.strictEqual(render(source, {}, { missing: "drop" }), "token {{KEY(Github Token)}}")
    assert.strictEqual(
      render(source, {}, { missing: "drop", secret: (name) => name.toLowerCase() }),
      "token github token"
    )
  })

  it("and tokens are listed, each once", () => {
    const template = TemplateString.parse("{{a}}{{KEY(k)}}{{b.c}}{{KEY(k)}}{{a}}")
    assert.deepStrictEqual(TemplateString.secrets(template), ["k"])
    assert.deepStrictEqual(TemplateString.tokens(template), ["a", "b.c"])
  })
})

describe("in JSON", () => {
  it("text inside a string literal is escaped, an object too", () => {
    const rendered = render("{\"s\":\"{{s}} and {{o}}\",\"k\":\"{{KEY(k)}}\"}", { s: "a \"b\"\n\\", o: { c: "\"" } }, {
      encode: "json",
      secret: () => "\"s\""
    })
    assert.deepStrictEqual(JSON.parse(rendered), { s: "a \"b\"\n\\ and {\"c\":\"\\\"\"}", k: "\"s\"" })
  })

  it("values outside literals are JSON, strings as they stand", () => {
    const data = { o: { a: 1 }, d: new Date(0), n: 5, raw: "[1]" }
    assert.strictEqual(
      render("{\"o\":{{o}},\"d\":{{d}},\"n\":{{n}},\"raw\":{{raw}},\"x\":{{x}}}", data, {
        encode: "json",
        missing: "drop"
      }),
      "{\"o\":{\"a\":1},\"d\":\"1970-01-01T00:00:00.000Z\",\"n\":5,\"raw\":[1],\"x\":}"
    )
  })

  it("an escaped quote does not end a literal", () => {
    assert.deepStrictEqual(
      TemplateString.parse("\"a \\\" {{x}}\" {{y}} \"\\\\\" {{z}}").parts.flatMap((part) =>
        part._tag === "Token" ? [[part.name, part.quoted]] : []
      ),
      [["x", true], ["y", false], ["z", false]]
    )
  })

  it.prop(
    "a quoted token gives the text back, whatever it is",
    [FastCheck.string({ unit: "binary" })],
    ([text]) => JSON.parse(render("{\"a\":\"{{x}}\"}", { x: text }, { encode: "json" })).a === text
  )
})

it.prop("in an address a value is one part of it", [FastCheck.string({ unit: "grapheme" })], ([text]) => {
  const url = new URL(render("http://h/p?q={{x}}&r=1", { x: text }, { encode: "uri" }))
  return url.searchParams.get("q") === text && url.searchParams.get("r") === "1"
})

it("half a character does not make an address fail", () => {
  assert.strictEqual(render("{{x}}", { x: "\ud800" }, { encode: "uri" }), "%EF%BF%BD")
})

it.prop(
  "a source without values is rendered as itself",
  [FastCheck.string()],
  ([text]) => render(text, {}) === text && render(`{{${text}}} {{`, {}) === `{{${text}}} {{`
)

it("a token that names nothing does not show everything", () => {
  for (const name of [".", "..", "[", "[]", " "]) {
    assert.strictEqual(render(`{{${name}}}`, { secret: 1 }), `{{${name}}}`)
  }
})

describe("raw", () => {
  it("gives the value of the first token, or the source", () => {
    const bytes = new Uint8Array([1])
    assert.strictEqual(TemplateString.raw(TemplateString.parse("file: {{f}} {{g}}"), { f: bytes, g: 1 }), bytes)
    assert.strictEqual(TemplateString.raw(TemplateString.parse("{{f}}"), {}), undefined)
    assert.strictEqual(TemplateString.raw(TemplateString.parse("no token"), {}), "no token")
  })
})

it("a template of the settings encodes to its source", () => {
  const template = Schema.decodeSync(TemplateString.FromString)("a {{b}}")
  assert.strictEqual(TemplateString.render(template, { b: 1 }), "a 1")
  assert.strictEqual(Schema.encodeSync(TemplateString.FromString)(template), "a {{b}}")
})

describe("template variables", () => {
  const settings = [{ id: "v1", label: "API key" }, { id: "v2", label: "Mode" }]

  it("become tokens of their id, by label", () => {
    assert.strictEqual(
      TemplateString.resolveTemplateVars(
        "a {{VAULTINPUT:API key:[\"all\",{\"x\":[1]}]}} b {{SELECT:Mode:{\"o\":{\"a\":1}}}} c {{TEXT:Nope:[]}}",
        settings
      ),
      "a {{v1}} b {{v2}} c {{TEXT:Nope:[]}}"
    )
  })

  it("that are never closed take no longer than others, nor do brackets in names", () => {
    for (const open of ["[", "{"]) {
      const source = `{{A:b:${open}`.repeat(500_000)
      assert.strictEqual(TemplateString.resolveTemplateVars(source, settings), source)
      const mixed = `{{A:b:${open}{{TEXT:Mode:[]}}`
      assert.strictEqual(
        TemplateString.resolveTemplateVars(mixed, settings),
        open === "{" ? `{{A:b:{{{v2}}` : mixed
      )
    }
    assert.lengthOf(TemplateString.parse(`{{${"a[".repeat(500_000)}}}`).parts, 1)
  })

  it("leave all other tokens", () => {
    const source = "{{x}} {{KEY(k)}} {\"a\":{\"b\":{{y}}}}"
    assert.strictEqual(TemplateString.resolveTemplateVars(source, settings), source)
  })
})
