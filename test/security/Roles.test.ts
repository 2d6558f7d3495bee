import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck, Layer, Option, Redacted, Schema, Stream } from "effect"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { DummyAccount } from "../../src/connectors/account/DummyAccount.ts"
import { RAMNKV } from "../../src/connectors/nkv/RAMNKV.ts"
import { MemoryStorage } from "../../src/connectors/storage/MemoryStorage.ts"
import { JSONFileVault } from "../../src/connectors/vault/JSONFileVault.ts"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as Access from "../../src/security/Access.ts"
import * as Acl from "../../src/security/Acl.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as Roles from "../../src/security/Roles.ts"
import { Vault } from "../../src/security/Vault.ts"
import { NKV } from "../../src/subsystems/io/NKV.ts"
import { Storage } from "../../src/subsystems/io/Storage.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const aLevel = FastCheck.constantFrom<Acl.Level>("read", "write", "owner")
const aService = FastCheck.constantFrom("Storage", "NKV", "*")
const aName = FastCheck.string({ unit: FastCheck.constantFrom("a", "b", "/", ":", ".", "é"), maxLength: 8 })
const aPattern = FastCheck.string({ unit: FastCheck.constantFrom("a", "b", "/", ".", "*"), minLength: 1, maxLength: 6 })
const aPermission = FastCheck.record({
  service: aService,
  levels: FastCheck.tuple(aLevel, FastCheck.array(aLevel, { maxLength: 2 })).map(([one, more]) =>
    [one, ...more] as const
  ),
  resource: aPattern
})

describe("the text of a permission", () => {
  const decode = Schema.decodeEither(Roles.FromString)

  it.prop("reads back as it was written", [aPermission], ([permission]) => {
    assert.deepStrictEqual(decode(Schema.encodeSync(Roles.FromString)(permission)), Either.right(permission))
  })

  it("may leave out the resources, and have space anywhere between", () => {
    for (const text of ["NKV: owner", " NKV :owner ", "NKV:owner on *"]) {
      assert.deepStrictEqual(decode(text), Either.right({ service: "NKV", levels: ["owner"], resource: "*" }))
    }
    assert.deepStrictEqual(
      decode("Storage: read , write on my reports/*"),
      Either.right({ service: "Storage", levels: ["read", "write"], resource: "my reports/*" })
    )
  })

  it("of anything else is refused", () => {
    for (
      const text of [
        "",
        "Storage",
        "Storage:",
        "Storage: all",
        "Storage: read,",
        "Storage: read on",
        ": read",
        "A B: read"
      ]
    ) {
      assert.isTrue(Either.isLeft(decode(text)), text)
    }
  })
})

describe("a pattern", () => {
  const gives = (pattern: string, resource: string) =>
    Roles.give([{ service: "S", levels: ["read"], resource: pattern }], "t1", { service: "S", level: "read", resource })

  it.prop("fits as the same regular expression, on the whole resource or on the path in the team's home", [
    aPattern,
    aName
  ], ([pattern, name]) => {
    const source = pattern.split("*").map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")
    const expression = new RegExp(`^${source}$`, "s")
    assert.strictEqual(gives(pattern, name), expression.test(name))
    const inHome = `team:t1/${name}`
    assert.strictEqual(gives(pattern, inHome), expression.test(inHome) || expression.test(name))
  })

  it("of one team's home is not that of another", () => {
    assert.isTrue(gives("reports/*", "team:t1/reports/x"))
    assert.isFalse(gives("reports/*", "team:t2/reports/x"))
    assert.isFalse(gives("reports/*", "team:t1/private/reports/x"))
    assert.isFalse(gives("reports/*", "user:u1/reports/x"))
    assert.isTrue(gives("user:u1/*", "user:u1/reports/x"))
  })

  it("with many stars is not slow", () => {
    assert.isFalse(gives("*a".repeat(500) + "b", "a".repeat(100_000)))
  })
})

