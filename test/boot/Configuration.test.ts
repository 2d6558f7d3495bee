/** What a configuration that cannot be booted says: where, what, and what would do. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Boot } from "../../src/boot/Boot.ts"
import { layerFromConfig, read } from "../../src/boot/Configuration.ts"

const file = (text: string, name = "sre.config.json") =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "configuration-"))),
      (folder) => Effect.promise(() => rm(folder, { recursive: true }))
    )
    const path = join(folder, name)
    yield* Effect.promise(() => writeFile(path, text))
    return path
  })

const variables = (all: Readonly<Record<string, string>>) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(all))))

describe("a configuration file", () => {
  const text = JSON.stringify({
    Cache: { Connector: "RAM" },
    Storage: [{ Connector: "Memory" }, { Connector: "S3", Settings: { bucket: "$env(BUCKET)" } }]
  })

  it.scoped("takes variables of the environment", () =>
    Effect.gen(function*() {
      const config = yield* variables({ BUCKET: "b" })(read(yield* file(text)))
      assert.deepPropertyVal(config as object, "Storage", [
        { Connector: "Memory" },
        { Connector: "S3", Settings: { bucket: "b" } }
      ])
    }))

  it.scoped("that is malformed says where, and shows nothing of it", () =>
    Effect.gen(function*() {
      const json = yield* Effect.flip(read(yield* file(`{ "Vault": { "token": s3cret } }`)))
      assert.match(json.message, /^Cannot start \/.*\/sre\.config\.json: expected a value at line 1, column 23$/)
      const yaml = yield* Effect.flip(read(yield* file("Vault:\n  token: s3cret: x\n", "sre.config.yaml")))
      assert.match(yaml.message, /^Cannot start \/.*\/sre\.config\.yaml: .* at line 2, column 10$/)
    }))

  it.scoped("says which variable is not set, and where it stands", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(variables({})(read(yield* file(text))))
      assert.strictEqual(
        error.message,
        "Cannot start Storage[1].Settings.bucket: the environment variable BUCKET is not set, or empty"
      )
    }))
})

describe("a backend that is not there", () => {
  it.scopedLive("is told with the service it was to stand behind", () =>
    Effect.gen(function*() {
      const config = {
        NKV: { Connector: "Redis", Settings: { url: "redis://127.0.0.1:1" } },
        Storage: { Connector: "Memory" }
      }
      const { connector, message, service } = yield* Effect.flip(Layer.build(layerFromConfig(config)))
      assert.deepStrictEqual({ connector, service }, { connector: "Redis", service: "NKV" })
      assert.match(message, /^Cannot start NKV \/ Redis: Redis\.connect: Unavailable/)
    }))

  it.scopedLive("keeps to itself what settings exclude each other, but for the service", () =>
    Effect.gen(function*() {
      const Settings = { url: "redis://127.0.0.1:1", cluster: "127.0.0.1:1" }
      const error = yield* Effect.flip(Layer.build(layerFromConfig({ Cache: { Connector: "Redis", Settings } })))
      assert.strictEqual(
        error.message,
        `Cannot start Cache / Redis: "url", "cluster" and "hosts" exclude each other`
      )
    }))
})

describe("a setting that no connector has", () => {
  const refusal = (config: object) =>
    Effect.map(Effect.flip(Layer.build(layerFromConfig(config))), ({ message }) => message)

  it.scoped("is refused, with the nearest name", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal({ Cache: { Connector: "RAM", Settings: { maxByte: 1 } } }),
        `Cannot start Cache.Settings.maxByte: there is no such setting. Did you mean "maxBytes"? Accepted: maxBytes.`
      )
      assert.match(
        yield* refusal({ LLM: [{ Connector: "OpenAI", Settings: { baseUrl: "https://models.example" } }] }),
        /^Cannot start LLM\[0\]\.Settings\.baseUrl: there is no such setting\. Did you mean "baseURL"\?/
      )
    }))

  it.scoped("is refused at any depth, among those of its place alone", () =>
    Effect.gen(function*() {
      const Settings = { url: "rediss://127.0.0.1:1", tls: { caFiel: "ca.pem", servername: "redis" } }
      const message = yield* refusal({ Cache: { Connector: "Redis", Settings } })
      assert.match(message, /^Cannot start Cache\.Settings\.tls\.caFiel: there is no such setting\. .*Accepted: ca, /)
      assert.notInclude(message, "cluster")
      const tiers = [{ Connector: "RAM", Settings: { maxByte: 1 } }, { Connector: "LocalStorage" }]
      assert.match(
        yield* refusal({ Cache: { Connector: "Tiered", Settings: { tiers } } }),
        /^Cannot start Cache\.Settings\.tiers\.0\.Settings\.maxByte: there is no such setting\. Did you mean "maxBytes"\?/
      )
      assert.match(
        yield* refusal({
          Log: { Connector: "SmythLog", Settings: { destination: "file", url: "http://127.0.0.1:1" } }
        }),
        /^Cannot start Log\.Settings\.url: there is no such setting\. Accepted: /
      )
      // Whoever is in a team without roles may do what the team may.
      const data = { sales: { users: { ann: {} }, role: { clerk: [] } } }
      assert.match(
        yield* refusal({ Account: { Connector: "DummyAccount", Settings: { data } } }),
        /^Cannot start Account\.Settings\.data\.sales\.role: there is no such setting\. Did you mean "roles"\?/
      )
    }))

  it.scoped("is named where an entry is malformed, and nothing else", () =>
    Effect.gen(function*() {
      const message = yield* refusal({ NKV: { Conector: "RAM" } })
      assert.strictEqual(
        message,
        `Cannot start NKV.Conector: there is no such setting. Did you mean "Connector"? ` +
          `Accepted: Connector, Id, Default, Settings.`
      )
    }))
})

describe("an entry that is none", () => {
  const cases: ReadonlyArray<readonly [config: unknown, message: string | RegExp]> = [
    [{ Storge: {} }, /^Cannot start Storge: unknown service "Storge"\. Did you mean "Storage"\? Accepted: /],
    [{ agents: {} }, /^Cannot start agents: unknown service "agents"\. Did you mean "Agents"\?/],
    [{ NKV: {} }, "Cannot start NKV.Connector: is missing. Accepted: LocalStorage, RAM, Redis, SQL."],
    [{ LLM: [{ Connector: "OpenAI" }, {}] }, /^Cannot start LLM\[1\]\.Connector: is missing\. Accepted: .*OpenAI/],
    [
      { LLM: { Connector: "OpenIA" } },
      /^Cannot start LLM\.Connector: unknown connector "OpenIA"\. Did you mean "OpenAI"/
    ],
    [{ NKV: "RAM" }, `Cannot start NKV: Expected an entry like { "Connector": "…" }, actual "RAM"`],
    [{ NKV: [] }, "Cannot start NKV: the list is empty"],
    [{ Agents: 5 }, "Cannot start Agents: expected an object of settings, got 5"],
    [
      { Agents: { maxRuns: "x", maxQueued: null } },
      `Cannot start Agents: maxRuns: Expected number, actual "x"; maxQueued: Expected number, actual null`
    ],
    [
      [],
      `Cannot start configuration: expected an object of services, like { "Storage": { "Connector": "Local" } }; got []`
    ]
  ]

  for (const [config, message] of cases) {
    it.scoped(JSON.stringify(config), () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Layer.build(layerFromConfig(config)))
        if (typeof message === "string") assert.strictEqual(error.message, message)
        else assert.match(error.message, message)
      }))
  }
})

it.scopedLive("what is booted by a configuration is named with its connectors, defaults too", () =>
  Effect.gen(function*() {
    const config = { Storage: { Connector: "Memory" }, NKV: { Connector: "RAM" } }
    const context = yield* Layer.build(layerFromConfig(config))
    const steps = yield* Context.get(context, Boot).steps
    const connectorOf = (part: string) => steps.find((one) => one.part === part)?.connector
    assert.deepStrictEqual(["Storage", "NKV", "Code"].map(connectorOf), ["Memory", "RAM", "ECMASandbox"])
  }))
