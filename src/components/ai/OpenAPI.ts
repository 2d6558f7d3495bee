/** Lets a model use an HTTP API by its OpenAPI document; in older documents the component's name is `GPTPlugin`. */
import { Effect, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import { type ApiDocument, ApiDocuments } from "../../subsystems/io/ApiDocuments.ts"
import { Outbound } from "../../subsystems/io/Outbound.ts"
import * as Component from "../Component.ts"
import * as Exchange from "../external/apicall/Exchange.ts"
import * as Headers from "../external/apicall/Headers.ts"
import * as Reply from "../external/apicall/Reply.ts"
import * as Templated from "../external/apicall/Templated.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Completion from "./Completion.ts"
import * as Operations from "./openapi/Operations.ts"
import * as Request from "./openapi/Request.ts"
import * as SentFiles from "./openapi/SentFiles.ts"
import * as Talk from "./Talk.ts"

export const OpenAPI = Component.make("OpenAPI", {
  description: "Lets a model answer a prompt with the operations of an HTTP API, described by its OpenAPI document.",
  category: "ai",
  aliases: ["GPTPlugin"],
  config: Schema.Struct({
    ...Talk.settings,
    /** Of an OpenAPI 3 document, JSON or YAML, or of a plugin manifest that names one. */
    specUrl: Settings.text({ max: 2048 }),
    /** Where the API is, in place of the server the document names. */
    serverUrl: Settings.optional(Settings.text({ max: 2048 })),
    /** Sent with every request: an object, or its JSON text; `{{KEY(name)}}` is a secret of the vault. */
    headers: Settings.optional(Templated.FromUnknown),
    /** Secrets by the name of their security scheme in the document. */
    credentials: Settings.optional(Templated.FromUnknown),
    /** The OAuth connection whose token goes with every request. */
    oauth_con_id: Settings.text({ default: "None" })
  }),
  inputs: Schema.Struct({ Prompt: Schema.optional(Port.Any), Query: Schema.optional(Port.Any) }),
  outputs: Schema.Struct({ Output: Port.Any }),
  openInputs: true,
  openOutputs: true,
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const prompt = Json.toText(inputs.Prompt ?? inputs.Query ?? "")
    if (prompt === "") {
      return yield* new Component.ComponentFailed({ message: "Prompt: it is empty, nothing was asked" })
    }
    const files = SentFiles.of(inputs, step)
    const filler = Templated.filler(step.data)
    const headers = yield* Headers.render(config.headers, filler)
    const credentials = yield* Headers.render(config.credentials, filler, "credentials")
    const connection = /^\s*(none)?\s*$/i.test(config.oauth_con_id) ? undefined : config.oauth_con_id
    const { document, hint, url } = yield* load(config.specUrl)
    const operations = Operations.of(document, url, config.serverUrl)
    for (const one of operations.omitted) step.log("warning", `left out: ${one}`)
    const isTrusted = config.serverUrl !== undefined ||
      (connection === undefined && Object.keys({ ...headers, ...credentials }).length === 0)
    const stranger = operations.callable.find(({ server }) => new URL(server).origin !== new URL(config.specUrl).origin)
    if (!isTrusted && stranger !== undefined) {
      return yield* new Component.ComponentFailed({
        message: `The document sends requests to ${new URL(stranger.server).origin}, which is not where it is from. ` +
          `Set serverUrl to let your credentials go there`
      })
    }
    const call = Effect.fnUntraced(function*(operation: Operations.Callable, args: Readonly<Record<string, unknown>>) {
      const problems = yield* Effect.flatMap(ApiDocuments, (documents) => documents.problems(operation.schema, args))
      if (problems.length > 0) {
        return yield* new Component.ComponentFailed({ message: `Not sent: ${problems.slice(0, 10).join("; ")}` })
      }
      const request = yield* Request.of(operation, args, document, byScheme(document, credentials), files)
      const sent = {
        ...request,
        headers: { accept: "application/json", ...request.headers, ...headers },
        maxRedirects: 0
      }
      const response = yield* Exchange.send(sent, { connection, retries: 0 })
      step.log("debug", `${operation.method} ${operation.path}: ${response.status}`)
      const answer = (yield* Effect.mapError(Reply.read(response), withBody)).Response
      files.answered(answer)
      return answer
    }, Effect.scoped)
    const text = yield* Talk.ask({
      config,
      system: step.render(config.descForModel) || hint,
      prompt: files.told === "" ? prompt : `${prompt}\n\n${files.told}`,
      tools: Talk.named(operations.callable, ({ name }) => name).map(([name, operation]) => ({
        tool: { name, description: operation.description, parameters: operation.schema },
        status: `Calling ${operation.name}`,
        run: (args) => call(operation, args)
      })),
      step
    })
    return { Output: text }
  })
})

/** The document, and where it is from in the end. Of a manifest, what it says to models comes along. */
const load = Effect.fnUntraced(function*(specUrl: string) {
  const documents = yield* ApiDocuments
  const first = yield* download(specUrl)
  const manifest = Json.extract(first)
  const api = Completion.isObject(manifest) ? manifest["api"] : undefined
  if (!Completion.isObject(api) || typeof api["url"] !== "string" || !Completion.isObject(manifest)) {
    return { document: yield* documents.parse(first), hint: "", url: specUrl }
  }
  const url = URL.canParse(api["url"], specUrl) ? new URL(api["url"], specUrl).href : api["url"]
  const hint = manifest["description_for_model"]
  const document = yield* documents.parse(yield* download(url))
  return { document, hint: typeof hint === "string" ? hint : "", url }
})

const download = Effect.fnUntraced(function*(url: string) {
  const outbound = yield* Outbound
  const { body, status } = yield* outbound.request({ method: "GET", url })
  if (status >= 300) {
    return yield* new Component.ComponentFailed({ message: `The OpenAPI document: status ${status} of its server` })
  }
  return new TextDecoder().decode(body)
})

/** The names of settings come in lower case. */
const byScheme = (document: ApiDocument, credentials: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.keys(document.components.securitySchemes).flatMap((name) => {
      const value = credentials[name.toLowerCase()]
      return value === undefined ? [] : [[name, value]]
    })
  )

/** What the API says of a failure is what a model can learn from. */
const withBody = <E>(error: E) =>
  error instanceof Component.ComponentFailed && error.outputs?.["Response"] !== undefined
    ? new Component.ComponentFailed({ message: `${error.message}: ${Json.preview(error.outputs["Response"], 1000)}` })
    : error
