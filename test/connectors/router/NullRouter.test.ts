import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { NullRouter } from "../../../src/connectors/router/NullRouter.ts"
import { Router } from "../../../src/subsystems/io/Router.ts"
import { suite } from "../../../src/testing/conformance/router.ts"

describe("NullRouter", () => {
  it.scoped("takes everything and serves nothing", () =>
    Effect.gen(function*() {
      const router = yield* Router
      yield* router.serve(Effect.succeed(HttpServerResponse.empty()))
      yield* router.mount("/files", Effect.succeed(HttpServerResponse.empty()))
      assert.strictEqual(yield* router.baseUrl, "http://nullrouter.local")
    }).pipe(Effect.provide(NullRouter.layer({}))))
})

// Last: the suite's `layer` replaces the `it.effect` of all that is described after it.
suite("Null", NullRouter.contract({}), { serves: false })
