import { assert, layer } from "@effect/vitest"
import { Effect, type Layer, Option, Redacted } from "effect"
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
  })
