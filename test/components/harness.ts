/** Runs one component as a step of an agent would: settings decoded, inputs coerced by its ports. */
import { Effect, ParseResult, type Schema } from "effect"
import * as Ports from "../../src/agents/Ports.ts"
import * as Component from "../../src/components/Component.ts"
import * as TemplateString from "../../src/kernel/TemplateString.ts"

export type PortOptions = {
  readonly name: string
  readonly type?: string
  readonly optional?: boolean
}

export interface RunOptions {
  /** As a document has them. */
  readonly settings?: Readonly<Record<string, unknown>>
  readonly inputs?: Readonly<Record<string, unknown>>
  /** Declared inputs, a name or a port; the inputs given, when left out. */
  readonly ports?: ReadonlyArray<string | PortOptions>
  /** Declared outputs. */
  readonly outputs?: ReadonlyArray<string | { readonly name: string; readonly description: string }>
  /** Variables of the agent. */
  readonly variables?: Readonly<Record<string, unknown>>
  /** What a component may know of its place, where a test cares. */
  readonly step?: Partial<Pick<Component.Step, "agent" | "run" | "jobs" | "log" | "emit" | "used">>
}

type Fields = Schema.Struct.Fields

/** The outputs; wrong settings, wrong inputs and failures all are a `ComponentFailed`. */
export const runComponent = <C extends Fields, I extends Fields, O extends Fields, R>(
  component: Component.Component<string, C, I, O, R>,
  options: RunOptions = {}
): Effect.Effect<Component.Outputs, Component.ComponentFailed, R> =>
  Effect.gen(function*() {
    const { inputs: given = {}, settings = {}, variables = {} } = options
    const config = yield* Effect.mapError(
      ParseResult.decodeUnknown(component.config as unknown as Schema.Schema<never>, { errors: "all" })(settings),
      (issue) =>
        failed(
          ParseResult.ArrayFormatter.formatIssueSync(issue)
            .map(({ message, path }) => `${path.join(".")}: ${message}`).join("; ")
        )
    )
    const ports = Ports.inputs(
      {
        id: "C1",
        name: component.name,
        inputs: (options.ports ?? Object.keys(given)).map((port) => typeof port === "string" ? { name: port } : port)
      },
      component as unknown as Component.Any
    )
    const inputs: Record<string, unknown> = {}
    for (const { coerce, port: { name } } of ports) {
      if (!Object.hasOwn(given, name) || given[name] === undefined) continue
      inputs[name] = yield* Effect.mapError(coerce(given[name]), (problem) => failed(`${name}: ${problem}`))
    }
    const data = { ...variables, ...inputs }
    const result = component.run({
      config,
      inputs: inputs as never,
      step: {
        key: "C1",
        component: {
          id: "C1",
          name: component.name,
          displayName: component.name,
          title: component.name,
          inputs: ports.map(({ port, type }) => ({ ...plainPort(port.name), type, optional: port.optional === true })),
          outputs: (options.outputs ?? []).map((port) => ({
            ...(typeof port === "string" ? plainPort(port) : { ...plainPort(port.name), ...port }),
            expression: undefined
          })),
          templateValues: {}
        },
        agent: options.step?.agent ?? { id: "a1", name: "Test agent", behavior: "", variables },
        run: options.step?.run ?? run,
        jobs: options.step?.jobs ?? { wait: () => Effect.succeed({}) },
        data,
        render: (template, how) => TemplateString.render(template, data, how),
        log: options.step?.log ?? (() => {}),
        emit: options.step?.emit ?? (() => {}),
        used: options.step?.used ?? (() => {})
      }
    })
    return yield* result instanceof Component.ComponentFailed
      ? result
      : Effect.isEffect(result)
      ? Effect.mapError(result, (error) =>
        error instanceof Component.ComponentFailed ? error : failed(error.message, error))
      : Effect.succeed(result)
  })

const run: Component.RunInfo = {
  id: "r1",
  sessionId: "s1",
  workflowId: "w1",
  conversationId: undefined,
  request: { method: "POST", endpoint: "go", headers: {}, body: {}, query: {} }
}

const plainPort = (name: string): Component.PortInfo => ({
  name,
  type: "Any",
  optional: false,
  default: false,
  description: undefined
})

const failed = (message: string, cause?: unknown) =>
  new Component.ComponentFailed(cause === undefined ? { message } : { message, cause })
