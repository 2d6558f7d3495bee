/** A real server on a free port, with a system behind it, for the time of a scope. */
import { Context, Deferred, Effect, Layer, Redacted, type Scope } from "effect"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents, type AgentsOptions } from "../../src/agents/Agents.ts"
import * as Sre from "../../src/boot/Sre.ts"
import * as Component from "../../src/components/Component.ts"
import { DummyAccount } from "../../src/connectors/account/DummyAccount.ts"
import { JSONFileAccount } from "../../src/connectors/account/JSONFileAccount.ts"
import { RAMCache } from "../../src/connectors/cache/RAMCache.ts"
import { ConsoleLog } from "../../src/connectors/log/ConsoleLog.ts"
import { RAMNKV } from "../../src/connectors/nkv/RAMNKV.ts"
import { UndiciOutbound } from "../../src/connectors/outbound/UndiciOutbound.ts"
import { NodeRouter } from "../../src/connectors/router/NodeRouter.ts"
import { MemoryStorage } from "../../src/connectors/storage/MemoryStorage.ts"
import { NullVault } from "../../src/connectors/vault/NullVault.ts"
import type * as Access from "../../src/security/Access.ts"
import type { Account } from "../../src/security/Account.ts"
import * as ApiKey from "../../src/security/ApiKey.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as Server from "../../src/server/Server.ts"
import { Router } from "../../src/subsystems/io/Router.ts"
import * as TestLLM from "../../src/testing/TestLLM.ts"
import { agentDocument } from "../agents/documents.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const open = { openInputs: true, openOutputs: true, category: "data" } as const

/** Gives its inputs as outputs. */
const Pass = Component.make("Pass", { ...open, description: "Passes on.", run: ({ inputs }) => ({ ...inputs }) })

/** Who called the agent, as far as an agent may know: the session is the caller's own. */
const Session = Component.make("Session", {
  ...open,
  description: "Tells the session.",
  run: ({ step }) => {
    step.emit("content", `line one\nof ${step.run.sessionId}\r\n\ndata: not a frame`)
    return Effect.as(Effect.yieldNow(), { session: step.run.sessionId })
  }
})

const Request = Component.make("Request", {
  ...open,
  description: "Gives the request back.",
  run: ({ step }) => ({ request: step.run.request })
})

const Fail = Component.make("Fail", {
  ...open,
  description: "Fails.",
  run: () => new Component.ComponentFailed({ message: "no luck" })
})

/** Says more than is kept for those who come late. */
const Talk = Component.make("Talk", {
  ...open,
  description: "Says 2000 things.",
  run: ({ step }) => {
    for (let n = 0; n < 2000; n++) step.emit("content", `${n}`)
    return { said: 2000 }
  }
})

/** Says more than sockets take that nobody reads: 60 MB, in many turns. */
const Flood = Component.make("Flood", {
  ...open,
  description: "Says 3000 long things.",
  run: ({ step }) => {
    const text = "x".repeat(20_000)
    const some = Effect.sync(() => {
      for (let n = 0; n < 10; n++) step.emit("content", text)
    })
    return Effect.as(Effect.repeatN(Effect.zipRight(some, Effect.sleep("1 millis")), 299), { said: 3000 })
  }
})

export interface Slow {
  /** Done when a slow component has begun. */
  readonly begun: Deferred.Deferred<void>
  /** Lets slow components finish. */
  readonly release: Deferred.Deferred<void>
  /** Done when a slow component was interrupted. */
  readonly stopped: Deferred.Deferred<void>
}

const slow = ({ begun, release, stopped }: Slow) =>
  Component.make("Slow", {
    ...open,
    description: "Waits until it may go on.",
    run: ({ inputs }) =>
      Deferred.succeed(begun, undefined).pipe(
        Effect.zipRight(Deferred.await(release)),
        Effect.as({ ...inputs }),
        Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
      )
  })

/** An agent `a1` with an endpoint for everything there is to see. */
const agent = (id: string) => {
  const parts = {
    echo: { method: "POST", inputs: ["text", { name: "count", type: "Integer", optional: true }], by: "Pass" },
    look: { method: "GET", inputs: ["q?"], by: "Request" },
    both: { method: "POST", inputs: ["text?"], by: "Request" },
    session: { method: "POST", inputs: ["text?"], by: "Session" },
    slow: { method: "POST", inputs: ["text?"], by: "Slow" },
    fail: { method: "POST", inputs: ["text?"], by: "Fail" },
    page: { method: "POST", inputs: ["text"], by: "APIOutput" },
    upload: { method: "POST", inputs: [{ name: "text", type: "Any" }], by: "Pass" },
    pair: { method: "POST", inputs: ["text?"], by: "Pass" },
    talk: { method: "POST", inputs: ["text?"], by: "Talk" },
    flood: { method: "POST", inputs: ["text?"], by: "Flood" }
  } as const
  return agentDocument(
    Object.fromEntries([
      ["C_last", { name: "Pass", in: ["in"] }],
      ...Object.entries(parts).flatMap(([name, { by, inputs, method }]) => [
        [`E_${name}`, {
          name: "APIEndpoint",
          data: { endpoint: name, method, description: `The ${name} endpoint` },
          in: inputs,
          out: ["body", "query"]
        }],
        [`C_${name}`, {
          name: by,
          in: ["in"],
          data: by === "APIOutput" ? { format: "raw", contentType: "text/html" } : {}
        }]
      ])
    ]),
    [
      ...Object.entries(parts).map(([name, { method }]) =>
        `E_${name}.${method === "GET" ? "query" : "body"} -> C_${name}.in`
      ),
      "C_pair.in -> C_last.in"
    ],
    { id, name: `Agent ${id}`, behavior: "Be brief.", defaultModel: "gpt-4o-mini" }
  )
}

