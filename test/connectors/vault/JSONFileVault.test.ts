import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option, Redacted } from "effect"
import { spawn } from "node:child_process"
import { readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { encrypt, JSONFileVault, JSONFileVaultLive } from "../../../src/connectors/vault/JSONFileVault.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Vault, VaultConnector } from "../../../src/security/Vault.ts"
import { suite } from "../../../src/testing/conformance/vault.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

type Settings = Parameters<typeof JSONFileVault.contract>[0]

const environment = (variables: Record<string, string>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)), { pathDelim: "_" }))

/** A vault opened anew, as another process would. */
const opened = (settings: Settings, variables: Record<string, string> = {}) =>
  Effect.map(
    Layer.build(Layer.fresh(Layer.provide(JSONFileVault.contract(settings), environment(variables)))),
    (context) => context.unsafeMap.get(VaultConnector.key) as typeof VaultConnector.Service
  )

const reading = (vault: typeof VaultConnector.Service, owner: string, name: string) =>
  Effect.map(vault.get(owner, name), Option.map(Redacted.value))

const text = (file: string) => Effect.promise(() => readFile(file, "utf8"))
const write = (file: string, content: unknown) =>
  Effect.promise(() => writeFile(file, typeof content === "string" ? content : JSON.stringify(content)))
const modeOf = (path: string) => Effect.promise(async () => (await stat(path)).mode & 0o777)

const failure = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, ConnectorError)
    return error as ConnectorError
  })

