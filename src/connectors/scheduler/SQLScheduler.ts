/** Scheduler in a database of PostgreSQL, MySQL, MariaDB or SQLite, for any number of processes: each run happens in one. */
import { Config, Duration, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Scheduler from "../../subsystems/compute/Scheduler.ts"
import * as Sql from "../Sql.ts"
import * as JobTable from "./JobTable.ts"

const SQLSchedulerSettings = Schema.Struct({
  ...Sql.settings,
  ...JobTable.settings,
  /** How often to look for jobs that other processes added, in milliseconds. Clocks should agree to about a second. */
  poll: Schema.optionalWith(
    Schema.DurationFromMillis.pipe(Schema.betweenDuration("50 millis", "1 hour")),
    { default: () => Duration.seconds(2) }
  )
})

export const SQLScheduler = Connector.make({
  name: "SQL",
  aliases: ["SQLScheduler", "Postgres", "MySQL", "MariaDB"],
  contract: Scheduler.SchedulerConnector,
  service: Scheduler.layer,
  settings: SQLSchedulerSettings,
  make: (settings) =>
    Effect.map(
      Sql.open("SQL", settings, JobTable.migrations),
      (database) => JobTable.make(database, settings, settings.poll)
    )
})

/** `Scheduler` in the database `SRE_SQL_URL`. */
export const SQLSchedulerLive = SQLScheduler.layerConfig({
  ...Sql.config,
  runJobs: Config.withDefault(Config.boolean("SRE_SCHEDULER_RUN_JOBS"), true),
  concurrency: Config.withDefault(Config.integer("SRE_SCHEDULER_CONCURRENCY"), 10),
  concurrencyPerTenant: Config.withDefault(Config.integer("SRE_SCHEDULER_CONCURRENCY_PER_TENANT"), undefined),
  maxHistoryEntries: Config.succeed(100),
  lease: Config.succeed(Duration.seconds(30)),
  poll: Config.succeed(Duration.seconds(2))
})
