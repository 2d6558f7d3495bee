/** Scheduler in a SQLite file, opened with the first job: a system that schedules nothing does not pay for it. */
import { Duration, Effect, Option, Redacted, Ref, Schema } from "effect"
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import * as Connector from "../../kernel/Connector.ts"
import * as Scheduler from "../../subsystems/compute/Scheduler.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Sql from "../Sql.ts"
import * as JobTable from "./JobTable.ts"

const LocalSchedulerSettings = Schema.Struct({
  ...JobTable.settings,
  /** The SQLite file, or `:memory:`. Default: `scheduler.sqlite` in the folder `SRE_DATA`, which is `.sre` by default. */
  file: Schema.optional(Schema.NonEmptyString)
})

export const LocalScheduler = Connector.make({
  name: "LocalScheduler",
  aliases: ["Local"],
  contract: Scheduler.SchedulerConnector,
  service: Scheduler.layer,
  settings: LocalSchedulerSettings,
  make: Effect.fnUntraced(function*(settings) {
    const file = settings.file ?? (yield* DataFolder.config("scheduler.sqlite"))
    const opening = Sql.open("LocalScheduler", {
      url: Redacted.make(`sqlite:${file}`),
      maxConnections: 1,
      timeout: Duration.seconds(10)
    }, JobTable.migrations)
    const opened = yield* Connector.optionally("LocalScheduler", "@effect/sql-sqlite-node", opening)
    const isThere = yield* Ref.make(file !== ":memory:" && existsSync(resolve(file)))

    const table = JobTable.make(
      {
        run: (method, use) => Effect.flatMap(opened, ({ run }) => run(method, use)),
        transaction: (method, use) => Effect.flatMap(opened, ({ transaction }) => transaction(method, use))
      },
      settings,
      Duration.minutes(1)
    )
    /** Without a file there is no job. */
    const ifThere = <A, E>(otherwise: A, self: Effect.Effect<A, E>) =>
      Effect.flatMap(Ref.get(isThere), (there) => there ? self : Effect.succeed(otherwise))

    return Scheduler.SchedulerConnector.of({
      ...table,
      put: (job) => Effect.zipRight(Ref.set(isThere, true), table.put(job)),
      get: (owner, id) => ifThere(Option.none(), table.get(owner, id)),
      list: (owner) => ifThere([], table.list(owner)),
      update: (job) => ifThere(false, table.update(job)),
      remove: (owner, id) => ifThere(undefined, table.remove(owner, id)),
      due: (kinds, now) => ifThere([], table.due(kinds, now)),
      claim: (request) => ifThere(Option.none(), table.claim(request)),
      history: (owner, id) => ifThere([], table.history(owner, id)),
      next: (kinds, now) => ifThere(Option.none(), table.next(kinds, now))
    })
  })
})

/** `Scheduler` in the file `scheduler.sqlite` of `SRE_DATA`. */
export const LocalSchedulerLive = LocalScheduler.layer({})
