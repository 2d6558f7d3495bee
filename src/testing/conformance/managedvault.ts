/** What every keeper of secrets of the platform must do. */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, type Layer, Option, Redacted } from "effect"
import { isConflict } from "../../kernel/ConnectorError.ts"
import { ManagedVaultConnector } from "../../security/ManagedVault.ts"

export const suite = <E>(name: string, connector: Layer.Layer<ManagedVaultConnector, E>) =>
  layer(connector, { excludeTestServices: true, timeout: "30 seconds" })(`${name} is a ManagedVaultConnector`, (it) => {
    const value = Option.map(({ value }: { readonly value: Redacted.Redacted }) => Redacted.value(value))
    const version = Option.map(({ version }: { readonly version: string }) => version)

    it.effect("gives back what was set, per owner", () =>
      Effect.gen(function*() {
        const vault = yield* ManagedVaultConnector
        yield* vault.set("agent:a1", "token", Redacted.make("{\"a\": 1}\n"), Option.none())
        assert.deepStrictEqual(value(yield* vault.get("agent:a1", "token")), Option.some("{\"a\": 1}\n"))
        assert.deepStrictEqual(yield* vault.get("agent:a2", "token"), Option.none())
        assert.deepStrictEqual(yield* vault.get("agent:a1", "__proto__"), Option.none())
      }))

    it.effect("every write has a new version, also of the same text", () =>
      Effect.gen(function*() {
        const vault = yield* ManagedVaultConnector
        yield* vault.set("agent:v", "token", Redacted.make("same"), Option.none())
        const first = yield* vault.get("agent:v", "token")
        yield* vault.set("agent:v", "token", Redacted.make("same"), version(first))
        const second = yield* vault.get("agent:v", "token")
        assert.notDeepEqual(version(first), version(second))
        assert.deepStrictEqual(yield* vault.get("agent:v", "token"), second)
      }))

    it.effect("a write on another version than the stored one is a conflict and changes nothing", () =>
      Effect.gen(function*() {
        const vault = yield* ManagedVaultConnector
        const write = (text: string, expected: Option.Option<string>) =>
          Effect.flip(vault.set("agent:c", "token", Redacted.make(text), expected))
        assert.strictEqual((yield* write("new", Option.some("v-0"))).reason, "Conflict")
        yield* vault.set("agent:c", "token", Redacted.make("old"), Option.none())
        assert.strictEqual((yield* write("new", Option.none())).reason, "Conflict")
        assert.strictEqual((yield* write("new", Option.some("v-0"))).reason, "Conflict")
        assert.deepStrictEqual(value(yield* vault.get("agent:c", "token")), Option.some("old"))
      }))

    it.effect("of two writes on the same version one wins", () =>
      Effect.gen(function*() {
        const vault = yield* ManagedVaultConnector
        yield* vault.set("agent:w", "token", Redacted.make("0"), Option.none())
        const expected = version(yield* vault.get("agent:w", "token"))
        const won = yield* Effect.forEach(
          ["1", "2", "3"],
          (text) => Effect.isSuccess(vault.set("agent:w", "token", Redacted.make(text), expected)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(won.filter((one) => one).length, 1)
      }))

    it.effect("a removed secret is gone, also when removed twice", () =>
      Effect.gen(function*() {
        const vault = yield* ManagedVaultConnector
        yield* vault.set("agent:r", "token", Redacted.make("1"), Option.none())
        yield* vault.remove("agent:r", "token")
        yield* vault.remove("agent:r", "token")
        assert.deepStrictEqual(yield* vault.get("agent:r", "token"), Option.none())
        yield* vault.set("agent:r", "token", Redacted.make("2"), Option.none())
      }))

    it.effect("names and secrets are any text, and no two names or owners meet", () =>
      Effect.gen(function*() {
        const vault = yield* ManagedVaultConnector
        const printable = Array.from({ length: 95 }, (_, n) => `x${String.fromCharCode(32 + n)}y`)
        const names = [...printable, "__proto__", "constructor", "a/b", "ключ 🔑", "UPPER", "upper", "%41"]
        const texts = ["", "0", "two\nlines\u0000", "ключ 🔑", "x".repeat(10_000)]
        yield* Effect.forEach(
          names,
          (name) => vault.set("agent:n", name, Redacted.make(`value of ${name}`), Option.none()),
          { concurrency: 8 }
        )
        for (const name of names) {
          assert.deepStrictEqual(value(yield* vault.get("agent:n", name)), Option.some(`value of ${name}`))
        }
        assert.deepStrictEqual(yield* vault.get("user:n", "UPPER"), Option.none())
        for (const text of texts) {
          yield* vault.set("agent:n", "1", Redacted.make(text), version(yield* vault.get("agent:n", "1")))
          assert.deepStrictEqual(value(yield* vault.get("agent:n", "1")), Option.some(text))
        }
      }))

    it.effect("a write that is interrupted happens whole or not at all, and keeps nobody from the next", () =>
      Effect.gen(function*() {
        const vault = yield* ManagedVaultConnector
        const replace = (text: string) =>
          Effect.flatMap(
            vault.get("agent:i", "token"),
            (found) => vault.set("agent:i", "token", Redacted.make(text), version(found))
          )
        const texts = ["a", "b", "c", "d"].map((letter) => letter.repeat(10_000))
        yield* replace(texts[0]!)
        for (const [n, text] of texts.entries()) {
          const writer = yield* Effect.fork(replace(text))
          yield* Effect.sleep(n)
          yield* Fiber.interrupt(writer)
          assert.include(texts, Option.getOrThrow(value(yield* vault.get("agent:i", "token"))))
        }
        // One that was sent may happen late.
        yield* Effect.retry(replace("last"), { while: isConflict, times: 10 })
        assert.deepStrictEqual(value(yield* vault.get("agent:i", "token")), Option.some("last"))
      }))
  })
