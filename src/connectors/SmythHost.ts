/**
 * Where another system answers, and as whom it is asked: what the connectors named `Smyth…` have in common. What they ask is
 * described, with who is trusted with what, in {@link ManagedApi}.
 */
import { Config, Duration, Effect, type Redacted, Schema } from "effect"
import { BaseUrl } from "./JsonHttp.ts"

/** A token does not go over a network in clear text. */
const isSafe = (url: string) =>
  URL.canParse(url) &&
  (/^https:/.test(url) || /^http:/.test(url) && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname))
const unsafe = "expected https://; http:// is for this machine alone"

export const settings = {
  /** Where the other system answers: `https://sre.example`. Without TLS only on this machine. */
  url: BaseUrl.pipe(Schema.filter((url) => isSafe(url) || unsafe)),
  /** The team of the other system that this one acts for. */
  team: Schema.NonEmptyString,
  /** API key or signed token of a candidate that the team's setting `smyth.hosts` names. */
  token: Schema.Redacted(Schema.NonEmptyString),
  /** In milliseconds. For an answer, and between two parts of one. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
}

/** `SMYTH_URL`, `SMYTH_TEAM`, `SMYTH_TOKEN`, `SMYTH_TIMEOUT`. */
export const config = {
  url: Config.string("SMYTH_URL").pipe(
    Config.validate({ message: unsafe, validation: isSafe }),
    Config.map((url) => url.replace(/\/+$/, ""))
  ),
  team: Config.nonEmptyString("SMYTH_TEAM"),
  token: Config.redacted("SMYTH_TOKEN"),
  timeout: Config.withDefault(Config.duration("SMYTH_TIMEOUT"), Duration.seconds(30))
}

export interface Settings {
  readonly url: string
  readonly team: string
  readonly token: Redacted.Redacted
  readonly timeout: Duration.Duration
}

/** The client; HTTP modules are loaded by who has use for them. */
export const open = (connector: string, settings: Settings) =>
  Effect.flatMap(Effect.promise(() => import("./SmythClient.ts")), ({ make }) => make(connector, settings))
