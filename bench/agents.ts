/** The agents and the system that are measured. */
import { Effect, Layer } from "effect"
import * as AgentDefinition from "../src/agents/AgentDefinition.ts"
import { Agents } from "../src/agents/Agents.ts"
import * as Sre from "../src/boot/Sre.ts"
import * as Component from "../src/components/Component.ts"
import { DummyAccount } from "../src/connectors/account/DummyAccount.ts"
import { RAMCache } from "../src/connectors/cache/RAMCache.ts"
import { ConsoleLog } from "../src/connectors/log/ConsoleLog.ts"
import { RAMNKV } from "../src/connectors/nkv/RAMNKV.ts"
import { NodeRouter } from "../src/connectors/router/NodeRouter.ts"
import { MemoryStorage } from "../src/connectors/storage/MemoryStorage.ts"
import { NullVault } from "../src/connectors/vault/NullVault.ts"
import * as Candidate from "../src/security/Candidate.ts"

/** Three steps: the request, a SHA-256 digest of its text, the answer. */
export const digest = {
  id: "digester",
  name: "Digester",
  version: "1.0.0",
  components: [
    {
      id: "E",
      name: "APIEndpoint",
      displayName: "APIEndpoint",
      data: { endpoint: "digest", method: "POST" },
      inputs: [{ name: "text", type: "Text", optional: false }],
      outputs: [{ name: "text", expression: "body.text", default: false }]
    },
    {
      id: "H",
      name: "FHash",
      displayName: "F:Hash",
      data: { algorithm: "sha256", encoding: "hex" },
      inputs: [{ name: "Data", type: "Any", default: true }],
      outputs: [{ name: "Hash", default: true }]
    },
    {
      id: "O",
      name: "APIOutput",
      displayName: "APIOutput",
      data: { format: "minimal" },
      inputs: [{ name: "digest", type: "Any" }],
      outputs: [{ name: "Output", default: true }]
    }
  ],
  connections: [
    { sourceId: "E", sourceIndex: "text", targetId: "H", targetIndex: "Data" },
    { sourceId: "H", sourceIndex: "Hash", targetId: "O", targetIndex: "digest" }
  ]
}

/** A component that does as good as nothing: what is left is the engine. */
export const Pass = Component.make("Pass", {
  openInputs: true,
  openOutputs: true,
  category: "data",
  description: "Passes its input on.",
  run: ({ inputs }) => ({ out: inputs["in"] })
})

interface Link {
  readonly name: string
  readonly data: object
  readonly input: string
  readonly output: string
}

/** An endpoint, and so many components of one kind one after another. */
export const line = (id: string, length: number, { data, input, name, output }: Link) => {
  const ids = Array.from({ length }, (_, index) => `P${index}`)
  return {
    id,
    name: "Chain",
    version: "1.0.0",
    components: [
      door,
      ...ids.map((id) => ({
        id,
        name,
        displayName: name,
        data,
        inputs: [{ name: input }],
        outputs: [{ name: output }]
      }))
    ],
    connections: ids.map((id, index) =>
      index === 0 ? wire("E", "x", id, input) : wire(ids[index - 1]!, output, id, input)
    )
  }
}

/** An endpoint, and so many trivial components one after another. */
export const chain = (length: number) =>
  line(`chain-${length}`, length, { name: "Pass", data: {}, input: "in", output: "out" })

const door = {
  id: "E",
  name: "APIEndpoint",
  displayName: "APIEndpoint",
  data: { endpoint: "go", method: "POST" },
  inputs: [{ name: "x" }],
  outputs: [{ name: "x", expression: "body.x" }]
}
const passes = (ids: ReadonlyArray<string>) =>
  ids.map((id) => ({
    id,
    name: "Pass",
    displayName: "Pass",
    data: {},
    inputs: [{ name: "in" }],
    outputs: [{ name: "out" }]
  }))
const wire = (sourceId: string, sourceIndex: string, targetId: string, targetIndex = "in") => ({
  sourceId,
  sourceIndex,
  targetId,
  targetIndex
})

/** An endpoint that leads to so many components, which all lead to one. `name` `Later`: each waits once. */
export const fan = (width: number, name: "Pass" | "Later") => {
  const ids = Array.from({ length: width }, (_, index) => `P${index}`)
  return {
    id: `fan-${name}`,
    name: "Fan",
    version: "1.0.0",
    components: [door, ...passes(ids).map((one) => ({ ...one, name })), ...passes(["J"])],
    connections: ids.flatMap((id) => [wire("E", "x", id), wire(id, "out", "J")])
  }
}

/** A loop with a body of one trivial component. */
export const loop = {
  id: "loop",
  name: "Loop",
  version: "1.0.0",
  components: [
    door,
    {
      id: "L",
      name: "ForEach",
      displayName: "ForEach",
      data: { format: "minimal" },
      inputs: [{ name: "Input" }],
      outputs: [{ name: "Loop" }, { name: "Result" }]
    },
    ...passes(["P"])
  ],
  connections: [wire("E", "x", "L", "Input"), wire("L", "Loop", "P")]
}

/** The same as {@link Pass}, for the engine one that has to be waited for. */
export const Later = Component.make("Later", {
  openInputs: true,
  openOutputs: true,
  category: "data",
  description: "Passes its input on, a moment later.",
  run: ({ inputs }) => Effect.as(Effect.yieldNow(), { out: inputs["in"] })
})

/** Everything in memory, a log that is kept but not written, a server on a free port; and what is `chosen`. */
export const system = (chosen: Sre.Choices = {}) =>
  Sre.layer({
    account: DummyAccount.layer({}),
    log: ConsoleLog.layer({ level: "error" }),
    storage: MemoryStorage.layer({}),
    cache: RAMCache.layer({}),
    nkv: RAMNKV.layer({}),
    vault: NullVault.layer({}),
    router: NodeRouter.layer({ port: 0 }),
    ...chosen
  }, { components: [Pass, Later] })

export const asker = Candidate.user("local")

export const load = (document: unknown) =>
  Effect.flatMap(
    AgentDefinition.fromUnknown(document),
    (definition) => Effect.flatMap(Agents, (agents) => Candidate.as(agents.load(definition), asker))
  )

/** The booted system, for as long as the process lives. */
export const booted = Effect.flatMap(Effect.scope, (scope) => Layer.buildWithScope(system(), scope))
