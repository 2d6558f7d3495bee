/** What `sre serve` shows when it is ready. */
import type { LoadedAgent } from "../agents/Agents.ts"
import type { EndpointInput } from "../agents/Endpoint.ts"
import type { BootStep } from "../boot/Boot.ts"
import * as Sample from "./Sample.ts"

export interface Served {
  readonly version: string
  readonly url: string
  readonly auth: "local" | "account"
  /** From the start of the process. */
  readonly readyMillis: number
  readonly steps: ReadonlyArray<BootStep>
  readonly agents: ReadonlyArray<LoadedAgent>
  /** What an operator should know: files left out, models replaced. */
  readonly notes: ReadonlyArray<string>
}

export const text = (served: Served): string => {
  const { agents, auth, notes, readyMillis, steps, url, version } = served
  const widest = Math.max(0, ...steps.map(({ part }) => part.length))
  const connectors = Math.max(0, ...steps.map(({ connector = "" }) => connector.length))
  return [
    ...steps.map(({ connector = "", millis, part }) =>
      `  ${part.padEnd(widest)}  ${connector.padEnd(connectors)}  ${String(millis).padStart(4)} ms`
    ),
    "",
    `sre ${version} at ${url}, ready in ${readyMillis} ms`,
    ...agents.flatMap((agent) => [
      "",
      agent.name === agent.id ? agent.id : `${agent.id} - ${agent.name}`,
      ...agent.endpoints.map(({ description, inputs, method, name }) =>
        `  ${method.padEnd(4)} ${name}(${inputs.map(signature).join(", ")})${
          description === "" ? "" : `  ${description}`
        }`
      ),
      `  ${Sample.curl(agent, { url, auth })}`
    ]),
    ...(notes.length === 0 ? [] : ["", ...notes]),
    "",
    "Ctrl-C stops it."
  ].join("\n")
}

export const json = (served: Served) => ({
  version: served.version,
  url: served.url,
  readyMillis: served.readyMillis,
  boot: served.steps,
  agents: served.agents.map((agent) => ({
    id: agent.id,
    name: agent.name,
    endpoints: agent.endpoints.map(({ description, inputs, method, name }) => ({
      name,
      method,
      description,
      inputs: inputs.map(({ description, name, required, type }) => ({ name, type, required, description }))
    })),
    curl: Sample.curl(agent, served)
  })),
  notes: served.notes
})

const signature = ({ name, required, type }: EndpointInput) => `${name}${required ? "" : "?"}: ${type}`