describe("the decision", () => {
  const member = Candidate.user("m")
  const guarded = <A, E>(
    permissions: Access.PermissionsOf,
    use: (guard: Access.Guard) => Effect.Effect<A, E>
  ) =>
    Effect.flatMap(
      Effect.provide(
        Access.guard("Storage"),
        Layer.merge(
          Layer.succeed(Access.Teams, ({ role }) => Effect.succeed(role === "public" ? [] : ["t1", "t2"])),
          Layer.succeed(Access.Permissions, permissions)
        )
      ),
      (guard) => Candidate.as(use(guard), member)
    )
  const allows = (permissions: Access.PermissionsOf, acl: Acl.Acl, level: Acl.Level, resource: string) =>
    guarded(permissions, (guard) => Effect.isSuccess(guard.check(acl, { operation: "op", level, resource })))

  const grants = FastCheck.array(
    FastCheck.record({
      who: FastCheck.constantFrom(
        member,
        Candidate.team("t1"),
        Candidate.team("t2"),
        Candidate.team("t3"),
        Candidate.anyone
      ),
      levels: FastCheck.uniqueArray(aLevel)
    }),
    { maxLength: 3 }
  )
  const anAcl = grants.map((all): Acl.Acl => ({ grants: all.map(({ levels, who }) => ({ ...who, levels })) }))

  it.effect.prop(
    "with roles is never more than without, and what the list gives oneself or everybody needs no role",
    [anAcl, aLevel, aName, FastCheck.array(aPermission, { maxLength: 3 })],
    ([acl, level, resource, permissions]) =>
      Effect.gen(function*() {
        const without = yield* allows(() => Effect.succeedNone, acl, level, resource)
        const withRoles = yield* allows(() => Effect.succeedSome(permissions), acl, level, resource)
        const ownRight = Acl.gives(acl, member, level) || Acl.gives(acl, Candidate.anyone, level)
        assert.isTrue(!withRoles || without)
        assert.isTrue(!ownRight || withRoles)
        if (without && !ownRight) {
          const teams = ["t1", "t2"].filter((id) => Acl.gives(acl, Candidate.team(id), level))
          const expected = teams.some((team) => Roles.give(permissions, team, { service: "Storage", level, resource }))
          assert.strictEqual(withRoles, expected)
        }
      })
  )

  it.effect.prop(
    "without a role there is nothing, whatever the team has",
    [anAcl, aLevel, aName],
    ([acl, level, resource]) =>
      Effect.gen(function*() {
        const ownRight = Acl.gives(acl, member, level) || Acl.gives(acl, Candidate.anyone, level)
        assert.strictEqual(yield* allows(() => Effect.succeedSome([]), acl, level, resource), ownRight)
      })
  )

  it.effect("asks for roles only where a team's right decides, and fails when they cannot be had", () =>
    Effect.gen(function*() {
      const failure = new ConnectorError({ connector: "Test", method: "permissions", reason: "Unavailable" })
      const asked = (acl: Acl.Acl) =>
        guarded(
          () => Effect.fail(failure),
          (guard) => Effect.either(guard.check(acl, { operation: "op", level: "read", resource: "x" }))
        )
      assert.deepStrictEqual(yield* asked(Acl.ownedBy(member, Candidate.team("t1"))), Either.right(undefined))
      assert.isTrue(Either.isLeft(yield* asked(Acl.ownedBy(Candidate.team("t3")))))
      assert.deepStrictEqual(yield* asked(Acl.ownedBy(Candidate.team("t1"))), Either.left(failure))
    }))

  it.effect("of a list without resources needs a role for all of them", () =>
    Effect.gen(function*() {
      const acl = Acl.ownedBy(Candidate.team("t1"))
      const permits = (text: string) =>
        guarded(
          () => Effect.succeedSome([Schema.decodeSync(Roles.FromString)(text)]),
          (guard) => guard.permits(acl, "read")
        )
      assert.isTrue(yield* permits("Storage: read"))
      assert.isFalse(yield* permits("Storage: read on a*"))
    }))
})