export interface Serving extends Slow {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly port: number
  readonly context: Context.Context<Sre.Sre>
}

export interface Options {
  readonly server?: Partial<Server.Options>
  readonly router?: Parameters<typeof NodeRouter.layer>[0]
  readonly agents?: Omit<AgentsOptions, "components">
  /** By API key. The agents `a1` and `a2` and all users are in one team, but `user:stranger`. */
  readonly users?: Readonly<Record<string, string>>
  /** Id of the user who owns the agents. Without one only they themselves do. */
  readonly owner?: string
  readonly account?: Layer.Layer<Account | Access.Teams, unknown>
  readonly turns?: ReadonlyArray<TestLLM.Turn>
  readonly managedVault?: Sre.Choices["managedVault"]
  /** Where agents may connect to beyond the public internet. */
  readonly allow?: ReadonlyArray<string>
}

export const serving = (options: Options = {}): Effect.Effect<Serving, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const signals: Slow = {
      begun: yield* Deferred.make<void>(),
      release: yield* Deferred.make<void>(),
      stopped: yield* Deferred.make<void>()
    }
    const sre = Sre.layer({
      account: options.account ?? (options.users === undefined
        ? DummyAccount.layer({})
        : JSONFileAccount.layer({ file: yield* accountFile(options.users) })),
      log: ConsoleLog.layer({ level: "error" }),
      storage: MemoryStorage.layer({}),
      cache: RAMCache.layer({}),
      nkv: RAMNKV.layer({}),
      vault: NullVault.layer({}),
      router: NodeRouter.layer({ port: 0, ...options.router }),
      llm: TestLLM.layer(options.turns ?? []),
      ...(options.managedVault === undefined ? {} : { managedVault: options.managedVault }),
      ...(options.allow === undefined ? {} : { outbound: UndiciOutbound.layer({ allow: options.allow }) })
    }, {
      components: [Pass, Session, Request, Fail, Talk, Flood, slow(signals)],
      agents: options.agents ?? {}
    })
    const context = yield* Layer.build(sre)
    yield* Effect.gen(function*() {
      const agents = yield* Agents
      for (const id of ["a1", "a2"]) {
        const definition = yield* AgentDefinition.fromUnknown(agent(id))
        const owner = options.owner === undefined ? Candidate.agent(definition.id) : Candidate.user(options.owner)
        yield* Candidate.as(agents.load(definition), owner)
      }
      yield* Server.serve({ auth: options.users === undefined ? "local" : "account", ...options.server })
    }).pipe(Effect.provide(context))
    const url = yield* Context.get(context, Router).baseUrl
    return { ...signals, url, port: Number(new URL(url).port), context }
  })

const accountFile = (users: Readonly<Record<string, string>>) =>
  Effect.gen(function*() {
    const file = join(yield* tempFolder, "account.json")
    const apiKeys = Object.fromEntries(
      Object.entries(users).map(([key, id]) => [ApiKey.hash(Redacted.make(key)), `user:${id}`])
    )
    const people = Object.fromEntries(Object.values(users).map((id) => [id, {}]))
    const { stranger, ...members } = people as Record<string, object>
    const content = {
      team: { users: members, agents: { a1: {}, a2: {} } },
      ...(stranger === undefined ? {} : { elsewhere: { users: { stranger } } }),
      apiKeys
    }
    yield* Effect.promise(() => writeFile(file, JSON.stringify(content), { mode: 0o600 }))
    return file
  })

/** What a client sees. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: any // eslint-disable-line @typescript-eslint/no-explicit-any -- what a server sends is of any shape
}

export const send = (url: string, init: RequestInit = {}): Effect.Effect<Reply> =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, { signal, ...init })
    const text = await response.text()
    const isJson = response.headers.get("content-type")?.includes("json") ?? false
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson && text !== "" ? JSON.parse(text) : undefined
    }
  })

export const post = (url: string, body: unknown, headers: Record<string, string> = {}): Effect.Effect<Reply> =>
  send(url, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers }
  })

/** Frames of a whole event stream, read as the standard says. */
export const frames = (text: string) =>
  text.split(/\r\n\r\n|\n\n|\r\r/).filter((block) => block.trim() !== "" && !block.startsWith(":")).map((block) => {
    const fields = block.split(/\r\n|\n|\r/).map((
      line
    ) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trimStart()])
    const of = (name: string) => fields.filter(([key]) => key === name).map(([, value]) => value).join("\n")
    return { id: of("id"), event: of("event"), data: JSON.parse(of("data")) }
  })

/** A stream of events that is read bit by bit, until the scope closes. */
export const listen = (url: string, headers: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const abort = new AbortController()
      const response = await fetch(url, { headers: { accept: "text/event-stream", ...headers }, signal: abort.signal })
      return new Listening(response, abort)
    }),
    ({ gone }) => gone
  )

class Listening {
  text = ""
  readonly response: Response
  readonly #reader: ReadableStreamDefaultReader<string>
  readonly gone: Effect.Effect<void>

  constructor(response: Response, abort: AbortController) {
    this.response = response
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    this.gone = Effect.sync(() => abort.abort())
  }

  /** All that has come, as soon as there is such a text in it. */
  readonly until = (wanted: RegExp): Effect.Effect<string> =>
    Effect.promise(async () => {
      while (!wanted.test(this.text)) {
        const { done, value } = await this.#reader.read()
        if (done) throw new Error(`the stream ended without ${wanted}: ${this.text}`)
        this.text += value
      }
      return this.text
    })
}
