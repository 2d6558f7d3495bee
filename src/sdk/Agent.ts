/** An agent written in code or read from a document: the same process as one served over HTTP. */
import { Effect, Stream } from "effect"
import { readFile } from "node:fs/promises"
import * as AgentDefinition from "../agents/AgentDefinition.ts"
import * as AgentDocument from "../agents/AgentDocument.ts"
import * as Agents from "../agents/Agents.ts"
import { InvalidAgent } from "../agents/Problem.ts"
import * as Ids from "../kernel/Ids.ts"
import type { AccessError } from "../security/Access.ts"
import type { ModelSpec } from "../subsystems/llm/LLM.ts"
import { Chat, type ChatOptions } from "./Chat.ts"
import type { Command } from "./Command.ts"
import type { ComponentNode } from "./ComponentNode.ts"
import { type AgentData, Draft } from "./Draft.ts"
import { CallFailed, refuseMisspelt, requireText, SkillExists } from "./Errors.ts"
import { documented, type ModelSettings, specOf } from "./Model.ts"
import { type ObjectOptions, Session } from "./Runtime.ts"
import { skill, type SkillSettings } from "./Skill.ts"

export interface AgentSettings {
  readonly name: string
  /** What prompts use that name no other: a name of the registry, or a model of one's own. */
  readonly model?: string | (ModelSettings & { readonly provider: string }) | undefined
  /** System prompt. */
  readonly behavior?: string | undefined
  /** Names the agent and its home. Absent: made from the name, new with every process. */
  readonly id?: string | undefined
  readonly description?: string | undefined
  readonly shortDescription?: string | undefined
  readonly variables?: Readonly<Record<string, unknown>> | undefined
  /** Parts of a document; {@link Agent.import} takes a whole one, with whatever else is in it. */
  readonly components?: AgentData["components"]
  readonly connections?: AgentData["connections"]
  readonly defaultModel?: unknown
  readonly version?: string | undefined
}

const settingNames = [
  ...Object.keys(
    {
      name: true,
      model: true,
      behavior: true,
      id: true,
      description: true,
      shortDescription: true,
      variables: true,
      components: true,
      connections: true,
      defaultModel: true,
      version: true
    } satisfies Record<keyof AgentSettings, true>
  ),
  // Agents of other systems have it, and it is no misspelt `model`.
  "mode"
]

