import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { AgentEventBody } from "../../src/agents/AgentEvents.ts"
import * as Component from "../../src/components/Component.ts"
import { agentDocument, components, endpoint, runDocument } from "./documents.ts"

/** A component as a program without types may have it. */
const odd = (run: () => unknown) =>
  Component.make("Odd", {
    description: "Is not what the types say.",
    category: "data",
    openInputs: true,
    openOutputs: true,
    run: run as () => {}
  })

const document = agentDocument({ E: endpoint("x"), O: { name: "Odd", in: ["v"] }, P: { name: "Pass", in: ["v"] } }, [
  "E.x -> O.v",
  "O._error -> P.v"
])

describe("a component that is not what its types say", () => {
  const cases: Readonly<Record<string, readonly [run: () => unknown, told: RegExp]>> = {
    "gives null": [() => null, /Odd gave no outputs/],
    "gives nothing": [() => undefined, /Odd gave no outputs/],
    "gives a text": [() => "text", /Odd gave no outputs/],
    "gives a list": [() => [1], /Odd gave no outputs/],
    "gives a promise": [async () => ({ a: 1 }), /Odd gave a promise: return an Effect/],
    "gives null later": [() => Effect.succeed(null), /Odd gave no outputs/],
    "fails with a text": [() => Effect.fail("no luck"), /^no luck$/],
    "fails with an object": [() => Effect.fail({ code: 7 }), /^\{"code":7\}$/]
  }
  for (const [name, [run, told]] of Object.entries(cases)) {
    it.effect(`${name}: its step fails and says so, also to who watches`, () =>
      Effect.gen(function*() {
        const registry = new Map([...components, ["Odd", odd(run)]])
        const events: Array<AgentEventBody> = []
        const { answer } = yield* runDocument(document, { body: { x: 1 } }, {
          registry,
          emit: (event) => events.push(event)
        })
        assert.match((answer as { readonly result: { readonly v: string } }).result.v, told)
        assert.isTrue(events.some(({ _tag }) => _tag === "StepFailed"))
      }))
  }
})