describe("an encrypted vault", () => {
  it.scopedLive("is empty while there is no file, and reading makes none", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const vault = yield* opened({ file: join(folder, "new", "vault.json") })
      assert.deepStrictEqual(yield* reading(vault, "team:t1", "openai"), Option.none())
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(folder)), [])
    }))

  it.scopedLive("has no secret in its bytes, and files and folder of its own only its user can read", () =>
    Effect.gen(function*() {
      const folder = join(yield* tempFolder, "data")
      const file = join(folder, "vault.json")
      const vault = yield* opened({ file })
      yield* vault.set("team:t1", "openai", Redacted.make("sk-very-secret"))
      const content = yield* text(file)
      assert.notInclude(content, "sk-very-secret")
      assert.notInclude(content, Buffer.from("sk-very-secret").toString("base64").slice(0, 12))
      assert.strictEqual(yield* modeOf(file), 0o600)
      assert.strictEqual(yield* modeOf(join(folder, "vault.key")), 0o600)
      assert.strictEqual(yield* modeOf(folder), 0o700)
    }))

  it.scopedLive("the same secret is never written the same way twice", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      const vault = yield* opened({ file })
      yield* vault.set("team:t1", "a", Redacted.make("same"))
      yield* vault.set("team:t1", "b", Redacted.make("same"))
      const [a, b] = JSON.parse(yield* text(file)).entries
      assert.deepStrictEqual([a[1], b[1]], ["a", "b"])
      assert.notStrictEqual(a[2], b[2])
    }))

  it.scopedLive("is read by another process with the key file, a key in hexadecimal or base64, or a passphrase", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const hex = "0f".repeat(32)
      const keys = [{}, { SRE_VAULT_KEY: hex }, { SRE_VAULT_KEY: "correct horse battery staple" }]
      for (const [index, variables] of keys.entries()) {
        const file = join(folder, `${index}.json`)
        const first = yield* opened({ file }, variables)
        yield* first.set("team:t1", "openai", Redacted.make("sk"))
        const second = yield* opened({ file }, variables)
        assert.deepStrictEqual(yield* reading(second, "team:t1", "openai"), Option.some("sk"))
        yield* second.set("team:t1", "groq", Redacted.make("gsk"))
        assert.deepStrictEqual(yield* reading(first, "team:t1", "groq"), Option.some("gsk"))
      }
      const base64 = yield* opened({ file: join(folder, "1.json") }, {
        SRE_VAULT_KEY: Buffer.from(hex, "hex").toString("base64")
      })
      assert.deepStrictEqual(yield* reading(base64, "team:t1", "openai"), Option.some("sk"))
    }))

  it.scopedLive("a wrong key is told at boot, with the file and where the key came from, and the file stays", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const file = join(folder, "vault.json")
      const right = { SRE_VAULT_KEY: "0f".repeat(32) }
      yield* Effect.flatMap(opened({ file }, right), (vault) => vault.set("team:t1", "openai", Redacted.make("sk")))
      const before = yield* text(file)

      const wrong = yield* failure(opened({ file }, { SRE_VAULT_KEY: "0e".repeat(32) }))
      assert.strictEqual(wrong.reason, "Unauthorized")
      assert.include(wrong.message, file)
      assert.include(wrong.message, "SRE_VAULT_KEY")
      assert.notInclude(wrong.message, "0e0e")

      const none = yield* failure(opened({ file }))
      assert.strictEqual(none.reason, "Unauthorized")
      assert.include(none.message, "vault.key")

      const passphrase = yield* failure(opened({ file }, { SRE_VAULT_KEY: "a passphrase" }))
      assert.strictEqual(passphrase.reason, "Unauthorized")
      assert.strictEqual(yield* text(file), before)
    }))

  it.scopedLive("a wrong passphrase is told as well", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      const vault = yield* opened({ file }, { SRE_VAULT_KEY: "right" })
      yield* vault.set("team:t1", "openai", Redacted.make("sk"))
      const error = yield* failure(opened({ file }, { SRE_VAULT_KEY: "wrong" }))
      assert.strictEqual(error.reason, "Unauthorized")
      assert.include(error.message, "the passphrase in SRE_VAULT_KEY")
    }))

  it.scopedLive("every changed byte of a secret is noticed, and so is a secret put in another's place", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      const vault = yield* opened({ file })
      yield* vault.set("team:t1", "openai", Redacted.make("sk"))
      yield* vault.set("team:t2", "openai", Redacted.make("another"))
      const envelope = JSON.parse(yield* text(file))
      const [one, two] = envelope.entries
      const sealed = Buffer.from(one[2], "base64")

      const damaged = (entries: unknown) =>
        Effect.gen(function*() {
          yield* write(file, { ...envelope, entries })
          const error = yield* failure(opened({ file }))
          assert.strictEqual(error.reason, "Corrupted")
          assert.include(error.message, file)
          assert.include(error.message, "openai")
          assert.strictEqual((yield* failure(vault.get("team:t2", "openai"))).reason, "Corrupted")
        })
      for (let index = 0; index < sealed.length; index++) {
        const changed = Buffer.from(sealed)
        changed[index] = changed[index]! ^ 1
        yield* damaged([["team:t1", "openai", changed.toString("base64")], two])
      }
      yield* damaged([["team:t1", "openai", two[2]], two])
      yield* damaged([["team:t1", "openai", ""], two])
      yield* damaged([["team:t3", "openai", one[2]]])
      yield* damaged([["$env team:t1", "openai", one[2]]])
    }))

  it.scopedLive("a broken file stops the boot and is left as it is", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      for (
        const broken of [
          "",
          "{\"t1\": {\"openai\": \"sk-secret\"",
          "[]",
          "7",
          "{\"v\":2,\"alg\":\"A256GCM\"}",
          "{\"v\":1}"
        ]
      ) {
        yield* write(file, broken)
        const error = yield* failure(opened({ file }))
        assert.strictEqual(error.reason, "Corrupted", broken)
        assert.notInclude(error.message, "sk-secret")
        assert.strictEqual(yield* text(file), broken)
      }
    }))

  it.scopedLive("a process killed while it writes leaves a whole file", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      const writer = fileURLToPath(new URL("../../fixtures/VaultWriter.ts", import.meta.url))
      const written = yield* Effect.async<number>((resume) => {
        let lines = 0
        const child = spawn(process.execPath, ["--import", "tsx", writer, file], {
          stdio: ["ignore", "pipe", "inherit"]
        })
        child.stdout.on("data", (chunk) => {
          lines += String(chunk).split("\n").length - 1
          if (lines >= 5) child.kill("SIGKILL")
        })
        child.on("close", () => resume(Effect.succeed(lines)))
        return Effect.sync(() => child.kill("SIGKILL"))
      })
      assert.isAtLeast(written, 5, "the writer never came to write")
      const vault = yield* opened({ file })
      const value = yield* reading(vault, "team:t1", "big")
      assert.isTrue(Option.isSome(value) && Number.parseInt(value.value, 10) >= written)
    }))

  it.scopedLive("files written by the first release are read by this one", () =>
    Effect.gen(function*() {
      const keys = { "vault.v1.key.json": "0f".repeat(32), "vault.v1.passphrase.json": "correct horse battery staple" }
      for (const [name, key] of Object.entries(keys)) {
        const file = fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url))
        const vault = yield* opened({ file }, { SRE_VAULT_KEY: key })
        assert.deepStrictEqual(yield* reading(vault, "team:t1", "openai"), Option.some("sk-golden"))
        assert.deepStrictEqual(yield* reading(vault, "user:ann", "ключ"), Option.some("two\nlines"))
      }
    }))

  it.scopedLive("two processes that write at the same time agree on one key and lose nothing", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      const vaults = yield* Effect.all([opened({ file }), opened({ file }), opened({ file })])
      yield* Effect.forEach(vaults, (vault, n) => vault.set("team:t1", `key${n}`, Redacted.make(`${n}`)), {
        concurrency: "unbounded"
      })
      for (const vault of vaults) {
        assert.sameMembers([...yield* vault.names("team:t1")], ["key0", "key1", "key2"])
      }
    }))
})

