import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Option } from "effect"
import * as Cli from "../../../src/subsystems/io/Cli.ts"

const flags = (line: string) => Object.fromEntries(Cli.parse(line.split(" ").filter((word) => word !== "")))

describe("Cli", () => {
  it("a bare flag is true, one value a text, pairs a record, several values a list", () => {
    assert.deepStrictEqual(flags("--bare --agent a.smyth --settings k=v k2=v2 --files x y"), {
      bare: true,
      agent: "a.smyth",
      settings: { k: "v", k2: "v2" },
      files: ["x", "y"]
    })
  })

  it("a value may follow an equals sign, be empty, or hold one itself", () => {
    assert.deepStrictEqual(flags("--agent=a=b.smyth --url http://h/?a=b --empty="), {
      agent: { a: "b.smyth" },
      url: "http://h/?a=b",
      empty: ""
    })
  })

  it("words before the first flag are no values, and the last of a repeated flag counts", () => {
    assert.deepStrictEqual(flags("serve folder --port 1 --port 2"), { port: "2" })
  })

  it("no flag reaches a prototype", () => {
    const parsed = Cli.parse(["--__proto__", "polluted=1", "--pairs", "__proto__=x"])
    assert.deepStrictEqual(parsed.get("__proto__"), { polluted: "1" })
    assert.isUndefined(({} as Record<string, unknown>)["polluted"])
    assert.isTrue(Object.hasOwn(parsed.get("pairs") as object, "__proto__"))
  })

  it.prop("every flag of the line is there, and texts come back as they went in", [
    FastCheck.dictionary(FastCheck.stringMatching(/^[a-z][a-z-]{0,8}$/), FastCheck.stringMatching(/^[^=-][^=]*$/s))
  ], ([expected]) => {
    const argv = Object.entries(expected).flatMap(([name, value]) => [`--${name}`, value])
    assert.deepStrictEqual(Object.fromEntries(Cli.parse(argv)), { ...expected })
  })

  it.effect("the service answers by name", () =>
    Effect.gen(function*() {
      const cli = yield* Cli.Cli
      assert.deepStrictEqual(cli.get("agent"), Option.some("a.smyth"))
      assert.deepStrictEqual(cli.get("other"), Option.none())
    }).pipe(Effect.provide(Cli.layer(["--agent", "a.smyth"]))))
})
