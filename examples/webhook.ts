/** A webhook: what another system signs starts a run; what it did not sign, or sends twice, starts nothing. */
import { Effect } from "effect"
import { AgentDefinition, Agents, Candidate } from "effect-sre"
import { TestKernel } from "effect-sre/testing"
import { createHmac } from "node:crypto"

const settings = { triggerEndpoint: "orders", secret: "{{KEY(shop)}}", idHeader: "X-Id", respond: "answer" }
const document = {
  id: "shop",
  components: [
    { id: "T", name: "WebhookTrigger", data: settings, outputs: [{ name: "total", expression: "Payload.total" }] },
    { id: "O", name: "APIOutput", data: { format: "minimal" }, inputs: [{ name: "total" }] }
  ],
  connections: [{ sourceId: "T", sourceIndex: "total", targetId: "O", targetIndex: "total" }]
}

const main = Effect.gen(function*() {
  const agents = yield* Agents.Agents
  yield* agents.load(yield* AgentDefinition.fromUnknown(document))
  yield* agents.register("shop", "orders")

  // What the server does with a request to /agents/shop/trigger/orders: nobody is known to send it.
  const send = (body: string, key: string) => {
    const signature = createHmac("sha256", key).update(body).digest("hex")
    const headers = { "x-id": "order 1", "x-signature-256": signature }
    const request = { method: "POST" as const, headers, query: {}, body: new TextEncoder().encode(body) }
    return Candidate.as(agents.receive("shop", "orders", request), Candidate.anyone)
  }
  console.log("answer:", JSON.stringify((yield* send(`{"total":42}`, "s3cret")).result?.answer))
  console.log("sent again:", yield* send(`{"total":42}`, "s3cret"))
  console.log("forged:", (yield* Effect.flip(send(`{"total":0}`, "guessed"))).message)
})

const system = TestKernel.layer({ secrets: { "team:default": { shop: "s3cret" } } })

export const program = () => Effect.runPromise(Effect.provide(Candidate.as(main, Candidate.user("ann")), system))
