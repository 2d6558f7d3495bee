/** Router that serves nothing: for hosts without HTTP, and for tests. */
import { Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Router from "../../subsystems/io/Router.ts"

export const NullRouter = Connector.make({
  name: "NullRouter",
  aliases: ["Null"],
  contract: Router.RouterConnector,
  service: Router.layer,
  settings: Schema.Struct({}),
  make: () =>
    Effect.succeed({
      host: "localhost",
      baseUrl: Effect.succeed("http://nullrouter.local"),
      serve: () => Effect.void
    })
})
