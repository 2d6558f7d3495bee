/** From a document to a program: one pass that validates the whole graph and reports all problems together. */
import { Effect, type Either, ParseResult, Schema } from "effect"
import { createHash } from "node:crypto"
import type * as Component from "../components/Component.ts"
import * as Json from "../kernel/Json.ts"
import { didYouMean } from "../kernel/Nearest.ts"
import { type AgentDefinition, agentInfo, type Skill } from "./AgentDefinition.ts"
import { type ComponentRecord, type Connection, isSet, pathText } from "./AgentDocument.ts"
import { checkPorts, checkProgress, checkReach, type Report, wiredToEntries } from "./Checks.ts"
import * as Entries from "./Entries.ts"
import * as Ports from "./Ports.ts"
import { InvalidAgent, type Problem } from "./Problem.ts"
import type { AgentProgram, Edge, Node, Slot } from "./Program.ts"
import * as Regions from "./Regions.ts"
import * as Variables from "./Variables.ts"

/** Components by name and alias. */
export type Registry = ReadonlyMap<string, Component.Any>

export const registry = (components: Iterable<Component.Any>): Registry =>
  new Map(Array.from(components, (one) => [one.name, ...one.aliases].map((name) => [name, one] as const)).flat())

export interface Compiled {
  readonly program: AgentProgram
  /** What does not keep the agent from running. */
  readonly warnings: ReadonlyArray<Problem>
}

/** Fails with every problem of the document at once, when at least one of them is an error. */
export const compile = (definition: AgentDefinition, components: Registry): Effect.Effect<Compiled, InvalidAgent> =>
  Effect.suspend(() => {
    const known = shared(definition, components)
    if (known !== undefined) return Effect.succeed(known)
    const { problems, program } = build(definition, components)
    if (problems.some(({ severity }) => severity === "error")) {
      return Effect.fail(new InvalidAgent({ agent: definition.id, problems }))
    }
    const compiled = { program, warnings: problems }
    lately.set(definition.document.components, { print: printOf(definition), definition, components, compiled })
    return Effect.succeed(compiled)
  })

/** What the same components were compiled to: agents made of one template share all but their names. */
const lately = new WeakMap<object, {
  /** Whoever made the document may have changed it since. */
  readonly print: string
  readonly definition: AgentDefinition
  readonly components: Registry
  readonly compiled: Compiled
}>()

const shared = (definition: AgentDefinition, components: Registry): Compiled | undefined => {
  const known = lately.get(definition.document.components)
  if (
    known === undefined || known.components !== components || known.definition.skills !== definition.skills ||
    known.print !== printOf(definition)
  ) return undefined
  const { program, warnings } = known.compiled
  return { program: { ...program, agent: agentInfo(definition, program.agent.variables) }, warnings }
}

const printOf = ({ document: { components, connections, variables } }: AgentDefinition): string =>
  createHash("sha256").update(Json.stringify([components, connections, variables])).digest("base64")

/** One component of the document on its way to a node. */
interface Draft extends Entries.Draft {
  readonly inputs: Array<Ports.Input>
  readonly outputs: ReadonlyArray<ReturnType<typeof Ports.outputs>[number]>
  readonly incoming: Map<number, Array<number>>
  readonly out: Array<number>
}

const build = (definition: AgentDefinition, components: Registry) => {
  const { document } = definition
  const found: Array<Problem> = []
  const report = (problem: Omit<Problem, "severity">, severity: Problem["severity"] = "error") => {
    found.push({ severity, ...problem })
  }
  const variables = Variables.ofAgent(document)
  for (const name of variables.tooLarge) {
    report({
      path: pathText(["variables", name]),
      problem:
        `with the variables it names it would be too large; all of them may have ${Variables.maxChars} characters`
    })
  }
  const drafts = draft(definition, components, variables, report)
  const byId = new Map(drafts.map((one) => [one.record.id, one]))
  const edges = connect(document.connections ?? [], byId, new Set(document.components.map(({ id }) => id)), report)
  const nodes = drafts.map((one) => toNode(one, edges, variables))
  for (const { component, config, index, position } of drafts) {
    if (config === undefined) continue
    for (const { problem, setting } of component.check(config as never, nodes[index]!.info)) {
      const path = `components[${position}]${setting === undefined ? "" : `.data.${setting}`}`
      report({ path, component: nodes[index]!.info.id, problem }, "warning")
    }
  }
  const folded = Regions.fold({ nodes, edges })
  const entries = Entries.make(drafts, folded, report)
  checkProgress(folded, entries.all, (id) => byId.get(id)!.position, report)
  const starts = drafts.filter(({ component }) => component.entry !== undefined).map(({ record }) => record.id)
  const wired = wiredToEntries(document, starts)
  checkReach(drafts, wired, edges, entries.all.length, report)

  const problems = found.map((one): Problem =>
    // What no entry is wired to cannot harm a run: an unfinished corner of the canvas does not keep the rest from working.
    one.severity === "error" && one.component !== undefined && !wired.has(one.component)
      ? { ...one, severity: "warning" }
      : one
  )
  const program: AgentProgram = {
    agent: agentInfo(definition, variables.plain),
    nodes: folded.nodes,
    edges: folded.edges,
    plans: entries.plans,
    triggers: entries.triggers
  }
  return { program, problems }
}

