/** What the Promise API itself throws or rejects with; services reject with their own errors. */
import { Schema } from "effect"
import { nearest } from "../kernel/Nearest.ts"

/** Something is made with a setting it does not have, or without one it needs. */
export class InvalidSettings extends Schema.TaggedError<InvalidSettings>()("InvalidSettings", {
  /** What was to be made: `agent`, `skill`, `model` or `chat`. */
  of: Schema.String,
  /** Name of the setting. */
  key: Schema.String,
  problem: Schema.String,
  /** Settings there are, the nearest ones first where one was misspelt. */
  accepted: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `Settings of the ${this.of}: ${this.key}: ${this.problem}`
  }
}

/** The agent has a skill of that name, or of that endpoint and method, already. */
export class SkillExists extends Schema.TaggedError<SkillExists>()("SkillExists", {
  agent: Schema.String,
  skill: Schema.String,
  method: Schema.String,
  endpoint: Schema.String
}) {
  override get message(): string {
    return `Agent "${this.agent}" has the skill "${this.skill}" (${this.method} ${this.endpoint}) already: ` +
      `give the new one another name, or call removeSkill("${this.skill}") before`
  }
}

/** A function of a skill threw, or its promise was rejected. */
export class SkillFailed extends Schema.TaggedError<SkillFailed>()("SkillFailed", {
  skill: Schema.String,
  problem: Schema.String,
  /** What it threw. */
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return this.problem
  }
}

/** A call to which no part of the agent had an answer. */
export class CallFailed extends Schema.TaggedError<CallFailed>()("CallFailed", {
  agent: Schema.String,
  skill: Schema.String,
  /** Id of the component that failed; of several the first in the document. */
  component: Schema.String,
  problem: Schema.String,
  /** What HTTP answers: the record of the failed component with `_error`, or a list of such. */
  answer: Schema.Unknown,
  /** Why the component failed: a {@link SkillFailed} of a function, else what its service failed with. */
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return `"${this.skill}" of agent "${this.agent}" failed in ${this.component}: ${this.problem}`
  }
}

/** Refuses what is no setting. */
export const refuseUnknown = (of: string, given: object, accepted: ReadonlyArray<string>): void => {
  for (const key of Object.keys(given)) {
    if (!accepted.includes(key)) throw unknownSetting(of, key, accepted, nearest(key, accepted))
  }
}

/** The same where other keys may stand too: refuses only what looks like a setting that is not there. */
export const refuseMisspelt = (of: string, given: object, accepted: ReadonlyArray<string>): void => {
  const absent = accepted.filter((key) => !Object.hasOwn(given, key))
  for (const key of Object.keys(given)) {
    const near = accepted.includes(key) ? [] : nearest(key, absent)
    if (near.length > 0) throw unknownSetting(of, key, accepted, near)
  }
}

/** Refuses what is no text, or empty. */
export const requireText = (of: string, given: object, key: string, accepted: ReadonlyArray<string>): void => {
  const value: unknown = Object.hasOwn(given, key) ? (given as Readonly<Record<string, unknown>>)[key] : undefined
  if (typeof value === "string" && value !== "") return
  const problem = value === undefined ? "missing" : `expected text, got ${value === "" ? "none" : typeof value}`
  throw new InvalidSettings({ of, key, problem, accepted })
}

const unknownSetting = (of: string, key: string, accepted: ReadonlyArray<string>, near: ReadonlyArray<string>) =>
  new InvalidSettings({
    of,
    key,
    problem: near.length === 0
      ? `there is no such setting. There are: ${accepted.join(", ")}`
      : `there is no such setting. Did you mean ${near.map((one) => `"${one}"`).join(" or ")}?`,
    accepted: [...near, ...accepted.filter((one) => !near.includes(one))]
  })
