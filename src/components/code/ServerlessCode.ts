import { Effect, Option, Redacted, Schema } from "effect"
import { createHash } from "node:crypto"
import * as Secrets from "../../security/Secrets.ts"
import { Vault } from "../../security/Vault.ts"
import type { VendorAccount } from "../../subsystems/compute/Code.ts"
import * as Main from "../../subsystems/compute/Main.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import { advise, placed, runCode } from "./RunCode.ts"

const Config = Schema.Struct({
  code: Settings.text({ max: 500_000, default: "" }),
  /** Older documents have the code in two parts: lines that import, and the body of `main`. */
  code_imports: Settings.text({ max: 1000, default: "" }),
  code_body: Settings.text({ max: 500_000, default: "" }),
  use_own_keys: Settings.boolean({ default: false }),
  /** May hold vault keys, as the next. */
  accessKeyId: Settings.template({ default: "" }),
  secretAccessKey: Settings.template({ default: "" }),
  region: Settings.optional(Schema.String),
  /** ARN of the role the code runs as in an account of one's own. */
  role: Settings.optional(Schema.String)
})
type Config = typeof Config.Type

export const ServerlessCode = Component.make("ServerlessCode", {
  description:
    "Runs JavaScript where the Code service runs it, a cloud function, say. {{KEY(name)}} in the code is a vault key.",
  category: "external",
  config: Config,
  outputs: Schema.Struct({ Output: Port.Any }),
  openInputs: true,
  openOutputs: true,
  check: (config, { inputs }) =>
    config.code === "" && config.code_body === ""
      ? [{ setting: "code", problem: "there is no code" }]
      : config.code !== ""
      ? advise("code", withSecrets(config.code).code)
      : adviseParts(config, inputs.map(({ name }) => name)),
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const { code, names } = withSecrets(codeOf(config, Object.keys(inputs)))
    const vault = yield* Vault
    const secrets = yield* Effect.forEach(
      names,
      (name) => Effect.map(vault.get(name), (value) => [name, value] as const)
    )
    const account = config.use_own_keys ? yield* accountOf(config, step) : undefined
    return yield* runCode(step, {
      code,
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, read(value)])),
      secrets: Object.fromEntries(secrets),
      name: nameOf(step.agent.id, step.component.id),
      ...(account === undefined ? {} : { account })
    })
  })
})

const codeOf = ({ code, code_body, code_imports }: Config, inputs: ReadonlyArray<string>) => {
  const parameters = inputs.filter((name) => /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name))
  return code !== "" ? code : `${code_imports}\nasync function main(${parameters.join(", ")}) {\n${code_body}\n}`
}

/** The two parts are checked as the one that runs; what is wrong is told with its place in the part it is in. */
const adviseParts = (config: Config, inputs: ReadonlyArray<string>): ReadonlyArray<Component.Advice> => {
  const problem = Main.problemIn(withSecrets(codeOf(config, inputs)).code)
  if (problem === undefined) return []
  const { code_body, code_imports } = config
  const above = code_imports.split("\n").length
  const { line = 0 } = problem
  if (line <= above) return [{ setting: "code_imports", problem: placed(problem) }]
  const last = code_body.split("\n").length
  return [{ setting: "code_body", problem: placed({ ...problem, line: Math.min(line - above - 1, last) }) }]
}

/** A token, also one in quotes, becomes the value: secrets are no part of the code. */
const withSecrets = (code: string) => {
  const names = new Set<string>()
  const replaced = code.replace(/(["'`]?)\{\{\s*KEY\(\s*([^(){}]+?)\s*\)\s*\}\}\1/g, (_, _quote, name: string) => {
    names.add(name)
    return `secrets[${JSON.stringify(name)}]`
  })
  return { code: replaced, names: Array.from(names) }
}

const readJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

/** Text that is JSON is what it says. */
const read = (value: unknown) => typeof value === "string" ? Option.getOrElse(readJson(value), () => value) : value

const accountOf = (config: Config, step: Component.Step) =>
  Effect.gen(function*() {
    const accessKeyId = yield* Secrets.render(config.accessKeyId, step.data, { missing: "drop" })
    const secretAccessKey = yield* Secrets.render(config.secretAccessKey, step.data, { missing: "drop" })
    if (Redacted.value(accessKeyId) === "" || Redacted.value(secretAccessKey) === "") {
      return yield* new Component.ComponentFailed({
        message: "use_own_keys: set accessKeyId and secretAccessKey, best to vault keys: {{KEY(name)}}"
      })
    }
    return { accessKeyId, secretAccessKey, region: config.region, role: config.role } satisfies VendorAccount
  })

/** What the code is deployed under; two components never share one. */
const nameOf = (agent: string, component: string) => {
  const plain = `${agent}-${component}`
  const name = plain.replace(/[^\w-]/g, "-").slice(0, 80)
  return name === plain ? name : `${name}-${createHash("sha256").update(plain).digest("hex").slice(0, 16)}`
}
