/** Every connector as it comes from the environment, taken from the sources: a new one is covered by being there. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigError, ConfigProvider, Effect, Exit, Layer, Option } from "effect"
import { join } from "node:path"
import { freePort } from "../fixtures/Processes.ts"
import { filesIn, root } from "../fixtures/source.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const connectors = (await Promise.all(
  filesIn("src/connectors", /\.ts$/).map(async (path) => {
    const exported = await import(/* @vite-ignore */ join(root, path)) as Readonly<Record<string, unknown>>
    return Object.entries(exported).filter(([name]) => name.endsWith("Live"))
  })
)).flat() as ReadonlyArray<readonly [name: string, layer: Layer.Layer<never, unknown>]>

/** What a start without any variable says is missing; all others start, or are in {@link told}. */
const missing: Readonly<Record<string, ReadonlyArray<string>>> = {
  LDAPAccountLive: ["LDAP_BIND_DN", "LDAP_PASSWORD", "LDAP_TEAMS_BASE", "LDAP_URL", "LDAP_USERS_BASE"],
  OIDCAccountLive: ["OIDC_AUDIENCE", "OIDC_ISSUER"],
  S3CacheLive: ["S3_BUCKET"],
  TieredCacheLive: ["REDIS_URL"],
  AWSLambdaLive: ["AWS_LAMBDA_ROLE", "AWS_REGION"],
  LlamaCppEmbeddingsLive: ["LLAMACPP_MODELS"],
  LlamaCppLLMLive: ["LLAMACPP_MODELS"],
  SecretsManagerManagedVaultLive: ["AWS_REGION"],
  S3StorageLive: ["S3_BUCKET"],
  SmythStorageLive: ["SMYTH_TEAM", "SMYTH_TOKEN", "SMYTH_URL"],
  SecretsManagerVaultLive: ["AWS_REGION"],
  SmythVaultLive: ["SMYTH_TEAM", "SMYTH_TOKEN", "SMYTH_URL"],
  MilvusLive: ["MILVUS_ADDRESS"],
  PineconeLive: ["PINECONE_API_KEY", "PINECONE_INDEX_NAME"],
  PostgresVecLive: ["SRE_SQL_URL"],
  SmythManagedVectorDBLive: ["SMYTH_TEAM", "SMYTH_TOKEN", "SMYTH_URL"],
  ModelSearchLive: ["WEB_SEARCH_MODEL"],
  SearXNGLive: ["SEARXNG_URL"]
}

/** Those that want a file, a key, another service or one of several variables, and what they say of it. */
const told: Readonly<Record<string, RegExp>> = {
  JSONFileAccountLive: /account\.json: it does not exist/,
  CLIAgentDataLive: /--agent <file>/,
  StorageAgentDataLive: /Provide the layer with one/,
  SQLManagedVaultLive: /Set SRE_VAULT_KEY/,
  HashicorpVaultLive: /"token", "appRole" or "kubernetes"/
}

/** What the machine has decides: a program in PATH, a server at the usual port. */
const ofMachine = ["ProcessLive", "RedisBudgetsLive", "RedisCacheLive", "RedisNKVLive", "RedisRateLimitsLive"]

const start = (layer: Layer.Layer<never, unknown>, environment: Readonly<Record<string, string>>) =>
  Layer.build(layer).pipe(
    Effect.asVoid,
    Effect.scoped,
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment)))),
    // One that goes on connecting has all it needs to.
    Effect.timeoutOption("5 seconds"),
    Effect.exit
  )

const missingIn = (error: unknown): ReadonlyArray<string> =>
  !ConfigError.isConfigError(error)
    ? []
    : ConfigError.isAnd(error) || ConfigError.isOr(error)
    ? [...missingIn(error.left), ...missingIn(error.right)].sort()
    : [error.path.join("_")]

const failureOf = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isSuccess(exit) ? undefined : Option.getOrUndefined(Cause.failureOption(exit.cause)) ?? "a defect"

describe("connectors from the environment", () => {
  it("there are some", () => {
    assert.isAbove(connectors.length, 70)
    const names = connectors.map(([name]) => name)
    for (const name of [...Object.keys(missing), ...Object.keys(told), ...ofMachine]) assert.include(names, name)
  })

  it.scopedLive(
    "start without any variable of theirs, or say by its name what is missing",
    () =>
      Effect.gen(function*() {
        const folder = yield* tempFolder
        yield* Effect.forEach(connectors, ([name, layer]) =>
          Effect.gen(function*() {
            const own = { SRE_DATA: join(folder, name), SRE_PORT: String(yield* freePort) }
            const failure = failureOf(yield* start(layer, own))
            if (ofMachine.includes(name)) return assert.deepStrictEqual(missingIn(failure), [], name)
            if (told[name] !== undefined) return assert.match(String(failure), told[name], name)
            assert.deepStrictEqual(missingIn(failure), missing[name] ?? [], `${name}: ${failure}`)
            if (missing[name] === undefined) assert.isUndefined(failure, name)
          }), { concurrency: 8, discard: true })
      }),
    60_000
  )

  it.scopedLive(
    "need no more than that: with it they start, or fail for want of what it points to",
    () =>
      Effect.gen(function*() {
        const folder = yield* tempFolder
        const nobody = "http://127.0.0.1:1"
        const environment = {
          AWS_ACCESS_KEY_ID: "x",
          AWS_SECRET_ACCESS_KEY: "x",
          AWS_REGION: "nowhere-1",
          AWS_LAMBDA_ROLE: "arn:aws:iam::123456789012:role/x",
          LDAP_URL: "ldap://127.0.0.1:1",
          LDAP_BIND_DN: "cn=x",
          LDAP_PASSWORD: "x",
          LDAP_TEAMS_BASE: "ou=g",
          LDAP_USERS_BASE: "ou=u",
          LLAMACPP_MODELS: folder,
          MILVUS_ADDRESS: nobody,
          OIDC_AUDIENCE: "x",
          OIDC_ISSUER: nobody,
          PINECONE_API_KEY: "x",
          PINECONE_CONTROLLER_HOST: nobody,
          PINECONE_INDEX_NAME: "x",
          REDIS_URL: "redis://127.0.0.1:1",
          S3_BUCKET: "x",
          S3_ENDPOINT: nobody,
          SEARXNG_URL: nobody,
          SMYTH_TEAM: "x",
          SMYTH_TOKEN: "x",
          SMYTH_URL: nobody,
          SRE_SQL_URL: "postgres://127.0.0.1:1/x",
          WEB_SEARCH_MODEL: "sonar"
        }
        yield* Effect.forEach(connectors.filter(([name]) => missing[name] !== undefined), ([name, layer]) =>
          Effect.gen(function*() {
            const failure = failureOf(yield* start(layer, { ...environment, SRE_DATA: join(folder, name) }))
            if (failure === undefined) {
              return
            }
            assert.include(
              ["ConnectorError", "BootError"],
              (failure as { readonly _tag?: string })._tag,
              `${name}: ${failure}`
            )
          }), { concurrency: 8, discard: true })
      }),
    60_000
  )
})
