/** Clients of `@effect/sql` on the databases there are, for the time of a scope. For {@link Sql} alone. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Context, Duration, Effect, Layer, type Redacted, type Scope } from "effect"
import { connect as connectSocket, Socket } from "node:net"
import { dirname, resolve } from "node:path"
import type { BootError } from "../kernel/BootError.ts"
import * as Connector from "../kernel/Connector.ts"
import type { ConnectorError } from "../kernel/ConnectorError.ts"
import * as DataFolder from "./DataFolder.ts"
import { fromSqlError } from "./SqlReason.ts"

type Client = Effect.fn.Return<SqlClient, BootError | ConnectorError, Scope.Scope>

export const sqlitePackage = "@effect/sql-sqlite-node"

/** Statements run in this thread and cannot be interrupted, so a locked file is waited for here and not in SQLite. */
export const sqlite = Effect.fnUntraced(function*(connector: string, file: string): Client {
  const { SqliteClient, layer } = yield* Connector.vendor(
    connector,
    sqlitePackage,
    () => import("@effect/sql-sqlite-node/SqliteClient")
  )
  const filename = file === ":memory:" ? file : resolve(file)
  if (file !== ":memory:") yield* DataFolder.makeFolder(connector, "open", dirname(filename))
  const open = Effect.map(Layer.build(layer({ filename, prepareCacheTTL: "1 second" })), Context.get(SqliteClient))
  return yield* orFail(connector, Effect.tap(open, (sql) => sql`PRAGMA busy_timeout = 50`))
})

export const postgres = Effect.fnUntraced(function*(
  connector: string,
  url: Redacted.Redacted,
  maxConnections: number,
  timeout: Duration.Duration
): Client {
  const { PgClient, layer } = yield* Connector.vendor(
    connector,
    "@effect/sql-pg",
    () => import("@effect/sql-pg/PgClient")
  )
  const connect = Layer.build(layer({
    url,
    maxConnections,
    connectTimeout: timeout,
    applicationName: "effect-sre",
    stream: () => watched(new Socket(), timeout)
  }))
  return yield* orFail(connector, Effect.map(connect, Context.get(PgClient)))
})

export const mysql = Effect.fnUntraced(function*(
  connector: string,
  uri: string,
  maxConnections: number,
  timeout: Duration.Duration
): Client {
  const { MysqlClient, layer } = yield* Connector.vendor(
    connector,
    "@effect/sql-mysql2",
    () => import("@effect/sql-mysql2/MysqlClient")
  )
  const connect = Layer.build(layer({
    maxConnections,
    poolConfig: {
      uri,
      maxIdle: maxConnections,
      connectTimeout: Duration.toMillis(timeout),
      stream: ({ config: { host, port, socketPath } }: Dialed) =>
        watched(connectSocket(socketPath === undefined ? { host, port } : { path: socketPath }), timeout)
    }
  }))
  return yield* orFail(connector, Effect.map(connect, Context.get(MysqlClient)))
})

/** What the drivers throw, at an address or a file they cannot use, is a defect there. */
const orFail = <A, E, R>(connector: string, self: Effect.Effect<A, E, R>): Effect.Effect<A, ConnectorError, R> =>
  Effect.mapError(Effect.catchAllDefect(self, Effect.fail), fromSqlError(connector, "connect"))

/** As the driver tells it to a maker of connections. */
interface Dialed {
  readonly config: { readonly host: string; readonly port: number; readonly socketPath: string | undefined }
}

/**
 * A connection on which nothing was heard for longer than a statement may take is closed, or the pool would hand out dead
 * ones for ever; an idle one that was well is opened again on the next call.
 */
const watched = (socket: Socket, timeout: Duration.Duration): Socket =>
  socket.setNoDelay(true).setTimeout(Duration.toMillis(timeout) + 100, () => {
    socket.destroy(Object.assign(new Error("the database did not answer in time"), { code: "ETIMEDOUT" }))
  })