describe("services", () => {
  const data = {
    t1: {
      users: { reader: { roles: ["reader"] }, writer: { roles: ["writer"] }, plain: {}, boss: { roles: ["boss"] } },
      roles: {
        reader: ["Storage: read on reports/*", "NKV: read on reports:*", "Vault: read on openai"],
        writer: ["Storage: read, write on reports/*", "Vault: read on team:t1/openai"],
        boss: ["*: owner"]
      }
    },
    t2: { users: { plain: {} } }
  }
  const account = Layer.fresh(DummyAccount.layer({ data }))
  const [reader, writer, plain, boss] = ["reader", "writer", "plain", "boss"].map(Candidate.user) as [
    Candidate.Candidate,
    Candidate.Candidate,
    Candidate.Candidate,
    Candidate.Candidate
  ]
  const denied = <A, E extends { readonly _tag: string }>(self: Effect.Effect<A, E>) =>
    Effect.map(Effect.flip(self), ({ _tag }) => assert.strictEqual(_tag, "AccessDenied"))

  it.effect("Storage: a role's levels on a role's keys in the team's home", () =>
    Effect.gen(function*() {
      const { list, read, remove, write } = yield* Storage
      const home = "smythfs://t1.team"
      const bytes = new Uint8Array([1])
      yield* Candidate.as(write(`${home}/reports/a`, bytes), boss)
      yield* Candidate.as(write(`${home}/secret/a`, bytes), boss)
      assert.deepStrictEqual(yield* Candidate.as(read(`${home}/reports/a`), reader), bytes)
      yield* denied(Candidate.as(read(`${home}/secret/a`), reader))
      yield* denied(Candidate.as(write(`${home}/reports/a`, bytes), reader))
      yield* Candidate.as(write(`${home}/reports/a`, bytes), writer)
      yield* denied(Candidate.as(write(`${home}/secret/b`, bytes), writer))
      yield* denied(Candidate.as(remove(`${home}/reports/a`), writer))
      yield* denied(Candidate.as(read(`${home}/reports/a`), plain))
      const listed = (who: Candidate.Candidate) =>
        list(`${home}/`).pipe(
          Effect.flatMap((objects) => Stream.runCount(objects)),
          Candidate.as(who)
        )
      assert.deepStrictEqual([yield* listed(boss), yield* listed(reader), yield* listed(plain)], [2, 1, 0])
      yield* Candidate.as(remove(`${home}/reports/a`), boss)
      // A team without roles is as ever.
      yield* Candidate.as(write("smythfs://t2.team/x", bytes), plain)
    }).pipe(Effect.provide(Layer.provide(MemoryStorage.layer({}), account))))

  it.effect("NKV: namespaces and keys", () =>
    Effect.gen(function*() {
      const { get, set } = yield* NKV
      const space = "smythfs://t1.team/reports"
      yield* Candidate.as(set(space, "k", 1), boss)
      assert.deepStrictEqual(yield* Candidate.as(get(space, "k"), reader), Option.some(1))
      yield* denied(Candidate.as(set(space, "k", 2), reader))
      yield* denied(Candidate.as(get(space, "k"), plain))
    }).pipe(Effect.provide(Layer.provide(RAMNKV.layer({}), account))))

  it.scoped("Vault: a team's secrets, by name", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      yield* Effect.promise(() => writeFile(file, JSON.stringify({ t1: { openai: "o", stripe: "s" } })))
      yield* Effect.gen(function*() {
        const { get, list } = yield* Vault
        for (const who of [reader, writer]) {
          assert.strictEqual(Redacted.value(yield* Candidate.as(get("openai"), who)), "o")
          assert.deepInclude(yield* Effect.flip(Candidate.as(get("stripe"), who)), { _tag: "SecretNotFound", near: [] })
          assert.deepStrictEqual(yield* Candidate.as(list, who), ["openai"])
        }
        assert.deepStrictEqual(yield* Candidate.as(list, plain), [])
        assert.deepStrictEqual(yield* Candidate.as(list, boss), ["openai", "stripe"])
      }).pipe(Effect.provide(Layer.provide(JSONFileVault.layer({ file }), account)))
    }))

  it.effect("a role that is not there is refused at boot, by its place", () =>
    Effect.gen(function*() {
      const broken = DummyAccount.layer({ data: { t1: { users: { u: { roles: ["x"] } } } } })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(broken)))
      assert.include(error.message, "Account.Settings.data.t1.users.u.roles")
      assert.include(error.message, "the team has no role \"x\"")
    }))
})
