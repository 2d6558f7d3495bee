import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { NullAgentData } from "../../../src/connectors/agentdata/NullAgentData.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { AgentData } from "../../../src/subsystems/io/AgentData.ts"

describe("NullAgentData", () => {
  it.effect("has no documents: lists none, deploys none, finds none", () =>
    Effect.gen(function*() {
      const agents = yield* AgentData
      assert.deepStrictEqual(yield* agents.list, [])
      assert.isFalse(yield* agents.isDeployed("a"))
      assert.strictEqual((yield* Effect.flip(agents.get("a")))._tag, "AgentNotFound")
    }).pipe(Candidate.as(Candidate.user("u")), Effect.provide(NullAgentData.layer({}))))
})
