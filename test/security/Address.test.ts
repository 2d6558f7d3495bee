import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck, Schema } from "effect"
import { posix } from "node:path"
import * as Address from "../../src/security/Address.ts"
import * as Candidate from "../../src/security/Candidate.ts"

const a1 = Candidate.agent("a1")
const resolve = (key: string, who = a1) => Effect.runSync(Effect.either(Address.resolve(key, who)))

const segment = FastCheck.string({ unit: "binary", minLength: 1, maxLength: 12 })
  .filter((text) => !/[\p{Cc}\\/]/u.test(text) && text.isWellFormed() && text !== "." && text !== "..")
const path = FastCheck.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("/"))
const home = FastCheck.record({
  role: FastCheck.constantFrom<Candidate.Role>("user", "agent", "team"),
  id: FastCheck.string({ unit: "binary", minLength: 1, maxLength: 20 }).filter(Schema.is(Candidate.CandidateId))
})

describe("addresses", () => {
  it("a key is relative to the asker's home", () => {
    const mine = Either.getOrThrow(resolve("reports/today.json"))
    assert.strictEqual(mine.key, "agent:a1/reports/today.json")
    const hers = Either.getOrThrow(resolve("reports/today.json", Candidate.user("a1")))
    assert.notStrictEqual(mine.key, hers.key)
  })

  it("an absolute address names another home", () => {
    const address = Either.getOrThrow(resolve("smythfs://t.1.team/a%20b/c"))
    assert.deepStrictEqual(address, { home: Candidate.team("t.1"), path: "a b/c", key: "team:t.1/a b/c" })
  })

  it.prop("the absolute form reads back, for any home and path", [home, path], ([home, path]) => {
    const uri = Address.toUri({ home, path })
    assert.deepStrictEqual(Either.getOrThrow(resolve(uri)), Address.inHome(home, path))
  })

  it.prop(
    "two addresses share a key only when they are the same",
    [home, path, home, path],
    ([home1, path1, home2, path2]) => {
      const [one, two] = [Address.inHome(home1, path1), Address.inHome(home2, path2)]
      assert.strictEqual(one.key === two.key, Candidate.format(home1) === Candidate.format(home2) && path1 === path2)
    }
  )

  const traps = FastCheck.array(
    FastCheck.constantFrom(
      "..",
      ".",
      "/",
      "\\",
      "%2e",
      "%2F",
      "%5c",
      "%00",
      "a",
      "smythfs://",
      "a1.agent",
      ".team",
      "\u0000",
      "\n",
      ":",
      "%"
    ),
    { maxLength: 12 }
  ).map((parts) => parts.join(""))

  it.prop(
    "nothing that is accepted leaves its home",
    [FastCheck.oneof(traps, FastCheck.string({ unit: "binary" }))],
    ([key]) => {
      for (const tried of [key, `smythfs://t1.team/${key}`]) {
        const resolved = resolve(tried)
        if (Either.isLeft(resolved)) {
          assert.strictEqual(resolved.left._tag, "InvalidKey")
          continue
        }
        const address = resolved.right
        const root = `/homes/${Candidate.format(address.home)}`
        assert.isTrue(posix.join(root, address.path).startsWith(`${root}/`), tried)
        assert.strictEqual(posix.join("/homes", address.key), `/homes/${address.key}`)
        assert.isFalse(/[\p{Cc}\\]/u.test(address.key))
      }
    },
    { fastCheck: { numRuns: 2000 } }
  )

  it("says what is wrong with a key", () => {
    const cases = {
      "": "empty",
      "a//b": "segments",
      "../b": "segments",
      "/etc/passwd": "segments",
      "a/": "segments",
      "a\\b": "backslashes",
      "a\u0000": "control",
      "\ud800": "surrogates",
      "smythfs://a1.agent/..%2Fa2": "segments",
      "smythfs://a1.agent/%": "percent",
      "smythfs://a1.agent": "expected smythfs",
      "smythfs://x.public/a": "expected smythfs",
      "smythfs://a%2Fb.agent/c": "id"
    }
    for (const [key, problem] of Object.entries(cases)) {
      const resolved = resolve(key)
      assert.isTrue(
        Either.isLeft(resolved) && resolved.left.problem.includes(problem),
        `${key}: ${JSON.stringify(resolved)}`
      )
    }
    assert.isTrue(Either.isLeft(resolve("é".repeat(600))))
    assert.isTrue(Either.isRight(resolve("é".repeat(512))))
  })
})
