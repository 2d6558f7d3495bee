/** Why an agent could not be asked, or did not answer. Failures of components are part of an answer instead. */
import { Duration, Schema } from "effect"
import { didYouMean } from "../kernel/Nearest.ts"

export class EndpointNotFound extends Schema.TaggedError<EndpointNotFound>()("EndpointNotFound", {
  agent: Schema.String,
  endpoint: Schema.String,
  method: Schema.String,
  /** As `POST digest`. */
  available: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const near = didYouMean(this.endpoint, this.available.map((key) => key.slice(key.indexOf(" ") + 1)))
    return `Agent "${this.agent}" has no endpoint ${this.method} ${this.endpoint}.${near} It has: ${
      this.available.join(", ") || "none"
    }`
  }
}

/** No such agent or trigger, or one that is not registered: who sends is not told which. */
export class TriggerNotFound extends Schema.TaggedError<TriggerNotFound>()("TriggerNotFound", {
  agent: Schema.String,
  trigger: Schema.String
}) {
  override get message(): string {
    return `Agent "${this.agent}" has no trigger "${this.trigger}", or it is not registered`
  }
}

/** What the trigger needs does not work, or its settings make no sense. */
export class TriggerFailed extends Schema.TaggedError<TriggerFailed>()("TriggerFailed", {
  agent: Schema.String,
  trigger: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `Trigger "${this.trigger}" of agent "${this.agent}": ${this.problem}`
  }
}

/** The component knows no sign-in, or where it should happen cannot be asked. */
export class SignInRefused extends Schema.TaggedError<SignInRefused>()("SignInRefused", {
  agent: Schema.String,
  component: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `"${this.component}" of agent "${this.agent}" cannot be signed in: ${this.problem}`
  }
}

/** Agents ask agents that ask agents: as a rule, each other. */
export class AgentsTooDeep extends Schema.TaggedError<AgentsTooDeep>()("AgentsTooDeep", {
  agent: Schema.String,
  maxDepth: Schema.Int
}) {
  override get message(): string {
    return `Agent "${this.agent}" was not asked: ${this.maxDepth} agents wait for each other already. Do they ask in a circle?`
  }
}

export class RunTimedOut extends Schema.TaggedError<RunTimedOut>()("RunTimedOut", {
  agent: Schema.String,
  endpoint: Schema.String,
  after: Schema.DurationFromMillis
}) {
  override get message(): string {
    return `${this.endpoint} of agent "${this.agent}" was stopped after ${Duration.format(this.after)}`
  }
}

/** Somebody stopped the run, or the agent was unloaded under it. */
export class RunStopped extends Schema.TaggedError<RunStopped>()("RunStopped", {
  agent: Schema.String,
  run: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Run "${this.run}" of agent "${this.agent}" was stopped: ${this.reason}`
  }
}

/** No such run, or none the asker may see: it was another's, or has ended too long ago. */
export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", {
  agent: Schema.String,
  run: Schema.String
}) {
  override get message(): string {
    return `Agent "${this.agent}" has no run "${this.run}": runs are known while they are under way or paused, ` +
      `and those that were started in the background for an hour after`
  }
}

/** The run is not in the state that what was asked of it needs. */
export class RunNotReady extends Schema.TaggedError<RunNotReady>()("RunNotReady", {
  run: Schema.String,
  status: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `Run "${this.run}" is ${this.status}: ${this.problem}`
  }
}

export class ComponentNotFound extends Schema.TaggedError<ComponentNotFound>()("ComponentNotFound", {
  agent: Schema.String,
  component: Schema.String,
  /** Ids of the agent's components. */
  available: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `Agent "${this.agent}" has no component "${this.component}".${didYouMean(this.component, this.available)}`
  }
}

/** The agent names no model of its own, and the request none either. */
export class NoModel extends Schema.TaggedError<NoModel>()("NoModel", { agent: Schema.String }) {
  override get message(): string {
    return `Agent "${this.agent}" has no default model: name one with the request, or set "defaultModel" in its document`
  }
}
