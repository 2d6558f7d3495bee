/** Small documents for tests: components in short form, connections as `"E.x -> H.Data"`. */
import { Context, Duration, Effect, Layer, Schema } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import type { AgentEventBody } from "../../src/agents/AgentEvents.ts"
import * as Compile from "../../src/agents/Compile.ts"
import type { EndpointRequest } from "../../src/agents/Endpoint.ts"
import { Process } from "../../src/agents/Process.ts"
import * as Runs from "../../src/agents/Runs.ts"
import type { StepRunner } from "../../src/agents/Step.ts"
import * as Component from "../../src/components/Component.ts"
import type { Services } from "../../src/components/Services.ts"
import { APIEndpoint } from "../../src/components/system/APIEndpoint.ts"
import { RAMCache } from "../../src/connectors/cache/RAMCache.ts"
import * as Acl from "../../src/security/Acl.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as RuntimeContext from "../../src/subsystems/memory/RuntimeContext.ts"

export interface Short {
  readonly name: string
  readonly data?: Record<string, unknown>
  /** `x`, or `x?` when optional. */
  readonly in?: ReadonlyArray<string | Record<string, unknown>>
  readonly out?: ReadonlyArray<string>
}

/** An endpoint `go` with the given inputs, each also an output of the same name. */
export const endpoint = (...inputs: ReadonlyArray<string>): Short => ({
  name: "APIEndpoint",
  data: { endpoint: "go", method: "POST" },
  in: inputs,
  out: inputs.map((input) => input.replace("?", ""))
})

export const agentDocument = (
  components: Record<string, Short>,
  connections: ReadonlyArray<string>,
  rest: Record<string, unknown> = {}
) => ({
  id: "a1",
  name: "Test agent",
  version: "1.0.0",
  ...rest,
  components: Object.entries(components).map(([id, { data, in: inputs, name, out = used(id, connections) }]) => ({
    id,
    name,
    displayName: name,
    data: data ?? {},
    inputs: (inputs ?? []).map((input) =>
      typeof input === "string" ? { name: input.replace("?", ""), optional: input.endsWith("?") } : input
    ),
    outputs: out.map((output) => ({
      name: output,
      ...(name === "APIEndpoint" ? { expression: `body.${output}` } : {})
    }))
  })),
  connections: connections.map((connection) => {
    const [source, target] = connection.split(" -> ") as [string, string]
    const cut = (end: string) => [end.slice(0, end.indexOf(".")), end.slice(end.indexOf(".") + 1)] as const
    return {
      sourceId: cut(source)[0],
      sourceIndex: cut(source)[1],
      targetId: cut(target)[0],
      targetIndex: cut(target)[1]
    }
  })
})

/** The outputs of a component that connections leave from. */
const used = (id: string, connections: ReadonlyArray<string>): ReadonlyArray<string> =>
  Array.from(
    new Set(connections.flatMap((connection) =>
      connection.startsWith(`${id}.`) && !connection.startsWith(`${id}._error`)
        ? [connection.slice(id.length + 1, connection.indexOf(" -> "))]
        : []
    ))
  )

const open = { openInputs: true, openOutputs: true, category: "data" } as const

/** Gives its inputs as outputs; the first value also as `out`. */
export const Pass = Component.make("Pass", {
  ...open,
  description: "Passes inputs on.",
  run: ({ inputs }) => ({ ...inputs, out: Object.values(inputs)[0] })
})
/** The same, after letting others run. */
export const Wait = Component.make("Wait", {
  ...open,
  description: "Passes inputs on later.",
  config: Schema.Struct({ millis: Schema.optionalWith(Schema.Number, { default: () => 1 }) }),
  run: ({ config, inputs }) => Effect.as(Effect.sleep(config.millis), { ...inputs, out: Object.values(inputs)[0] })
})
export const Fail = Component.make("Fail", {
  ...open,
  description: "Fails.",
  run: () => new Component.ComponentFailed({ message: "no luck", outputs: { detail: 7 } })
})
export const Crash = Component.make("Crash", {
  ...open,
  description: "Throws.",
  run: () => {
    throw new Error("bug")
  }
})
/** `out` while the number is below `limit`, else `done`. */
export const Count = Component.make("Count", {
  ...open,
  description: "Counts up.",
  config: Schema.Struct({ limit: Schema.Number }),
  run: ({ config, inputs }) => {
    const next = Number(inputs["n"]) + 1
    return next < config.limit ? { out: next } : { done: next }
  }
})

export const components = Compile.registry([APIEndpoint, Pass, Wait, Fail, Crash, Count])

export const compiled = (document: unknown, registry: Compile.Registry = components) =>
  Effect.flatMap(AgentDefinition.fromUnknown(document), (definition) => Compile.compile(definition, registry))

export interface RunSettings {
  readonly registry?: Compile.Registry
  readonly key?: string
  readonly emit?: (event: AgentEventBody) => void
  readonly around?: StepRunner
  readonly maxRounds?: number
}

/** The runs of one agent without a process table around them, on the cache it is given. */
export const running = (document: unknown, options: RunSettings = {}) =>
  Effect.gen(function*() {
    const definition = yield* AgentDefinition.fromUnknown(document)
    const { program, warnings } = yield* Compile.compile(definition, options.registry ?? components)
    const candidate = Candidate.agent(definition.id)
    const runs = yield* Runs.make({ ...unbounded, maxRounds: options.maxRounds ?? 100 })
    const process = new Process({ definition, program, warnings, candidate, parent: undefined, acl: Acl.empty })
    const plan = program.plans.get(options.key ?? "POST go")!
    /** A run about to begin. */
    const begin = (prepared: EndpointRequest, watch: Partial<Runs.Watch> = {}) =>
      Effect.flatMap(plan.endpoint.prepare(prepared), (request) => {
        const info = { id: "r1", sessionId: "s1", workflowId: "w1", conversationId: undefined, request }
        const { around, emit: tell } = options
        return runs.begin({ process, info, caller: candidate }, plan, { events: false, around, tell, ...watch })
      })
    return { begin, process, runs }
  }).pipe(Effect.provide(RuntimeContext.layer), Effect.provide(noServices))

/** Compiles and runs `POST go` (or another endpoint). */
export const runDocument = (document: unknown, prepared: EndpointRequest, options: RunSettings = {}) =>
  Effect.gen(function*() {
    const { begin, runs } = yield* running(document, options)
    return yield* runs.complete(yield* begin(prepared))
  }).pipe(Effect.scoped, Effect.provide(cache))

const unbounded: Omit<Runs.RunsOptions, "maxRounds"> = {
  maxRuns: Infinity,
  maxRunsPerAgent: Infinity,
  maxRunsPerCandidate: Infinity,
  maxQueued: 0,
  maxWait: Duration.zero,
  maxPaused: Infinity,
  maxPausedPerTenant: Infinity,
  maxPausedPerAgent: Infinity,
  runTimeout: Duration.hours(10),
  jobTimeout: Duration.hours(10),
  drainTimeout: Duration.zero,
  busy: undefined
}

/** The components of these tests ask for no service. */
const noServices = Context.empty() as Context.Context<Services>
/** A cache of its own for each run. */
export const cache = Layer.fresh(RAMCache.layer({}))