const draft = (
  { document, skills }: AgentDefinition,
  components: Registry,
  variables: Variables.Variables,
  report: Report
): ReadonlyArray<Draft> => {
  const drafts: Array<Draft> = []
  const ids = new Map<string, number>()
  document.components.forEach((record, position) => {
    const path = `components[${position}]`
    const earlier = ids.get(record.id)
    if (earlier !== undefined) {
      report({
        path: `${path}.id`,
        component: record.id,
        problem: `duplicate id "${record.id}", also components[${earlier}]`
      })
      return
    }
    ids.set(record.id, position)
    const name = components.get(record.name)?.standsFor?.(record.data) ?? record.name
    const component = components.get(name)
    if (component === undefined) {
      report({
        path: name === record.name ? `${path}.name` : `${path}.data`,
        component: record.id,
        problem: `unknown component "${name}".${didYouMean(name, components.keys())}`
      })
      return
    }
    if (component.inert) return
    checkPorts(record, component, path, report)
    const skill = skills.get(record.id)
    drafts.push({
      index: drafts.length,
      position,
      record,
      component: skill === undefined ? component : withSkill(component, skill),
      config: decodeSettings(record, component, variables, path, report),
      inputs: [...Ports.inputs(record, component)],
      outputs: Ports.outputs(record, component),
      incoming: new Map(),
      out: []
    })
  })
  return drafts
}

/** An entry answered by code: what the code gives is the answer, as it is. */
const withSkill = (component: Component.Any, skill: Skill): Component.Any => ({
  ...component,
  run: ({ step }) => {
    const { body, method, query } = step.run.request
    return Effect.map(
      skill(((method === "GET" ? query : body) ?? {}) as Readonly<Record<string, unknown>>),
      (result) => ({ result })
    )
  },
  answer: ({ result }) => result["result"]
})

/** Field by field: a struct would stop at the first stage in which any field fails, and hide what fails later. */
const decodeSettings = (
  record: ComponentRecord,
  component: Component.Any,
  variables: Variables.Variables,
  path: string,
  report: Report
): unknown => {
  const settings = Variables.settingsOf(record, variables)
  const config: Record<string, unknown> = {}
  let isValid = true
  for (const decode of decodersOf(component)) {
    const decoded = decode(settings)
    if (decoded._tag === "Right") {
      Object.assign(config, decoded.right)
      continue
    }
    isValid = false
    for (const issue of ParseResult.ArrayFormatter.formatIssueSync(decoded.left)) {
      report({
        path: `${path}.${pathText(["data", ...issue.path])}`,
        component: record.id,
        problem: issue.path.length > 0 && issue._tag === "Missing"
          ? `${record.name} needs the setting "${String(issue.path[0])}"`
          : issue.message
      })
    }
  }
  return isValid ? config : undefined
}

type Decode = (settings: unknown) => Either.Either<object, ParseResult.ParseIssue>

const decoders = new WeakMap<Component.Any, ReadonlyArray<Decode>>()

const decodersOf = (component: Component.Any): ReadonlyArray<Decode> => {
  const known = decoders.get(component)
  if (known !== undefined) return known
  const fields = component.config.fields as Schema.Struct.Fields
  const made = Object.entries(fields).map(([name, field]) =>
    ParseResult.decodeUnknownEither(Schema.Struct({ [name]: field }) as unknown as Schema.Schema<object, unknown>, {
      errors: "all"
    })
  )
  decoders.set(component, made)
  return made
}

