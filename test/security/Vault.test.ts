import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Either, Layer, Option, Redacted } from "effect"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { DummyAccount } from "../../src/connectors/account/DummyAccount.ts"
import { JSONFileVault } from "../../src/connectors/vault/JSONFileVault.ts"
import * as TemplateString from "../../src/kernel/TemplateString.ts"
import * as Audit from "../../src/security/Audit.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as Credentials from "../../src/security/Credentials.ts"
import * as Secrets from "../../src/security/Secrets.ts"
import { Vault } from "../../src/security/Vault.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const data = {
  t1: { users: { ann: {}, both: {} }, agents: { a1: {} } },
  t2: { users: { bob: {}, both: {} } }
}

const secrets = {
  t1: { openai: "t1's openai", stripe: "t1's stripe" },
  t2: { openai: "t2's openai", private: "t2's private" },
  common: { openai: "common openai", tavily: "common tavily" },
  "user:ann": { stripe: "ann's stripe" }
}

const entries: Array<Audit.AuditEntry> = []
const audited = Layer.succeed(Audit.Audit, {
  level: "owner",
  record: (entry) => Effect.sync(() => void entries.push(entry))
})

/** The vault over `secrets`, or over a new file. */
const vault = (options: { readonly shared?: string; readonly empty?: boolean } = {}) =>
  Layer.unwrapScoped(Effect.gen(function*() {
    entries.length = 0
    const file = join(yield* tempFolder, "vault.json")
    if (options.empty !== true) yield* Effect.promise(() => writeFile(file, JSON.stringify(secrets)))
    const settings = { file, ...(options.shared === undefined ? {} : { shared: options.shared }) }
    return JSONFileVault.layer(settings).pipe(
      Layer.provide(Layer.fresh(DummyAccount.layer({ data }))),
      Layer.provide(audited)
    )
  }))

const ann = Candidate.user("ann")
const bob = Candidate.user("bob")
const both = Candidate.user("both")
const stranger = Candidate.user("stranger")

/** The secret as `who` sees it, or the tag of the refusal. */
const get = (name: string, who: Candidate.Candidate) =>
  Effect.flatMap(Vault, (vault) => Candidate.as(vault.get(name), who)).pipe(
    Effect.map(Redacted.value),
    Effect.catchAll(({ _tag }) => Effect.succeed(_tag))
  )

