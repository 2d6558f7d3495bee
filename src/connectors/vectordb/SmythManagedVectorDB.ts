/** VectorDB of another system of this kind, in the space of one of its teams. Texts are embedded here, not there. */
import { Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as VectorDB from "../../subsystems/io/VectorDB.ts"
import * as SmythHost from "../SmythHost.ts"

const SmythManagedVectorDBSettings = Schema.Struct(SmythHost.settings)

export const SmythManagedVectorDB = Connector.make({
  name: "SmythManaged",
  aliases: ["Smyth", "SmythManagedVectorDB"],
  contract: VectorDB.VectorDBConnector,
  service: VectorDB.layer,
  settings: SmythManagedVectorDBSettings,
  make: Effect.fnUntraced(function*(settings) {
    const { api: { vectors }, call, path } = yield* SmythHost.open("SmythManaged", settings)
    return VectorDB.VectorDBConnector.of({
      get: (space, name) =>
        Effect.map(call("get", vectors.get({ path, payload: { space, name } })), ({ record }) => record),
      put: (space, name, value, expected) =>
        Effect.asVoid(call("put", vectors.put({ path, payload: { space, name, value, expected } }))),
      remove: (space, name, expected) =>
        Effect.asVoid(call("remove", vectors.remove({ path, payload: { space, name, expected } }))),
      list: (space, page) => call("list", vectors.list({ path, payload: { space, page } })),
      upsert: (collection, points) =>
        Effect.asVoid(call("upsert", vectors.upsert({ path, payload: { collection, points } }))),
      fetch: (collection, ids) => call("fetch", vectors.fetch({ path, payload: { collection, ids } })),
      delete: (collection, ids) =>
        Effect.asVoid(call("delete", vectors.delete({ path, payload: { collection, ids } }))),
      search: (collection, query) => call("search", vectors.search({ path, payload: { collection, query } })),
      searchWords: (collection, query) =>
        call("searchWords", vectors.searchWords({ path, payload: { collection, query } })),
      drop: (collection) => Effect.asVoid(call("drop", vectors.drop({ path, payload: { collection } })))
    })
  })
})

/** `VectorDB` at `SMYTH_URL`, for the team `SMYTH_TEAM`, with `SMYTH_TOKEN`. */
export const SmythManagedVectorDBLive = SmythManagedVectorDB.layerConfig(SmythHost.config)
