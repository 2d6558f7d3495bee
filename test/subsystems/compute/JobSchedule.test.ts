import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Either, FastCheck as fc, Option, ParseResult, Schema } from "effect"
import * as JobSchedule from "../../../src/subsystems/compute/JobSchedule.ts"

const decode = Schema.decodeUnknownEither(JobSchedule.JobSchedule)
const schedule = (encoded: typeof JobSchedule.JobSchedule.Encoded) => Either.getOrThrow(decode(encoded))
const at = (text: string) => Date.parse(text)
const iso = (time: Option.Option<number>) => Option.map(time, (millis) => new Date(millis).toISOString())
const problem = (encoded: unknown) =>
  Either.match(decode(encoded), {
    onLeft: ({ issue }) => JobSchedule.issuesOf(issue),
    onRight: () => "accepted"
  })

const created = at("2026-03-01T12:00:00Z")
const cases = {
  interval: { interval: "10m" },
  "interval with a start": { interval: "1h", startDate: "2026-03-05T00:30:00Z" },
  cron: { cron: "*/5 9-17 * * 1-5" },
  "cron in a time zone": { cron: "30 8 * * *", timeZone: "Europe/Berlin" },
  "cron until an end": { cron: "0 0 * * *", endDate: "2026-12-24T00:00:00Z" }
}

describe("a schedule", () => {
  const moments = fc.integer({ min: created, max: at("2027-06-01T00:00:00Z") })
  for (const [name, encoded] of Object.entries(cases)) {
    it(`of ${name} has no time between one and the next, and finds the same going back`, () => {
      const one = schedule(encoded)
      fc.assert(
        fc.property(moments, (moment) => {
          const next = JobSchedule.nextAfter(one, created, moment)
          if (Option.isNone(next)) return true
          const back = JobSchedule.latestUpTo(one, created, next.value)
          const before = JobSchedule.latestUpTo(one, created, next.value - 1)
          return next.value > moment && Option.contains(back, next.value) &&
            (Option.isNone(before) || before.value <= moment)
        }),
        { numRuns: 200 }
      )
    })
  }

  it("of an interval keeps its rhythm, however late it is asked", () => {
    const one = schedule({ interval: "10m" })
    assert.deepStrictEqual(iso(JobSchedule.first(one, created)), Option.some("2026-03-01T12:10:00.000Z"))
    assert.deepStrictEqual(
      iso(JobSchedule.nextAfter(one, created, at("2026-03-01T12:34:56Z"))),
      Option.some("2026-03-01T12:40:00.000Z")
    )
    const years = schedule({ interval: "400d" })
    assert.deepStrictEqual(iso(JobSchedule.first(years, created)), Option.some("2027-04-05T12:00:00.000Z"))
  })

  it("begins at its start and is over after its end", () => {
    const one = schedule({ interval: "1d", startDate: "2026-04-01T00:00:00Z", endDate: "2026-04-02T00:00:00Z" })
    assert.deepStrictEqual(iso(JobSchedule.first(one, created)), Option.some("2026-04-01T00:00:00.000Z"))
    assert.deepStrictEqual(
      iso(JobSchedule.nextAfter(one, created, at("2026-04-01T00:00:00Z"))),
      Option.some("2026-04-02T00:00:00.000Z")
    )
    assert.deepStrictEqual(JobSchedule.nextAfter(one, created, at("2026-04-02T00:00:00Z")), Option.none())
  })

  it("of a cron follows the clock of its zone when that is put forward", () => {
    const one = schedule({ cron: "0 8 * * *", timeZone: "Europe/Berlin" })
    const hours = [at("2026-03-28T00:00:00Z"), at("2026-03-29T00:00:00Z")].map((from) =>
      iso(JobSchedule.nextAfter(one, created, from))
    )
    assert.deepStrictEqual(hours, [Option.some("2026-03-28T07:00:00.000Z"), Option.some("2026-03-29T06:00:00.000Z")])
    assert.strictEqual(DateTime.zoneMakeNamed("Europe/Berlin")._tag, "Some")
  })

  it("for once has one time, also when that is past", () => {
    const one = schedule({ at: "2020-01-01T00:00:00Z" })
    assert.deepStrictEqual(iso(JobSchedule.first(one, created)), Option.some("2020-01-01T00:00:00.000Z"))
    assert.deepStrictEqual(JobSchedule.nextAfter(one, created, at("2020-01-01T00:00:00Z")), Option.none())
  })

  for (
    const [encoded, expected] of [
      [{}, "exactly one of interval, cron and at"],
      [{ interval: "1m", cron: "* * * * *" }, "exactly one of"],
      [{ interval: "0s" }, "expected a length of time"],
      [{ interval: "1.5h" }, "expected a length of time"],
      [{ interval: "10" }, "expected a length of time"],
      [{ interval: "5x" }, "expected a length of time"],
      [{ interval: "99999w" }, "expected a length of time"],
      [{ cron: "* * *" }, "cron"],
      [{ cron: "0 0 31 2 *" }, "never comes"],
      [{ cron: "0 0 * * *", timeZone: "Mars/Olympus" }, "cron"],
      [{ interval: "1m", timeZone: "UTC" }, "timeZone: belongs to cron"],
      [{ interval: "1m", startDate: "2026-02-02T00:00:00Z", endDate: "2026-02-01T00:00:00Z" }, "endDate: is before"],
      [{ at: "tomorrow" }, "at"]
    ] as const
  ) {
    it(`${JSON.stringify(encoded)} is refused: ${expected}`, () => assert.include(problem(encoded), expected))
  }

  it("reads every interval it writes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.constantFrom("s", "m", "h", "d", "w"),
        (n, unit) =>
          ParseResult.is(JobSchedule.Interval)(`${n}${unit}`) &&
          Duration.toMillis(JobSchedule.lengthOf(`${n}${unit}`)) ===
            n * { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[unit]!
      )
    )
  })
})

describe("of missed times", () => {
  const one = schedule({ interval: "10m" })
  const minutes = (n: number) => created + n * 60_000
  const toRun = (missed: JobSchedule.Missed, due: number, now: number) =>
    Option.map(
      JobSchedule.toRun({ schedule: one, missed }, created, minutes(due), minutes(now)),
      (time) => (time - created) / 60_000
    )

  it("an ordinary lateness is none", () => {
    for (const missed of ["skip", "once", { all: 5 }] as const) {
      assert.deepStrictEqual(toRun(missed, 10, 10), Option.some(10))
      assert.deepStrictEqual(toRun(missed, 10, 10.9), Option.some(10))
    }
  })

  it("skip runs none, but the latest when it is not late", () => {
    assert.deepStrictEqual(toRun("skip", 10, 45), Option.none())
    assert.deepStrictEqual(toRun("skip", 10, 40.5), Option.some(40))
  })

  it("once runs the latest", () => assert.deepStrictEqual(toRun("once", 10, 45), Option.some(40)))

  it("all runs one after the other, so many of the latest", () => {
    assert.deepStrictEqual(toRun({ all: 100 }, 10, 45), Option.some(10))
    assert.deepStrictEqual(toRun({ all: 2 }, 10, 45), Option.some(30))
    const after = (time: number) =>
      Option.map(
        JobSchedule.dueAfter({ schedule: one, missed: { all: 2 } }, created, minutes(time), minutes(45)),
        (due) => (due - created) / 60_000
      )
    assert.deepStrictEqual([after(30), after(40)], [Option.some(40), Option.some(50)])
  })
})