describe("a vault in plain text", () => {
  const plain = {
    default: { openai: "sk-1", fromEnv: "Bearer $env(TOKEN), $env(OTHER)", unset: "$env(UNSET)", number: 7 },
    t1: { openai: "sk-2" },
    "user:u1": { own: "mine" },
    "$schema": "https://example.org"
  }

  it.scopedLive("is read as it is; variables are looked up at each call", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      yield* write(file, plain)
      const variables = new Map([["TOKEN", "t"], ["OTHER", "o"]])
      const vault = yield* Effect.map(
        Layer.build(Layer.provide(
          JSONFileVault.contract({ file }),
          Layer.setConfigProvider(ConfigProvider.fromMap(variables))
        )),
        (context) => context.unsafeMap.get(VaultConnector.key) as typeof VaultConnector.Service
      )
      assert.deepStrictEqual(yield* reading(vault, "team:default", "openai"), Option.some("sk-1"))
      assert.deepStrictEqual(yield* reading(vault, "team:t1", "openai"), Option.some("sk-2"))
      assert.deepStrictEqual(yield* reading(vault, "user:u1", "own"), Option.some("mine"))
      assert.deepStrictEqual(yield* reading(vault, "team:default", "fromEnv"), Option.some("Bearer t, o"))
      for (const missing of ["unset", "number", "toString"]) {
        assert.deepStrictEqual(yield* reading(vault, "team:default", missing), Option.none(), missing)
      }
      assert.sameMembers([...yield* vault.names("team:default")], ["openai", "fromEnv"])
    }))

  it.scopedLive("is read again when it changes", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      yield* write(file, { t1: { openai: "old" } })
      const vault = yield* opened({ file })
      assert.deepStrictEqual(yield* reading(vault, "team:t1", "openai"), Option.some("old"))
      yield* write(file, { t1: { openai: "newer" } })
      assert.deepStrictEqual(yield* reading(vault, "team:t1", "openai"), Option.some("newer"))
    }))

  it.scopedLive("is not written before it is encrypted; then it is one like any other", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      yield* write(file, plain)
      const variables = { TOKEN: "t", OTHER: "o" }
      const vault = yield* opened({ file }, variables)
      const refused = yield* failure(vault.set("team:t1", "groq", Redacted.make("gsk")))
      assert.strictEqual(refused.reason, "Unsupported")
      assert.deepStrictEqual(JSON.parse(yield* text(file)), plain)

      yield* encrypt(file)
      const encrypted = yield* text(file)
      assert.notInclude(encrypted, "sk-1")
      assert.strictEqual(yield* modeOf(file), 0o600)
      assert.deepStrictEqual(yield* reading(vault, "team:default", "fromEnv"), Option.some("Bearer t, o"))
      yield* vault.set("team:t1", "groq", Redacted.make("gsk"))
      assert.deepStrictEqual(yield* reading(yield* opened({ file }), "team:t1", "groq"), Option.some("gsk"))

      yield* encrypt(file)
      assert.deepStrictEqual(yield* reading(vault, "team:t1", "openai"), Option.some("sk-2"))
    }))

  it.scopedLive("a secret that is set never reads the environment, also where one that did stood before", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      yield* write(file, { t1: { key: "$env(TOKEN)" } })
      yield* encrypt(file)
      const vault = yield* opened({ file }, { TOKEN: "operator's" })
      assert.deepStrictEqual(yield* reading(vault, "team:t1", "key"), Option.some("operator's"))
      yield* vault.set("team:t1", "key", Redacted.make("$env(TOKEN)"))
      assert.deepStrictEqual(yield* reading(vault, "team:t1", "key"), Option.some("$env(TOKEN)"))
      yield* vault.remove("team:t1", "key")
      assert.deepStrictEqual(yield* reading(vault, "team:t1", "key"), Option.none())
    }))

  it.scopedLive("what is not there cannot be encrypted", () =>
    Effect.gen(function*() {
      const error = yield* failure(encrypt(join(yield* tempFolder, "vault.json")))
      assert.strictEqual(error.reason, "NotFound")
    }))
})