describe("who sees which secret", () => {
  it.effect("its own home's, then its teams', and no other's", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* get("openai", ann), "t1's openai")
      assert.strictEqual(yield* get("stripe", ann), "ann's stripe")
      assert.strictEqual(yield* get("stripe", Candidate.agent("a1")), "t1's stripe")
      assert.strictEqual(yield* get("stripe", Candidate.team("t1")), "t1's stripe")
      assert.strictEqual(yield* get("openai", both), "t1's openai")
      assert.strictEqual(yield* get("private", both), "t2's private")
      for (const who of [ann, stranger, Candidate.agent("ann"), Candidate.user("t2"), Candidate.anyone]) {
        assert.strictEqual(yield* get("private", who), "SecretNotFound")
      }
    }).pipe(Effect.provide(vault())))

  it.effect("the shared team's last, and only when the operator named one; the public has none", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* get("tavily", ann), "common tavily")
      assert.strictEqual(yield* get("openai", ann), "t1's openai")
      assert.strictEqual(yield* get("openai", stranger), "common openai")
      assert.strictEqual(yield* get("openai", Candidate.anyone), "SecretNotFound")
    }).pipe(
      Effect.provide(vault({ shared: "common" })),
      Effect.zipRight(
        Effect.provide(Effect.tap(get("tavily", ann), (seen) => assert.strictEqual(seen, "SecretNotFound")), vault())
      )
    ))

  it.effect("nobody is refused by every method", () =>
    Effect.gen(function*() {
      const service = yield* Vault
      const refusals = yield* Effect.forEach(
        [
          service.get("openai"),
          service.exists("openai"),
          service.list,
          service.set("a", Redacted.make("b")),
          service.remove("a")
        ],
        (method) => Effect.flip(method as Effect.Effect<unknown, { readonly _tag: string }>)
      )
      assert.deepStrictEqual(refusals.map(({ _tag }) => _tag), Array.from({ length: 5 }, () => "NoCandidate"))
    }).pipe(Effect.provide(vault())))

  it.effect("the list has what may be used, shared ones beside one's own", () =>
    Effect.gen(function*() {
      const service = yield* Vault
      assert.deepStrictEqual(yield* Candidate.as(service.list, ann), ["openai", "stripe", "tavily"])
      assert.deepStrictEqual(yield* Candidate.as(service.list, stranger), ["openai", "tavily"])
      assert.isTrue(yield* Candidate.as(service.exists("stripe"), ann))
      assert.isFalse(yield* Candidate.as(service.exists("private"), ann))
    }).pipe(Effect.provide(vault({ shared: "common" }))))

  it.effect("a missing one is named, with near names of those one may use", () =>
    Effect.gen(function*() {
      const service = yield* Vault
      const error = yield* Effect.flip(Candidate.as(service.get("opnai"), ann))
      assert.strictEqual(error.message, "No secret named \"opnai\" in the vault. Did you mean \"openai\"?")
      const other = yield* Effect.flip(Candidate.as(service.get("privat"), ann))
      assert.notInclude(other.message, "private")
    }).pipe(Effect.provide(vault())))

  it.effect("every use is audited by name, and a missing one is no use", () =>
    Effect.gen(function*() {
      yield* get("openai", ann)
      yield* get("missing", ann)
      assert.deepStrictEqual(
        entries.map(({ candidate, operation, resource, service, verdict }) => ({
          candidate,
          operation,
          resource,
          service,
          verdict
        })),
        [{ candidate: ann, operation: "get", resource: "openai", service: "Vault", verdict: "granted" }]
      )
      assert.notInclude(JSON.stringify(entries), "t1's")
    }).pipe(Effect.provide(vault())))

  it.effect("who can do without one finds none, as the asker", () =>
    Effect.gen(function*() {
      const { find } = yield* Vault
      assert.deepStrictEqual(
        Option.map(yield* Candidate.as(find("openai"), ann), Redacted.value),
        Option.some("t1's openai")
      )
      assert.deepStrictEqual(yield* Candidate.as(find("openai"), stranger), Option.none())
      assert.strictEqual((yield* Effect.flip(find("openai")))._tag, "NoCandidate")
    }).pipe(Effect.provide(vault())))
})

describe("who may write", () => {
  const set = (name: string, value: string, who: Candidate.Candidate) =>
    Effect.flatMap(Vault, (vault) => Effect.either(Candidate.as(vault.set(name, Redacted.make(value)), who)))

  it.effect("one's own home, and a team's its members", () =>
    Effect.gen(function*() {
      yield* set("own", "1", ann)
      yield* set("smythfs://t1.team/shared", "2", ann)
      assert.strictEqual(yield* get("own", ann), "1")
      assert.strictEqual(yield* get("own", Candidate.agent("a1")), "SecretNotFound")
      assert.strictEqual(yield* get("shared", Candidate.agent("a1")), "2")
      const service = yield* Vault
      yield* Candidate.as(service.remove("smythfs://t1.team/shared"), Candidate.agent("a1"))
      assert.strictEqual(yield* get("shared", ann), "SecretNotFound")
    }).pipe(Effect.provide(vault({ empty: true }))))

  it.effect("nobody else's, not even a shared team's, and every try is audited", () =>
    Effect.gen(function*() {
      yield* set("smythfs://common.team/openai", "1", Candidate.team("common"))
      for (const target of ["smythfs://t1.team/x", "smythfs://ann.user/x", "smythfs://common.team/openai"]) {
        const refused = yield* set(target, "stolen", bob)
        assert.isTrue(Either.isLeft(refused) && refused.left._tag === "AccessDenied", target)
      }
      const home = yield* set("x", "1", Candidate.anyone)
      assert.isTrue(Either.isLeft(home) && home.left._tag === "AccessDenied")
      assert.strictEqual(entries.filter(({ verdict }) => verdict === "denied").length, 4)
      const invalid = yield* set("../x", "1", ann)
      assert.isTrue(Either.isLeft(invalid) && invalid.left._tag === "InvalidKey")
    }).pipe(Effect.provide(vault({ empty: true, shared: "common" }))))
})

