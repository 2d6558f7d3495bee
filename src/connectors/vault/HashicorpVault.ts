/**
 * Vault in the KV engine, version 2, of HashiCorp Vault or OpenBao: one entry for each owner, `<path>/team/t1`, whose fields
 * are its secrets, so that `vault kv patch secret/sre/team/t1 openai=sk-…` adds one. Written with check-and-set.
 * https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2
 */
import { Config, Duration, Effect, Option, Redacted, Schedule, Schema } from "effect"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, isConflict } from "../../kernel/ConnectorError.ts"
import * as Vault from "../../security/Vault.ts"
import { BaseUrl } from "../JsonHttp.ts"
import * as HashicorpSession from "./HashicorpSession.ts"

const HashicorpVaultSettings = Schema.Struct({
  ...HashicorpSession.settings,
  /** Path the KV engine is mounted at. */
  mount: Schema.optionalWith(Schema.NonEmptyString, { default: () => "secret" }),
  /** Folder in it that holds the owners. */
  path: Schema.optionalWith(Schema.String, { default: () => "sre" }),
  /** Team whose secrets every candidate may use. Default: none. */
  shared: Schema.optional(Schema.NonEmptyString)
}).pipe(
  Schema.filter(({ appRole, kubernetes, token }) =>
    [appRole, kubernetes, token].filter((way) => way !== undefined).length === 1 ||
    `exactly one of "token", "appRole" and "kubernetes" says how to log in`
  )
)
type Settings = typeof HashicorpVaultSettings.Type

export const HashicorpVault = Connector.make({
  name: "HashicorpVault",
  aliases: ["Hashicorp", "OpenBao"],
  contract: Vault.VaultConnector,
  service: Vault.layer,
  settings: HashicorpVaultSettings,
  make: Effect.fnUntraced(function*(settings) {
    const { call } = yield* HashicorpSession.open(name, settings)
    yield* engineIsThere(call, settings)
    const entryOf = (owner: string) => [
      ...HashicorpSession.segments(settings.mount),
      "data",
      ...HashicorpSession.segments(settings.path),
      ...segmentsOf(owner)
    ]

    /** A deleted or destroyed version is an entry without fields, whose number the next write has to name. */
    const read = Effect.fnUntraced(function*(method: string, owner: string) {
      const { json, status } = yield* call(method, { method: "GET", path: entryOf(owner) })
      if (status === 404 && !Schema.is(Read)(json)) return nothing
      const { data: { data, metadata: { version } } } = yield* Effect.mapError(
        Schema.decodeUnknown(Read)(json),
        () => failure(method, "Protocol", "the answer is not one of the KV engine, version 2")
      )
      return { fields: new Map(Object.entries(data ?? {})), version }
    })

    /** Other fields stay as they are, also those that are no text. */
    const modify = (method: string, owner: string, change: (fields: Fields) => Fields) =>
      Effect.gen(function*() {
        const { fields, version } = yield* read(method, owner)
        const next = change(fields)
        if (next === fields) return
        yield* call(method, {
          method: "POST",
          path: entryOf(owner),
          body: { options: { cas: version }, data: Object.fromEntries(next) }
        })
      }).pipe(Effect.retry({ while: isConflict, schedule: outrun }))

    const fields = (method: string, owner: string) => Effect.map(read(method, owner), ({ fields }) => fields)

    return Vault.VaultConnector.of({
      shared: Option.fromNullable(settings.shared),
      get: (owner, name) => Effect.map(fields("get", owner), (found) => secret(found.get(name))),
      names: (owner) =>
        Effect.map(
          fields("names", owner),
          (found) => Array.from(found).flatMap(([name, value]) => Option.isSome(secret(value)) ? [name] : [])
        ),
      set: (owner, name, value) => modify("set", owner, (fields) => new Map(fields).set(name, Redacted.value(value))),
      remove: (owner, name) =>
        modify(
          "remove",
          owner,
          (fields) => fields.has(name) ? new Map(Array.from(fields).filter(([one]) => one !== name)) : fields
        )
    })
  })
})

/**
 * On `VAULT_ADDR` in `VAULT_NAMESPACE`, with `VAULT_TOKEN`, or as the AppRole `VAULT_ROLE_ID` with `VAULT_SECRET_ID`, or as
 * `VAULT_KUBERNETES_ROLE`; `SRE_VAULT_MOUNT`, `SRE_VAULT_PATH` and `SRE_VAULT_SHARED` say where and for whom.
 */
