/** An agent written in code, or read from a document; the same process as one served over HTTP. */
import { Effect, Stream } from "effect"
import { readFile } from "node:fs/promises"
import * as AgentDefinition from "../agents/AgentDefinition.ts"
import * as AgentDocument from "../agents/AgentDocument.ts"
import * as Agents from "../agents/Agents.ts"
import type { PromptRequest } from "../agents/Agents.ts"
import type { ConversationEvent } from "../agents/Conversation.ts"
import * as Ids from "../kernel/Ids.ts"
import { Chat, type ChatOptions } from "./Chat.ts"
import { Command } from "./Command.ts"
import { ComponentNode } from "./ComponentNode.ts"
import { Draft } from "./Draft.ts"
import type { Emitter } from "./Emitter.ts"
import { type As, localUser, SRE } from "./Runtime.ts"
import { skill, type SkillSettings } from "./Skill.ts"

export interface AgentSettings {
  readonly name: string
  /** Name of the registry; what conversations use when they name no other. */
  readonly model?: string
  /** System prompt. */
  readonly behavior?: string
  /** Letters, digits, `-` and `_`. Absent: made from the name, new with every process. */
  readonly id?: string
  readonly description?: string
  readonly variables?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

export interface PromptOptions extends Omit<PromptRequest, "message"> {
  readonly signal?: AbortSignal
  /** Called when the turn is complete, before its promise resolves. */
  readonly after?: () => Promise<void> | void
}

export class Agent {
  readonly id: string
  readonly #draft: Draft
  readonly #sre: SRE
  readonly #as: As
  #loaded = -1

  constructor(settings: AgentSettings, options: { readonly as?: As } = {}) {
    const { model, ...fields } = settings
    this.id = settings.id ?? Ids.unsafeMake(settings.name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "agent")
    this.#draft = new Draft({
      version: "1.0.0",
      behavior: "",
      ...fields,
      id: this.id,
      ...(model === undefined ? {} : { defaultModel: model })
    })
    this.#sre = SRE.current
    this.#as = options.as ?? localUser
  }

  /** Reads a `.smyth` file, or takes a document of either layout. Rejects with all that is wrong with it. */
  static async import(
    source: string | Readonly<Record<string, unknown>>,
    overrides: Partial<AgentSettings> = {},
    options: { readonly as?: As } = {}
  ): Promise<Agent> {
    const input: unknown = typeof source === "string" ? await readFile(source, "utf8") : source
    const { document } = await SRE.current.run(
      typeof input === "string" ? AgentDocument.decodeText(input) : AgentDocument.decode(input)
    )
    const { defaultModel, ...fields } = document
    const model = typeof defaultModel === "string" ? { model: defaultModel } : {}
    const agent = new Agent({ ...fields, name: fields.name ?? "agent", ...model, ...overrides } as AgentSettings, options)
    await agent.ready()
    return agent
  }

  /** The document, as a `.smyth` file holds it. Functions of skills are not in it. */
  get data(): Record<string, unknown> {
    return JSON.parse(JSON.stringify(this.#draft)) as Record<string, unknown>
  }

  get behavior(): string {
    return String(this.#draft.fields["behavior"] ?? "")
  }
  set behavior(text: string) {
    this.#draft.fields["behavior"] = text
    this.#draft.changed()
  }

  /** Where component wrappers join this agent. */
  get draft(): Draft {
    return this.#draft
  }

  /** Adds a skill: with `process` a function, without it the entry of a workflow wired by `skill.out`. */
  addSkill(settings: SkillSettings): ComponentNode {
    return skill(settings, this.#draft)
  }

  removeSkill(name: string): void {
    const found = this.#skills().find((one) => one.title === name || one.data.endpoint === name)
    if (found !== undefined) this.#draft.remove(found.id)
  }

  get skillNames(): ReadonlyArray<string> {
    return this.#skills().map(({ title }) => title)
  }

  /** Rejects with everything that is wrong with the agent, when something is. */
  async ready(): Promise<this> {
    await this.run(() => Effect.void)
    return this
  }

  /** Calls one skill or endpoint and gives its answer. */
  call(endpoint: string, input: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const name = this.#skills().find((one) => one.title === endpoint)?.data.endpoint ?? endpoint
    return this.run((agents) =>
      Effect.map(agents.call(this.id, { endpoint: name, body: input, query: input }), ({ answer }) => answer)
    )
  }

  /** A conversation of one message: tools are called as the model asks for them. */
  prompt(text: string, options: PromptOptions = {}): Command {
    const { after = () => {}, signal, ...request } = options
    const stream = Stream.unwrap(
      Effect.map(Agents.Agents, (agents) => agents.prompt(this.id, { ...request, message: text }))
    )
    return new Command(
      async () => {
        await this.ready()
        const answer = await this.#sre.run(textOf(stream), this.#as, { signal })
        await after()
        return answer
      },
      () =>
        this.#sre.events(
          Stream.concat(Stream.drain(Stream.fromEffect(this.#load)), stream).pipe(
            Stream.concat(Stream.drain(Stream.fromEffect(Effect.promise(async () => after()))))
          ),
          deliver,
          this.#as
        )
    )
  }

  /** A conversation that remembers. With an id it is kept, and the same id finds it again. */
  chat(options?: string | ChatOptions): Chat {
    return new Chat(this, typeof options === "string" ? { id: options, persist: true } : options ?? {})
  }

  /** Runs an effect on the process table once the agent is loaded in its present form. */
  async run<A, E>(use: (agents: typeof Agents.Agents.Service) => Effect.Effect<A, E>): Promise<A> {
    return this.#sre.run(Effect.zipRight(this.#load, Effect.flatMap(Agents.Agents, use)), this.#as)
  }

  /** Loads the agent unless what is loaded is already its present form. */
  get #load() {
    return Effect.suspend(() => {
      const version = this.#draft.version
      if (this.#loaded === version) return Effect.void
      return AgentDocument.decode(this.data).pipe(
        Effect.flatMap((decoded) => AgentDefinition.make(decoded, { skills: new Map(this.#draft.skills) })),
        Effect.flatMap((definition) => Effect.flatMap(Agents.Agents, (agents) => agents.load(definition))),
        Effect.map(() => {
          this.#loaded = version
        })
      )
    })
  }

  #skills(): ReadonlyArray<{ readonly id: string; readonly title: string; readonly data: { readonly endpoint: string } }> {
    const components = this.data["components"] as ReadonlyArray<{ readonly name: string }>
    return components.filter(({ name }) => name === "APIEndpoint") as never
  }
}

const textOf = <E, R>(stream: Stream.Stream<ConversationEvent, E, R>): Effect.Effect<string, E, R> =>
  Stream.runFold(stream, "", (text, event) => event.type === "end" ? event.text : text)

const deliver = (emitter: Emitter, event: ConversationEvent): void => {
  switch (event.type) {
    case "start":
      return void emitter.emit("start")
    case "content":
      return void emitter.emit("content", event.text)
    case "thinking":
      return void emitter.emit("thinking", event.text)
    case "toolCall":
      return void emitter.emit("toolCall", { tool: { id: event.id, name: event.name, arguments: event.params }, status: event.status })
    case "toolResult":
      return void emitter.emit("toolResult", {
        tool: { id: event.id, name: event.name },
        result: event.result,
        isFailure: event.isFailure
      })
    case "usage":
      return void emitter.emit("usage", event.usage)
    case "interrupted":
      return void emitter.emit("interrupted", event.reason)
    case "end":
      return void emitter.emit("end", event.reason)
  }
}
