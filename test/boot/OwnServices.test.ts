/** A component of one's own that asks for a service of one's own: the system's layer asks for it, too. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { AgentDefinition, Agents, Candidate, Component, Port, Sre, Storage } from "effect-sre"
import { MemoryStorageLive } from "effect-sre/connectors/storage/MemoryStorage"
import { agentDocument, endpoint } from "../agents/documents.ts"

class Speaker extends Context.Tag("test/Speaker")<Speaker, {
  readonly say: (text: string) => Effect.Effect<string>
}>() {}

const Siren = Component.make("Siren", {
  description: "Says it over the speaker, and keeps what was said.",
  category: "external",
  inputs: Schema.Struct({ Text: Port.Text }),
  outputs: Schema.Struct({ Said: Port.Text }),
  run: Effect.fnUntraced(function*({ inputs }) {
    const said = yield* Effect.flatMap(Speaker, ({ say }) => say(inputs.Text))
    yield* Effect.flatMap(Storage.Storage, (storage) => storage.write("said", new TextEncoder().encode(said)))
    return { Said: said }
  })
})

export const plain = Sre.layer({ storage: MemoryStorageLive })
const system = Sre.layer({ storage: MemoryStorageLive }, { components: [Siren] })

/** What a layer still asks for, compared both ways. */
type Asks<L extends Layer.Layer.Any, R> = [Layer.Layer.Context<L>, R] extends [R, Layer.Layer.Context<L>] ? true : false
export const withOwn: Asks<typeof system, Speaker> = true
export const without: Asks<typeof plain, never> = true

describe("a service of one's own", () => {
  it.scopedLive("is what the app provides, beside those of the system", () =>
    Effect.gen(function*() {
      const loud = Layer.succeed(Speaker, { say: (text) => Effect.succeed(`${text}!`) })
      const document = agentDocument({ E: endpoint("x"), S: { name: "Siren", in: ["Text"] } }, ["E.x -> S.Text"])
      const { answer } = yield* Effect.gen(function*() {
        const agents = yield* Agents.Agents
        yield* agents.load(yield* AgentDefinition.fromUnknown(document))
        return yield* agents.call("a1", { endpoint: "go", body: { x: "fire" } })
      }).pipe(Candidate.as(Candidate.user("me")), Effect.provide(Layer.provide(system, loud)))
      assert.deepInclude(answer, { result: { Said: "fire!" } })
    }))
})
