/** Takes an indexed data source away. */
import { Effect, Schema } from "effect"
import { VectorDB } from "../../subsystems/io/VectorDB.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as DataSource from "./DataSource.ts"

export const DataSourceCleaner = Component.make("DataSourceCleaner", {
  description: "Removes a data source with all its pieces; also succeeds when there is none of that id.",
  category: "data",
  config: Schema.Struct({
    namespaceId: Settings.text({ max: 200 }),
    id: DataSource.id
  }),
  outputs: Schema.Struct({ Success: Port.Boolean }),
  openInputs: true,
  run: Effect.fnUntraced(function*({ config, step }) {
    const vectors = yield* VectorDB
    const id = yield* DataSource.idOf(config.id, step)
    const existed = yield* DataSource.withNamespace(
      config.namespaceId,
      (namespace) => vectors.deleteDatasource(namespace, id)
    )
    if (!existed) step.log("info", `there was no data source "${id}"`)
    return { Success: true }
  })
})
