/** The door of an agent: which inputs a request must bring, and how they are made to fit. Refuses before anything runs. */
import { Either, Schema } from "effect"
import { coercer } from "../components/Coerce.ts"
import type { AgentRequest, ComponentInfo } from "../components/Component.ts"
import * as Json from "../kernel/Json.ts"
import { type InputPort, isRecord, isSet } from "./AgentDocument.ts"

/** What a caller sends. Names of headers are made lower case. */
export interface EndpointRequest {
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: unknown
  readonly query?: Readonly<Record<string, unknown>> | undefined
}

export const InputProblem = Schema.Struct({
  input: Schema.String,
  /** `missing`: required, and neither sent nor defaulted. `invalid`: sent, but does not fit. */
  reason: Schema.Literal("missing", "invalid"),
  problem: Schema.String
})

/** The request does not bring what the endpoint needs; lists every input that is missing or does not fit. */
export class BadInput extends Schema.TaggedError<BadInput>()("BadInput", {
  endpoint: Schema.String,
  inputs: Schema.Array(InputProblem)
}) {
  override get message(): string {
    return `Endpoint "${this.endpoint}" refused the request: ${
      this.inputs.map(({ input, problem }) => `${input}: ${problem}`).join("; ")
    }`
  }
}

export interface Endpoint {
  readonly name: string
  readonly method: "GET" | "POST"
  readonly description: string
  readonly doc: string
  readonly statusMessage: string
  /** Whether conversations may call it as a tool. */
  readonly exposed: boolean
  readonly inputs: ReadonlyArray<EndpointInput>
  readonly prepare: (request: EndpointRequest) => Either.Either<AgentRequest, BadInput>
}

export interface EndpointInput {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly description: string
  readonly fallback: unknown
}

export const make = (
  settings: {
    readonly endpoint: string
    readonly method: "GET" | "POST"
    readonly description: string
    readonly doc: string
    readonly ai_exposed: boolean
    readonly endpointLabel: string
    readonly status_message: string
  },
  ports: ReadonlyArray<InputPort>
): Endpoint => {
  const { endpoint: name, method } = settings
  const inputs = ports.map((port): EndpointInput => ({
    name: port.name,
    type: port.type ?? "Any",
    required: !isSet(port.optional) && isEmpty(port.defaultVal),
    description: port.description ?? "",
    fallback: isEmpty(port.defaultVal) ? undefined : port.defaultVal
  }))
  const fitters = inputs.map((input) => ({ ...input, fit: fitter(input.type) }))

  const prepare = ({ body, headers, query }: EndpointRequest): Either.Either<AgentRequest, BadInput> => {
    const given = method === "GET" ? query ?? {} : body ?? {}
    const problems: Array<typeof InputProblem.Type> = []
    if (!isRecord(given)) {
      if (fitters.length > 0) {
        problems.push({ input: "body", reason: "invalid", problem: `expected an object with ${names(inputs)}` })
      }
    } else {
      const fitted: Record<string, unknown> = { ...given }
      for (const { fallback, fit, name: input, required, type } of fitters) {
        const own = Object.hasOwn(given, input) ? given[input] : undefined
        // A form sends an empty field as empty text.
        const sent = own === "" && !isTextual(type) ? undefined : own
        const value = fallback !== undefined && isEmpty(sent) ? fallback : sent
        if (value === undefined || value === null) {
          if (required) problems.push({ input, reason: "missing", problem: `required ${type} is missing` })
          delete fitted[input]
          continue
        }
        const result = fit(value)
        if (Either.isRight(result)) define(fitted, input, result.right)
        else problems.push({ input, reason: "invalid", problem: `Invalid ${type} value: ${result.left}` })
      }
      if (problems.length === 0) {
        return Either.right({
          method,
          endpoint: name,
          headers: lower(headers),
          body: method === "GET" ? body ?? {} : fitted,
          query: method === "GET" ? fitted : query ?? none
        })
      }
    }
    return problems.length > 0
      ? Either.left(new BadInput({ endpoint: name, inputs: problems }))
      : Either.right({ method, endpoint: name, headers: lower(headers), body, query: query ?? none })
  }

  return {
    name,
    method,
    description: settings.description === "" ? settings.doc : settings.description,
    doc: settings.doc,
    statusMessage: settings.status_message !== ""
      ? settings.status_message
      : `Calling ${settings.endpointLabel === "" ? name : settings.endpointLabel}`,
    exposed: settings.ai_exposed,
    inputs,
    prepare
  }
}

/** The inputs of a component, as if they were a request's. None is required: an input that is not connected is not either. */
export const ofComponent = ({ id, inputs }: ComponentInfo): Endpoint =>
  make(
    {
      endpoint: id,
      method: "POST",
      description: "",
      doc: "",
      ai_exposed: false,
      endpointLabel: "",
      status_message: ""
    },
    inputs.map(({ name, type }) => ({ name, type, optional: true }))
  )

const isTextual = (type: string): boolean => ["any", "text", "string"].includes(type.toLowerCase())

/** Text that looks like an object becomes one only where any value is welcome; declared text stays text. */
const fitter = (type: string) => {
  const coerce = coercer(type)
  return type.toLowerCase() !== "any" ?
    coerce :
    (value: unknown) =>
      coerce(typeof value === "string" && /^\s*\{[\s\S]*\}\s*$/.test(value) ? Json.extract(value) : value)
}

/** Plain assignment would let a body named `__proto__` change the object's prototype. */
const define = (target: Record<string, unknown>, key: string, value: unknown): void => {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

const none: Readonly<Record<string, never>> = Object.freeze({})

const lower = (headers: Readonly<Record<string, string>> = none): Readonly<Record<string, string>> =>
  headers === none
    ? none
    : Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** Nothing was sent: absent, null, blank text, an empty list or an empty object. `0` and `false` are values. */
const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === "string" && value.trim() === "") ||
  (Array.isArray(value) && value.length === 0) || (isRecord(value) && Object.keys(value).length === 0)

const names = (inputs: ReadonlyArray<EndpointInput>) => inputs.map(({ name }) => `"${name}"`).join(", ")