describe("templates with secrets", () => {
  const render = (template: string, who: Candidate.Candidate, options?: Parameters<typeof Secrets.render>[2]) =>
    Candidate.as(Secrets.render(TemplateString.parse(template), { city: "Rome & \"Bari\"" }, options), who)

  it.effect("get them from the vault of who is asking", () =>
    Effect.gen(function*() {
      const template = "{{KEY(openai)}} for {{city}}, {{KEY(openai)}}"
      const rendered = yield* render(template, ann)
      assert.strictEqual(Redacted.value(rendered), "t1's openai for Rome & \"Bari\", t1's openai")
      assert.notInclude(String(rendered), "t1's")
      assert.include(Redacted.value(yield* render(template, bob)), "t2's openai")
    }).pipe(Effect.provide(vault())))

  it.effect("a secret that is missing fails, and is never its own name or nothing", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(render("Bearer {{KEY(private)}}", ann, { missing: "drop" }))
      assert.isTrue(error._tag === "SecretNotFound" && error.name === "private")
    }).pipe(Effect.provide(vault())))

  it.effect("without a secret the vault is not asked, and nobody need be asking", () =>
    Effect.gen(function*() {
      const rendered = yield* Secrets.render(TemplateString.parse("to {{city}}{{gone}}"), { city: "Rome" }, {
        missing: "drop"
      })
      assert.strictEqual(Redacted.value(rendered), "to Rome")
    }).pipe(Effect.provide(vault())))
})

describe("credentials", () => {
  const resolve = (
    modes: ReadonlyArray<Credentials.Mode>,
    who = ann,
    environment: string | undefined = "OPENAI_API_KEY"
  ) =>
    Effect.flatMap(Vault, (vault) => Credentials.resolve(vault, { provider: "OpenAI", modes, environment })).pipe(
      Candidate.as(who),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["OPENAI_API_KEY", "operator's"], ["EMPTY", ""]]))),
      Effect.map((key) => key._tag === "Some" ? Redacted.value(key.value) : undefined)
    )

  it.effect("the first mode that yields a key wins", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* resolve(["vault", "internal"]), "t1's openai")
      assert.strictEqual(yield* resolve(["internal", "vault"]), "operator's")
      assert.strictEqual(yield* resolve(["vault", "internal"], stranger), "operator's")
      assert.strictEqual(yield* resolve(["internal", "vault"], ann, "EMPTY"), "t1's openai")
      assert.strictEqual(yield* resolve(["internal"], ann, "UNSET"), undefined)
      assert.strictEqual(yield* resolve(["none", "vault"]), undefined)
      assert.strictEqual(yield* resolve([]), undefined)
    }).pipe(Effect.provide(vault())))

  it.effect("an object gives its key, in which secrets are the asker's", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* resolve([{ apiKey: Redacted.make("sk-literal") }, "vault"]), "sk-literal")
      assert.strictEqual(yield* resolve([{ apiKey: Redacted.make("{{KEY(stripe)}}") }]), "ann's stripe")
      assert.strictEqual(yield* resolve([{ apiKey: Redacted.make("") }, "vault"]), "t1's openai")
      const error = yield* Effect.flip(resolve([{ apiKey: Redacted.make("{{KEY(private)}}") }, "internal"]))
      assert.strictEqual(error._tag, "SecretNotFound")
    }).pipe(Effect.provide(vault())))

  it.effect("nobody gets no key, not even the operator's, from the vault", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Credentials.resolve(yield* Vault, { provider: "OpenAI", modes: ["vault", "internal"], environment: undefined })
      )
      assert.strictEqual(error._tag, "NoCandidate")
    }).pipe(Effect.provide(vault())))
})