describe("settings", () => {
  it.scopedLive("the team `environment` names sees the environment behind the file", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "vault.json")
      yield* write(file, { default: { openai: "of the file" } })
      const vault = yield* opened({ file, environment: "default" }, { OPENAI_API_KEY: "env", GROQ_API_KEY: "env" })
      assert.deepStrictEqual(yield* reading(vault, "team:default", "openai"), Option.some("of the file"))
      assert.deepStrictEqual(yield* reading(vault, "team:default", "groq"), Option.some("env"))
      assert.deepStrictEqual(yield* reading(vault, "team:t1", "groq"), Option.none())
      assert.sameMembers([...yield* vault.names("team:default")], ["openai", "groq"])
      const without = yield* opened({ file }, { GROQ_API_KEY: "env" })
      assert.deepStrictEqual(yield* reading(without, "team:default", "groq"), Option.none())
    }))

  it.scopedLive("the Live layer lives in SRE_DATA and shares what SRE_VAULT_SHARED names", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* write(join(folder, "vault.json"), { common: { openai: "sk" }, t1: { own: "1" } })
      const get = (variables: Record<string, string>) =>
        Effect.flatMap(Vault, (vault) => Candidate.as(vault.get("openai"), Candidate.user("u1"))).pipe(
          Effect.provide(
            Layer.fresh(Layer.provide(JSONFileVaultLive, environment({ SRE_DATA: folder, ...variables })))
          ),
          Effect.either
        )
      assert.strictEqual((yield* get({}))._tag, "Left")
      assert.strictEqual((yield* get({ SRE_VAULT_SHARED: "common" }))._tag, "Right")
    }))
})

suite(
  "JSONFileVault",
  Layer.unwrapScoped(Effect.map(tempFolder, (folder) => JSONFileVault.contract({ file: join(folder, "vault.json") }))),
  { writable: true }
)