export interface PromptOptions extends Omit<Agents.PromptRequest, "message"> {
  readonly signal?: AbortSignal | undefined
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export class Agent {
  readonly id: string
  /** The document being written; component wrappers add to it. */
  readonly draft: Draft
  readonly #session: Session
  readonly #model: ModelSpec | undefined
  #definition: AgentDefinition.AgentDefinition | undefined = undefined
  #written = ""

  constructor(settings: AgentSettings, options: ObjectOptions = {}) {
    // With components it is a document, in which any other field may stand.
    if (settings.components === undefined) refuseMisspelt("agent", settings, settingNames)
    requireText("agent", settings, "name", settingNames)
    const { model, ...fields } = settings
    this.id = fields.id ?? idOf(fields.name)
    this.draft = new Draft({
      version: "1.0.0",
      behavior: "",
      components: [],
      connections: [],
      ...fields,
      id: this.id,
      defaultModel: documented(model ?? fields.defaultModel)
    })
    this.#session = new Session(options)
    this.#model = typeof model === "object" ? specOf(model.provider, model) : undefined
  }

  /** Reads a `.smyth` file, or takes a document of either layout. Rejects with all that is wrong with it. */
  static async import(
    source: string | Readonly<Record<string, unknown>>,
    overrides: Partial<AgentSettings> = {},
    options: ObjectOptions = {}
  ): Promise<Agent> {
    refuseMisspelt("agent", overrides, settingNames)
    const decoded = typeof source === "string"
      ? Effect.mapError(
        AgentDocument.decodeText(await readFile(source, "utf8")),
        ({ agent, problems }) => new InvalidAgent({ agent: agent ?? source, problems })
      )
      : AgentDocument.decode(source)
    const { document, id } = await new Session(options).run(decoded)
    const fields = Object.fromEntries(Object.entries(document).filter(([, value]) => value !== null))
    return new Agent({ name: "agent", ...fields, ...(id === undefined ? {} : { id }), ...overrides }, options).ready()
  }

  /** The document, as a `.smyth` file holds it: without functions of skills, and without keys. */
  get data(): AgentData {
    return JSON.parse(JSON.stringify(this.draft.document)) as AgentData
  }

  get name(): string {
    return this.draft.fields.name
  }

  get behavior(): string {
    return String(this.draft.fields["behavior"])
  }
  set behavior(text: string) {
    this.draft.fields["behavior"] = text
  }

  /** Adds a skill, whose name nobody else of the agent has: with `process` a function, without it the entry of a workflow wired by `skill.out`. */
  addSkill(settings: SkillSettings): ComponentNode {
    const added = skill(settings)
    const same = this.draft.skillLike(added)
    if (same !== undefined) {
      const { endpoint, method, name } = same
      throw new SkillExists({ agent: this.name, skill: name, method, endpoint })
    }
    this.draft.add(added)
    return added
  }

  /** By the name it was given or by its endpoint; false when there is none. */
  removeSkill(name: string): boolean {
    return this.draft.removeSkill(name)
  }

  get skillNames(): ReadonlyArray<string> {
    return this.draft.skills.map(({ name }) => name)
  }

  /** Rejects with everything that is wrong with the agent, when something is. */
  async ready(): Promise<this> {
    await this.#session.run(this.#loaded)
    return this
  }

  /**
   * Calls one skill, by its name or its endpoint, and gives the answer. Rejects with {@link CallFailed} when no part of the
   * agent has one; of an answer in several parts, those that failed are records with `_error`.
   */
  call(skill: string, input: Readonly<Record<string, unknown>> = {}, { signal }: CallOptions = {}): Promise<unknown> {
    const endpoint = this.draft.skills.find(({ name }) => name === skill)?.endpoint ?? skill
    const called = Effect.gen(this, function*() {
      const agents = yield* this.#loaded
      const { answer, failure } = yield* agents.call(this.id, { endpoint, body: input, query: input })
      if (failure === undefined) return answer
      const { component, error } = failure
      return yield* new CallFailed({
        agent: this.name,
        skill,
        component,
        problem: error.message,
        answer,
        cause: error.cause ?? error
      })
    })
    return this.#session.run(called, signal)
  }

  /** The same as {@link call}, by the path of an endpoint: `/start`. */
  process(path: string, input?: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<unknown> {
    return this.call(path.replace(/^\//, ""), input, options)
  }

  /** A message without memory: `await` it for the answer, `.stream()` for its events. Skills are called as the model asks. */
  prompt(text: string, { signal, ...request }: PromptOptions = {}): Command {
    return this.#session.prompt(this.#say({ ...request, message: text }), signal)
  }

  /** A conversation that remembers. With an id, the same id finds it again. */
  chat(options?: string | ChatOptions): Chat {
    return new Chat(this.#session, {
      say: (message, { id, ...request }) => this.#say({ ...request, message, conversationId: id }),
      history: (id) => Effect.flatMap(this.#loaded, (agents) => agents.history(this.id, id)),
      forget: (id, what) => Effect.flatMap(this.#loaded, (agents) => agents.forget(this.id, id, what))
    }, options)
  }

  /** Takes the agent off the process table; what it kept stays, and its next use brings it back. */
  unload(): Promise<void> {
    return this.#session.run(Effect.flatMap(this.#loaded, (agents) => agents.unload(this.id)))
  }

  #say(request: Agents.PromptRequest) {
    const model = request.model ?? this.#model
    return Stream.unwrap(Effect.map(this.#loaded, (agents) => agents.prompt(this.id, { ...request, model })))
  }

  /** The process table, with this agent on it in its present form. */
  get #loaded(): Effect.Effect<typeof Agents.Agents.Service, InvalidAgent | AccessError, Agents.Agents> {
    return Effect.flatMap(
      Agents.Agents,
      (agents) =>
        Effect.flatMap(this.#present, (definition) =>
          agents.get(this.id).pipe(
            Effect.map((known) => known.definition === definition),
            Effect.catchTag("AgentNotFound", () => Effect.succeed(false)),
            Effect.flatMap((isLoaded) => isLoaded ? Effect.void : agents.load(definition)),
            Effect.as(agents)
          ))
    )
  }

  get #present() {
    return Effect.suspend(() => {
      const written = JSON.stringify(this.draft.document)
      return this.#definition !== undefined && this.#written === written
        ? Effect.succeed(this.#definition)
        : AgentDocument.decodeText(written).pipe(
          Effect.flatMap((decoded) => AgentDefinition.make(decoded, { skills: this.draft.functions })),
          Effect.tap((definition) => {
            this.#definition = definition
            this.#written = written
          })
        )
    })
  }
}

const idOf = (name: string): string =>
  Ids.unsafeMake(name.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 64).replace(/^-|-$/g, "") || "agent")
