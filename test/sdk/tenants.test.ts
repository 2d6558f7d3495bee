/** A hundred tenants of one system, all at once: each finds what is its own, and nobody anybody else's. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SDK } from "effect-sre/sdk"
import { start } from "./systems.ts"

const numbers = Array.from({ length: 100 }, (_, number) => number)
const teams = Object.fromEntries(
  numbers.map((number) => [`t${number}`, { users: { [`u${number}`]: {} }, agents: { [`a${number}`]: {} } }])
)

const tenant = async (number: number) => {
  const options = { as: `user:u${number}` } as const
  const storage = new SDK.Storage(options)
  const cache = new SDK.Cache(options)
  const agent = new SDK.Agent({ id: `a${number}`, name: "Mine", model: "Echo" }, options)
  agent.addSkill({ name: "who", process: async (n) => `tenant ${number} was asked ${n}` })
  const chat = agent.chat("chat")

  const [answer, , , said] = await Promise.all([
    agent.call("who", { n: number }),
    storage.write("note", `note of ${number}`),
    cache.set("entry", `entry of ${number}`),
    chat.send(`words of ${number}`).run()
  ])
  const history = (await agent.chat("chat").ready()).history
  return {
    answer,
    said,
    note: new TextDecoder().decode(await storage.read("note")),
    entry: await cache.get("entry"),
    history: history.map(({ content }) => JSON.stringify(content).match(/words of \d+/)?.[0])
  }
}

/** What a tenant gets of its neighbour's things. */
const intrude = async (number: number) => {
  const victim = (number + 1) % numbers.length
  const options = { as: `user:u${number}` } as const
  const storage = new SDK.Storage(options)
  const tagOf = ({ _tag }: { readonly _tag?: string }) => _tag
  const imposter = new SDK.Agent({ id: `a${victim}`, name: "Imposter", model: "Echo" }, options)
  return Promise.all([
    storage.read(`smythfs://u${victim}.user/note`).catch(tagOf),
    storage.write(`smythfs://u${victim}.user/note`, "mine now").catch(tagOf),
    new SDK.Cache(options).get(`smythfs://u${victim}.user/entry`).catch(tagOf),
    imposter.call("who", {}).catch(tagOf),
    imposter.chat("chat").ready().catch(tagOf)
  ])
}

describe("a hundred tenants", () => {
  it.scopedLive("never see anything of one another", () =>
    Effect.gen(function*() {
      yield* start({ Account: { Connector: "DummyAccount", Settings: { data: teams } } })
      const found = yield* Effect.promise(() => Promise.all(numbers.map(tenant)))
      assert.deepStrictEqual(
        found,
        numbers.map((number) => ({
          answer: `tenant ${number} was asked ${number}`,
          said: `words of ${number}`,
          note: `note of ${number}`,
          entry: `entry of ${number}`,
          history: [`words of ${number}`, `words of ${number}`]
        }))
      )
      const intrusions = yield* Effect.promise(() => Promise.all(numbers.map(intrude)))
      assert.deepStrictEqual(
        intrusions,
        numbers.map(() => ["AccessDenied", "AccessDenied", "AccessDenied", "AccessDenied", "AccessDenied"])
      )
      const again = yield* Effect.promise(() => Promise.all(numbers.map(tenant)))
      assert.deepStrictEqual(again.map(({ note }) => note), numbers.map((number) => `note of ${number}`))
    }))
})
