import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { CLIAgentData } from "../../../src/connectors/agentdata/CLIAgentData.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { AgentData, AgentDataConnector } from "../../../src/subsystems/io/AgentData.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const write = (file: string, text: string) => Effect.promise(() => writeFile(file, text))

const documentFile = (text: string) =>
  Effect.gen(function*() {
    const file = join(yield* tempFolder, "mine.smyth")
    yield* write(file, text)
    return file
  })

const opened = (args: ReadonlyArray<string>) =>
  Effect.map(Layer.build(Layer.fresh(CLIAgentData.contract({ args: [...args] }))), Context.get(AgentDataConnector))

describe("CLIAgentData", () => {
  it.scopedLive("the document named by --agent answers for every version, under its own id", () =>
    Effect.gen(function*() {
      const file = yield* documentFile("{ \"id\": \"a\", \"name\": \"A\", \"domain\": \"a.example\" }")
      for (const args of [["run", "--agent", file], [`--agent=${file}`, "--verbose"]]) {
        const store = yield* opened(args)
        for (const version of [Option.none<string>(), Option.some("latest"), Option.some("7")]) {
          assert.deepInclude(Option.getOrThrow(yield* store.get("a", version)), { id: "a", source: file })
        }
        assert.deepStrictEqual(yield* store.get("mine", Option.none()), Option.none())
        assert.deepInclude((yield* store.list)[0], { id: "a", name: "A", deployed: true })
        assert.deepStrictEqual(Option.map(yield* store.findByDomain("a.example"), ({ id }) => id), Option.some("a"))
        assert.deepStrictEqual(yield* store.findByDomain("b.example"), Option.none())
      }
    }))

  it.scopedLive("without an id of its own it is called as its file, and what is saved is seen", () =>
    Effect.gen(function*() {
      const file = yield* documentFile("{}")
      const store = yield* opened(["--agent", file])
      assert.isTrue(Option.isSome(yield* store.get("mine", Option.none())))
      yield* write(file, "{ oops")
      const error = yield* Effect.flip(store.get("mine", Option.none()))
      assert.strictEqual(error.reason, "Corrupted")
      assert.include(error.message, "line 1, column 3")
      assert.deepInclude((yield* store.list)[0], { deployed: false })
    }))

  it.scopedLive("no name, no file and no document are told at boot", () =>
    Effect.gen(function*() {
      for (const args of [[], ["--agent"], ["--agent="], ["--agents", "x"]]) {
        const error = yield* Effect.flip(opened(args))
        assert.include(error.message, "--agent <file>")
      }
      const missing = yield* Effect.flip(opened(["--agent", "/does/not/exist.smyth"]))
      assert.include(missing.message, "/does/not/exist.smyth")
      const broken = yield* Effect.flip(opened(["--agent", yield* documentFile("[]")]))
      assert.include(broken.message, "not a JSON object")
    }))

  it.scopedLive("read under an identity: its team and the agent may, others may not", () =>
    Effect.gen(function*() {
      const file = yield* documentFile("{ \"id\": \"a\" }")
      yield* Effect.gen(function*() {
        const { get, isDeployed } = yield* AgentData
        assert.isTrue(yield* Candidate.as(isDeployed("a"), Candidate.team("t1")))
        assert.strictEqual((yield* Candidate.as(get("a"), Candidate.agent("a"))).id, "a")
        assert.strictEqual((yield* Effect.flip(Candidate.as(get("a"), Candidate.team("t2"))))._tag, "AccessDenied")
      }).pipe(Effect.provide(CLIAgentData.layer({ args: ["--agent", file], team: "t1" })))
    }))
})
