/** What every vault must do. */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, type Layer, Option, Redacted } from "effect"
import { VaultConnector } from "../../security/Vault.ts"

/** `writable: false`: secrets come from elsewhere; only what every vault promises about missing ones is asked. */
export const suite = <E>(
  name: string,
  connector: Layer.Layer<VaultConnector, E>,
  { writable }: { readonly writable: boolean }
) =>
  layer(connector, { excludeTestServices: true, timeout: "30 seconds" })(`${name} is a VaultConnector`, (it) => {
    const value = (found: Option.Option<Redacted.Redacted>) => Option.map(found, Redacted.value)

    it.effect("a missing secret is none, and an unknown owner has no names", () =>
      Effect.gen(function*() {
        const vault = yield* VaultConnector
        for (const name of ["missing", "__proto__", "constructor", ""]) {
          assert.deepStrictEqual(yield* vault.get("team:nobody", name), Option.none())
        }
        assert.deepStrictEqual(yield* vault.names("team:nobody"), [])
        assert.deepStrictEqual(yield* vault.get("__proto__", "toString"), Option.none())
      }))

    if (!writable) {
      it.effect("refuses to be written, and says what to do", () =>
        Effect.gen(function*() {
          const vault = yield* VaultConnector
          const error = yield* Effect.flip(vault.set("team:default", "openai", Redacted.make("sk-secret")))
          assert.strictEqual(error.reason, "Unsupported")
          assert.include(error.message, "JSONFileVault")
          assert.notInclude(error.message, "sk-secret")
        }))
      return
    }

    it.effect("gives back what was set, the last one", () =>
      Effect.gen(function*() {
        const vault = yield* VaultConnector
        for (const text of ["sk-1", "sk-2", "", "0", "two\nlines", "$env(HOME)", "ключ 🔑", "x".repeat(10_000)]) {
          yield* vault.set("team:last", "openai", Redacted.make(text))
          assert.deepStrictEqual(value(yield* vault.get("team:last", "openai")), Option.some(text))
        }
        assert.deepStrictEqual(yield* vault.names("team:last"), ["openai"])
      }))

    it.effect("owners do not meet", () =>
      Effect.gen(function*() {
        const vault = yield* VaultConnector
        yield* vault.set("team:x", "key", Redacted.make("team's"))
        yield* vault.set("user:x", "key", Redacted.make("user's"))
        yield* vault.remove("agent:x", "key")
        assert.deepStrictEqual(value(yield* vault.get("team:x", "key")), Option.some("team's"))
        assert.deepStrictEqual(value(yield* vault.get("user:x", "key")), Option.some("user's"))
        assert.deepStrictEqual(yield* vault.get("agent:x", "key"), Option.none())
      }))

    it.effect("a removed secret is gone, also when removed twice", () =>
      Effect.gen(function*() {
        const vault = yield* VaultConnector
        yield* vault.set("team:gone", "key", Redacted.make("1"))
        yield* vault.remove("team:gone", "key")
        yield* vault.remove("team:gone", "key")
        assert.deepStrictEqual(yield* vault.get("team:gone", "key"), Option.none())
        assert.deepStrictEqual(yield* vault.names("team:gone"), [])
      }))

    it.effect("names are any text", () =>
      Effect.gen(function*() {
        const vault = yield* VaultConnector
        const printable = Array.from({ length: 95 }, (_, n) => `x${String.fromCharCode(32 + n)}y`)
        const names = [
          ...printable,
          "__proto__",
          "constructor",
          "a/b",
          "with space",
          "ключ 🔑",
          "a.b",
          "1",
          "UPPER",
          "upper"
        ]
        yield* Effect.forEach(names, (name) => vault.set("team:names", name, Redacted.make(`value of ${name}`)), {
          concurrency: 8
        })
        for (const name of names) {
          assert.deepStrictEqual(value(yield* vault.get("team:names", name)), Option.some(`value of ${name}`))
        }
        // More than a page of most vendors.
        assert.sameMembers([...yield* vault.names("team:names")], names)
      }))

    it.effect("of writes at the same time none is lost", () =>
      Effect.gen(function*() {
        const vault = yield* VaultConnector
        const names = Array.from({ length: 8 }, (_, n) => `key${n}`)
        yield* Effect.forEach(names, (name) => vault.set("team:many", name, Redacted.make(name)), {
          concurrency: "unbounded"
        })
        assert.sameMembers([...yield* vault.names("team:many")], names)
      }))

    it.effect("a write that is interrupted happens whole or not at all, and keeps nobody from the next", () =>
      Effect.gen(function*() {
        const vault = yield* VaultConnector
        const texts = ["a", "b", "c", "d"].map((letter) => letter.repeat(10_000))
        yield* vault.set("team:interrupted", "key", Redacted.make(texts[0]!))
        for (const [n, text] of texts.entries()) {
          const writer = yield* Effect.fork(vault.set("team:interrupted", "key", Redacted.make(text)))
          yield* Effect.sleep(n)
          yield* Fiber.interrupt(writer)
          assert.include(texts, Option.getOrThrow(value(yield* vault.get("team:interrupted", "key"))))
        }
        yield* vault.set("team:interrupted", "other", Redacted.make("last"))
        assert.deepStrictEqual(value(yield* vault.get("team:interrupted", "other")), Option.some("last"))
      }))
  })