export const HashicorpVaultLive = HashicorpVault.layerConfig(Config.all({
  url: Config.withDefault(Schema.Config("VAULT_ADDR", BaseUrl), "http://127.0.0.1:8200"),
  namespace: Config.withDefault(Config.nonEmptyString("VAULT_NAMESPACE"), undefined),
  token: Config.withDefault(Config.redacted("VAULT_TOKEN"), undefined),
  appRole: Config.withDefault(
    Config.all({
      roleId: Config.nonEmptyString("VAULT_ROLE_ID"),
      secretId: Config.withDefault(Config.redacted("VAULT_SECRET_ID"), undefined),
      mount: Config.succeed("approle")
    }),
    undefined
  ),
  kubernetes: Config.withDefault(
    Config.all({
      role: Config.nonEmptyString("VAULT_KUBERNETES_ROLE"),
      jwtFile: Config.succeed("/var/run/secrets/kubernetes.io/serviceaccount/token"),
      mount: Config.succeed("kubernetes")
    }),
    undefined
  ),
  timeout: Config.withDefault(Config.duration("VAULT_CLIENT_TIMEOUT"), Duration.seconds(10)),
  mount: Config.withDefault(Config.nonEmptyString("SRE_VAULT_MOUNT"), "secret"),
  path: Config.withDefault(Config.string("SRE_VAULT_PATH"), "sre"),
  shared: Config.withDefault(Config.nonEmptyString("SRE_VAULT_SHARED"), undefined)
}))

const name = "HashicorpVault"

type Fields = ReadonlyMap<string, unknown>

const nothing: { readonly fields: Fields; readonly version: number } = { fields: new Map(), version: 0 }

/** https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version; a deleted version is a 404 like this. */
const Read = Schema.Struct({
  data: Schema.Struct({
    // Not a record: it would lose a field called `__proto__`.
    data: Schema.NullOr(Schema.Object),
    metadata: Schema.Struct({ version: Schema.Number })
  })
})

/** Only text is a secret. */
const secret = (value: unknown) =>
  typeof value === "string" ? Option.some(Redacted.make(value)) : Option.none<Redacted.Redacted>()

/** `team:t1` is `team/t1`. The server refuses two dots in a row anywhere in a path, so the second is written `%2E`. */
const segmentsOf = (owner: string): ReadonlyArray<string> => {
  const cut = owner.indexOf(":")
  const id = owner.slice(cut + 1).replaceAll("%", "%25").replaceAll(/(?<=\.)\./g, "%2E")
  return cut < 0 ? [id] : [owner.slice(0, cut), id]
}

/** Entries are small and writes rare: who was outrun so many times has another problem. */
const outrun = Schedule.intersect(Schedule.jittered(Schedule.spaced("20 millis")), Schedule.recurs(50))

/** What `vault kv` asks first, too: it needs no right but some access below the mount. */
const engineIsThere = Effect.fnUntraced(function*(call: HashicorpSession.Session["call"], { mount }: Settings) {
  const path = ["sys", "internal", "ui", "mounts", ...HashicorpSession.segments(mount)]
  const { json } = yield* Effect.catchIf(
    call("open", { method: "GET", path }),
    ({ reason }) => reason === "Unauthorized",
    (cause) => wrongMount(mount, "nothing is mounted there, or the policies of the login allow nothing below it", cause)
  )
  if (!Schema.is(Mounted)(json)) return yield* wrongMount(mount, "it is not a KV engine of version 2")
})

const Mounted = Schema.Struct({
  data: Schema.Struct({ type: Schema.Literal("kv"), options: Schema.Struct({ version: Schema.Literal("2") }) })
})

const wrongMount = (mount: string, problem: string, cause?: unknown) =>
  Effect.fail(
    new BootError({
      service: "Vault",
      connector: name,
      path: "Vault.Settings.mount",
      problem: `"${mount}": ${problem}`,
      ...(cause === undefined ? {} : { cause })
    })
  )

const failure = (method: string, reason: ConnectorError["reason"], detail: string) =>
  new ConnectorError({ connector: name, method, reason, detail })
