/** When a job runs: at an interval, by cron in a time zone, or once; and what becomes of the times that were missed. */
import { Cron, Duration, Either, Option, ParseResult, Schema } from "effect"

const units: Readonly<Record<string, Duration.Duration>> = {
  s: Duration.seconds(1),
  m: Duration.minutes(1),
  h: Duration.hours(1),
  d: Duration.days(1),
  w: Duration.weeks(1)
}

/** `30s`, `10m`, `2h`, `1d`, `2w`: a whole number from 1 and its unit; ten years at most. */
export const Interval = Schema.String.pipe(
  Schema.filter((text): true | string => {
    const length: number = /^[1-9]\d{0,9}[smhdw]$/.test(text) ? Duration.toDays(lengthOf(text)) : Infinity
    return length <= 3660 ||
      `expected a length of time like "30s", "10m", "2h", "1d" or "2w", got "${text.slice(0, 40)}"`
  })
)
export type Interval = typeof Interval.Type

export const lengthOf = (interval: string): Duration.Duration =>
  Duration.times(units[interval.at(-1)!] ?? Duration.infinity, Number.parseInt(interval))

/** Exactly one of `interval`, `cron` and `at`. */
export const JobSchedule = Schema.Struct({
  interval: Schema.optional(Interval),
  /** Five fields, or six with seconds first: https://en.wikipedia.org/wiki/Cron */
  cron: Schema.optional(Schema.String.pipe(Schema.maxLength(200))),
  /** Of the cron, `Europe/Berlin`. Default: UTC. */
  timeZone: Schema.optional(Schema.String),
  /** Once, at this time. */
  at: Schema.optional(Schema.Date),
  /** No run before. With an interval the first is then, else one interval after the job was made. */
  startDate: Schema.optional(Schema.Date),
  /** No run after. */
  endDate: Schema.optional(Schema.Date)
}).pipe(Schema.filter((schedule): ReadonlyArray<Schema.FilterIssue> | undefined => {
  const { at, cron, endDate, interval, startDate, timeZone } = schedule
  const given = [interval, cron, at].filter((one) => one !== undefined)
  if (given.length !== 1) return [{ path: [], message: "expected exactly one of interval, cron and at" }]
  if (timeZone !== undefined && cron === undefined) return [{ path: ["timeZone"], message: "belongs to cron" }]
  if (startDate !== undefined && endDate !== undefined && startDate > endDate) {
    return [{ path: ["endDate"], message: "is before startDate" }]
  }
  return cron === undefined ? undefined : Either.match(parse(cron, timeZone), {
    onLeft: (message) => [{ path: ["cron"], message }],
    onRight: () => undefined
  })
}))
export type JobSchedule = typeof JobSchedule.Type

/**
 * Of times that passed while nobody ran the job, or while it was running: `skip` runs none of them, `once` the latest, `all`
 * up to so many of the latest, one after the other.
 */
export const Missed = Schema.Union(
  Schema.Literal("skip", "once"),
  Schema.Struct({ all: Schema.Int.pipe(Schema.between(1, 100)) })
)
export type Missed = typeof Missed.Type

/** A run that begins later than this is a missed one; less is the ordinary lateness of a process. */
export const grace = Duration.minutes(1)

const parse = (cron: string, timeZone = "UTC"): Either.Either<Cron.Cron, string> =>
  Cron.parse(cron, timeZone).pipe(
    Either.mapLeft(({ message }) => message),
    Either.filterOrLeft(
      (parsed) => Option.isSome(step(() => Cron.next(parsed, new Date(0)))),
      () => "it names a date that never comes"
    )
  )

/** The time zone, or the date, may lead nowhere. */
const step = Option.liftThrowable((take: () => Date) => take().getTime())

/** The first time after `after`, all in milliseconds since 1970; `created` is when the job was made. */
export const nextAfter = (schedule: JobSchedule, created: number, after: number): Option.Option<number> => {
  const from = Math.max(after, (schedule.startDate?.getTime() ?? -Infinity) - 1)
  const next = find(schedule, created, {
    at: (at) => at > after ? Option.some(at) : Option.none(),
    cron: (cron) => step(() => Cron.next(cron, new Date(from))),
    interval: (anchor, length) => Option.some(anchor + Math.max(0, Math.floor((from - anchor) / length) + 1) * length)
  })
  return Option.filter(next, (time) => time <= (schedule.endDate?.getTime() ?? Infinity))
}

/** The last time up to and including `until`. */
export const latestUpTo = (schedule: JobSchedule, created: number, until: number): Option.Option<number> => {
  const to = Math.min(until, schedule.endDate?.getTime() ?? Infinity)
  const latest = find(schedule, created, {
    at: Option.some,
    // Counts in whole seconds, and leaves out the one it starts from.
    cron: (cron) => step(() => Cron.prev(cron, new Date(Math.floor(to / 1000) * 1000 + 1000))),
    interval: (anchor, length) => Option.some(anchor + Math.floor((to - anchor) / length) * length)
  })
  return Option.filter(latest, (time) => time <= to && time >= (schedule.startDate?.getTime() ?? created))
}

const find = <A>({ at, cron, interval, startDate, timeZone }: JobSchedule, created: number, cases: {
  readonly at: (at: number) => A
  readonly cron: (cron: Cron.Cron) => A
  readonly interval: (anchor: number, length: number) => A
}): A => {
  if (at !== undefined) return cases.at(at.getTime())
  if (cron !== undefined) return cases.cron(Either.getOrThrow(parse(cron, timeZone)))
  const length = Duration.toMillis(lengthOf(interval ?? "1d"))
  return cases.interval(startDate?.getTime() ?? created + length, length)
}

/** The first time a job made at `created` runs; a single run that lies in the past is due at once. */
export const first = (schedule: JobSchedule, created: number): Option.Option<number> =>
  schedule.at === undefined ? nextAfter(schedule, created, created) : Option.some(schedule.at.getTime())

/** Which of the times from `due` to `now` is to be run now; none when all of them are to be left out. */
export const toRun = (
  { missed, schedule }: { readonly schedule: JobSchedule; readonly missed: Missed },
  created: number,
  due: number,
  now: number
): Option.Option<number> => {
  const isLate = (time: number) => now - time > Duration.toMillis(grace)
  const latest = Math.max(due, Option.getOrElse(latestUpTo(schedule, created, now), () => due))
  if (missed === "once") return Option.some(latest)
  if (missed === "skip") return !isLate(due) ? Option.some(due) : isLate(latest) ? Option.none() : Option.some(latest)
  let earliest = latest
  for (let count = 1; count < missed.all && earliest > due; count++) {
    earliest = Math.max(due, Option.getOrElse(latestUpTo(schedule, created, earliest - 1), () => due))
  }
  return Option.some(earliest)
}

/** When it is due again after the run for `time` ended at `now`. */
export const dueAfter = (
  { missed, schedule }: { readonly schedule: JobSchedule; readonly missed: Missed },
  created: number,
  time: number,
  now: number
): Option.Option<number> => nextAfter(schedule, created, missed === "skip" ? Math.max(time, now) : time)

/** One line for all that is wrong with data. */
export const issuesOf = (error: ParseResult.ParseIssue): string =>
  ParseResult.ArrayFormatter.formatIssueSync(error)
    .map(({ message, path }) => path.length === 0 ? message : `${path.join(".")}: ${message}`).join("; ")