const connect = (
  connections: ReadonlyArray<Connection>,
  byId: ReadonlyMap<string, Draft>,
  known: ReadonlySet<string>,
  report: Report
): ReadonlyArray<Edge> => {
  const edges: Array<Edge> = []
  connections.forEach((connection, position) => {
    const path = `connections[${position}]`
    const source = end(connection.sourceId, `${path}.sourceId`, byId, known, report)
    const target = end(connection.targetId, `${path}.targetId`, byId, known, report)
    if (source === undefined || target === undefined) return
    const from = locate(connection.sourceIndex, source.outputs.map(({ name }) => name))
    const to = Entries.isHandOver(connection, source.component, target.component)
      ? target.inputs.push(Entries.handedOver) - 1
      : locate(connection.targetIndex, target.inputs.map(({ port }) => port.name))
    if (from === undefined) report(badPort(`${path}.sourceIndex`, source, "output", connection.sourceIndex))
    if (to === undefined) report(badPort(`${path}.targetIndex`, target, "input", connection.targetIndex))
    if (from === undefined || to === undefined) return
    const output = source.outputs[from]!
    const input = target.inputs[to]!
    const type = Ports.outputType(output, source.record, source.component)
    if (!Ports.canFlow(type, input.type)) {
      report({
        path,
        component: target.record.id,
        port: input.port.name,
        problem: `${source.record.id}.${output.name} gives ${type}, which cannot become ${input.type}`
      })
    }
    const edge = edges.push({
      source: source.index,
      target: target.index,
      slot: to,
      read: Ports.reader(output, source.outputs),
      port: output.name,
      onError: output.name === "_error"
    }) - 1
    source.out.push(edge)
    const incoming = target.incoming.get(to)
    if (incoming === undefined) target.incoming.set(to, [edge])
    else incoming.push(edge)
  })
  return edges
}

/** The draft a connection ends at; nothing is reported twice for components that already have a problem of their own. */
const end = (
  id: string,
  path: string,
  byId: ReadonlyMap<string, Draft>,
  known: ReadonlySet<string>,
  report: Report
): Draft | undefined => {
  if (!known.has(id)) report({ path, problem: `no component has the id "${id}".${didYouMean(id, known)}` })
  return byId.get(id)
}

const locate = (reference: number | string, names: ReadonlyArray<string>): number | undefined => {
  const named = typeof reference === "string" ? names.indexOf(reference) : -1
  const position = named >= 0 ? named : Number(reference === "" ? NaN : reference)
  return Number.isInteger(position) && position >= 0 && position < names.length ? position : undefined
}

const badPort = (
  path: string,
  { inputs, outputs, record }: Draft,
  side: "input" | "output",
  reference: number | string
) => {
  const names = side === "input" ? inputs.map(({ port }) => port.name) : outputs.map(({ name }) => name)
  return {
    path,
    component: record.id,
    port: String(reference),
    problem:
      `${record.name} has no ${side} ${
        typeof reference === "string" ? `"${reference}"` : `at position ${reference}`
      }.` +
      didYouMean(String(reference), names),
    accepted: names
  }
}

const toNode = (one: Draft, edges: ReadonlyArray<Edge>, variables: Variables.Variables): Node => {
  const { component, config, incoming, index, inputs, out, record } = one
  // Slots keep the position of their input, so that an edge's slot stays valid; unconnected inputs have no edges.
  const slots = inputs.map(({ coerce, port }, position): Slot => ({
    name: port.name,
    coerce,
    required: incoming.has(position) && !isSet(port.optional),
    fallback: Variables.fallback(port.defaultVal, variables),
    edges: incoming.get(position) ?? []
  }))
  return {
    index,
    component,
    config,
    slots,
    out,
    handlesError: out.some((edge) => edges[edge]!.onError),
    exports: [],
    region: undefined,
    info: {
      id: record.id,
      name: component.name,
      displayName: text(record.displayName, record.name),
      title: text(record.title, text(record.displayName, record.name)),
      inputs: inputs.map(({ port, type }) => ({
        name: port.name,
        type,
        optional: isSet(port.optional),
        default: isSet(port.default),
        description: port.description ?? undefined
      })),
      outputs: one.outputs.map((port) => ({
        name: port.name,
        type: "Any",
        optional: isSet(port["optional"]),
        default: isSet(port.default),
        description: port.description ?? undefined,
        expression: port.expression ?? undefined
      })),
      templateValues: Variables.templateValues(record)
    }
  }
}

const text = (value: string | null | undefined, otherwise: string): string =>
  value === undefined || value === null || value === "" ? otherwise : value
