import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck, Schema } from "effect"
import * as Acl from "../../src/security/Acl.ts"
import * as Candidate from "../../src/security/Candidate.ts"

const decode = Schema.decodeSync(Acl.FromText)
const encode = Schema.encodeSync(Acl.FromText)

const agent1 = Candidate.agent("agent1")
const team1 = Candidate.team("team1")

describe("the text form", () => {
  const text = "h:xxh3|a:fcf1a5605d79016e/o|t:f623df4e20112b07/rw|p:61214ecf31784e87/r"

  it("writes ids as digests", () => {
    const hashed: Acl.Acl = { hash: "xxh3", grants: [] }
    const list = Acl.grant(
      Acl.grant(Acl.grant(hashed, agent1, ["owner"]), team1, ["read", "write"]),
      Candidate.anyone,
      ["read"]
    )
    assert.strictEqual(encode(list), text)
    assert.deepStrictEqual(decode(text), list)
  })

  it("gives what a list of digests gives", () => {
    const list = decode(text)
    assert.isTrue(Acl.gives(list, agent1, "write"))
    assert.isTrue(Acl.gives(list, team1, "write"))
    assert.isFalse(Acl.gives(list, team1, "owner"))
    assert.isTrue(Acl.gives(list, Candidate.anyone, "read"))
    assert.isFalse(Acl.gives(list, Candidate.agent("agent2"), "read"))
    assert.isFalse(Acl.gives(list, Candidate.agent("fcf1a5605d79016e"), "read"), "a digest is not an id")
  })

  it("digests are those of older systems", () => {
    const digests = { a: "d24ec4f1a98c6e5b", a1: "fbe5503cb106ea90", a2: "a00cac980a7d134b" }
    for (const [id, digest] of Object.entries(digests)) {
      assert.strictEqual(
        encode(Acl.grant({ hash: "xxh3", grants: [] }, Candidate.user(id), ["owner"])),
        `h:xxh3|u:${digest}/o`
      )
    }
  })

  it("skips unknown roles and levels", () => {
    assert.deepStrictEqual(decode("h:none|u:bob/rw,ann/o|x:zz/r"), {
      grants: [
        { role: "user", id: "bob", levels: ["read", "write"] },
        { role: "user", id: "ann", levels: ["owner"] }
      ]
    })
    assert.deepStrictEqual(decode("h:none|u:bob/n,ann/nr"), {
      grants: [{ role: "user", id: "ann", levels: ["read"] }]
    })
  })

  it("an unreadable list grants nothing", () => {
    for (
      const broken of ["", "u:bob/o", "h:md5|u:bob/o", "{}", "h:none", "h:none|u:bob", "h:none|u:/o", "h:none|ubob/o"]
    ) {
      assert.deepStrictEqual(decode(broken).grants, [], broken)
    }
  })

  it("refuses to write what would read back as something else", () => {
    for (const id of ["a|p:public/r", "a,b", ""]) {
      assert.isTrue(
        Either.isLeft(Schema.encodeEither(Acl.FromText)({ grants: [{ role: "user", id, levels: ["read"] }] })),
        id
      )
    }
  })

  const roles = ["user", "agent", "team", "public"] as const
  const grants = FastCheck.array(FastCheck.record({
    role: FastCheck.constantFrom(...roles),
    id: FastCheck.stringMatching(/^[^|,]{1,20}$/),
    levels: FastCheck.uniqueArray(FastCheck.constantFrom<Acl.Level>("read", "write", "owner"), { minLength: 1 })
  }))

  it.prop("what can be written reads back the same, grouped by role", [grants], ([grants]) => {
    const grouped = roles.flatMap((role) => grants.filter((one) => one.role === role))
    assert.deepStrictEqual(decode(encode({ grants })), { grants: grouped })
  })

  it.prop("reading never throws", [FastCheck.string()], ([text]) => {
    assert.doesNotThrow(() => decode(text))
    assert.doesNotThrow(() => decode(`h:none|${text}`))
  })
})

describe("grants", () => {
  it("replaces what a candidate had and leaves the others", () => {
    const list = Acl.grant(Acl.grant(Acl.ownedBy(agent1), team1, ["read"]), team1, ["write"])
    assert.isFalse(Acl.gives(list, team1, "read"))
    assert.isTrue(Acl.gives(list, team1, "write"))
    assert.isTrue(Acl.gives(list, agent1, "owner"))
    assert.strictEqual(list.grants.length, 2)
  })

  it("no levels removes, also the public", () => {
    const open = Acl.grant(Acl.ownedBy(agent1), Candidate.anyone, ["read"])
    assert.isTrue(Acl.gives(open, Candidate.anyone, "read"))
    assert.deepStrictEqual(Acl.grant(open, Candidate.anyone, []), Acl.ownedBy(agent1))
  })
})
