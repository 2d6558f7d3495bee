/** Starts a run with every message that comes into a mailbox of Gmail: https://developers.google.com/gmail/api/guides/sync */
import { Clock, Effect, Option, Schema } from "effect"
import { Interval } from "../../subsystems/compute/JobSchedule.ts"
import * as Component from "../Component.ts"
import * as Entry from "../Entry.ts"
import * as Settings from "../Settings.ts"
import * as Gmail from "./Gmail.ts"
import * as GmailMessage from "./GmailMessage.ts"

const Config = Schema.Struct({
  ...Entry.settings,
  /** The OAuth connection in the managed vault, with the scope `gmail.readonly`. */
  oauth_cred_id: Settings.text({ max: 500 }),
  /** How often to look: `30s`, `1m`, `2h`. */
  interval: Settings.withDefault(Interval, "1m"),
  /** Messages of this label alone. */
  label: Settings.text({ max: 200, default: "INBOX" })
})
type Config = typeof Config.Type

export const GmailTrigger = Component.make("GmailTrigger", {
  description: "Looks into a mailbox of Gmail from time to time, and starts a run with every message that came.",
  category: "entry",
  config: Config,
  outputs: Schema.Struct(Entry.outputs),
  openOutputs: true,
  entry: {
    kind: "poll",
    schedule: ({ interval }) => ({ interval }),
    begin: Effect.fnUntraced(function*({ config }) {
      const history = yield* Gmail.presentHistory(mailboxOf(config))
      return encodeCursor({ history, at: yield* Clock.currentTimeMillis, recent: [] })
    }),
    look: Effect.fnUntraced(function*(text, _due, { config }) {
      const cursor = yield* decodeCursor(text)
      const mailbox = mailboxOf(config)
      const at = yield* Clock.currentTimeMillis
      const changes = yield* Gmail.addedSince(mailbox, cursor.history)
      const found = Option.isSome(changes) ? changes.value : yield* resynced(mailbox, cursor)
      const known = new Set(cursor.recent)
      const items = found.messages.filter((id) => !known.has(id))
      const recent = [...cursor.recent, ...items].slice(-maxRecent)
      return { items, cursor: encodeCursor({ history: found.history, at, recent }) }
    }),
    load: (id, { config }) =>
      Effect.map(Gmail.message(mailboxOf(config), id), Option.map((found) => ({ email: GmailMessage.read(found) })))
  },
  run: ({ step }) => ({ Payload: step.run.request.body })
})

const mailboxOf = ({ label, oauth_cred_id: connection }: Config): Gmail.Mailbox => ({ label, connection })

/** History is kept for a week or so. When it is gone the mailbox is searched for what came since it was looked at. */
const resynced = Effect.fnUntraced(function*(mailbox: Gmail.Mailbox, { at }: Cursor) {
  // First: what comes during the search is found again by history, and known by its id.
  const history = yield* Gmail.presentHistory(mailbox)
  const messages = yield* Gmail.arrivedAfter(mailbox, Math.floor(at / 1000) - clockSkew)
  return { history, messages }
})

/** Seconds that their clock and ours may differ. */
const clockSkew = 300

/** Ids that are kept, so that a search does not bring again what history brought. */
const maxRecent = 500

const Cursor = Schema.Struct({
  history: Schema.String,
  /** When the mailbox was last looked at, in milliseconds since 1970. */
  at: Schema.Int,
  /** Messages that were delivered last. */
  recent: Schema.Array(Schema.String)
})
type Cursor = typeof Cursor.Type

const CursorFromJson = Schema.parseJson(Cursor)
const decodeCursor = Schema.decode(CursorFromJson)
const encodeCursor = Schema.encodeSync(CursorFromJson)
