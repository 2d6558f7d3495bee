/** Functions as tools: the model decides which of them it needs. */
import { SDK, SRE } from "effect-sre/sdk"

const stock: Readonly<Record<string, number>> = { apples: 12, pears: 0 }

export const program = async () => {
  const sre = SRE.init({ Storage: { Connector: "Memory" }, NKV: { Connector: "RAM" } })
  const hasKey = (await new SDK.Vault().listKeys()).includes("openai")
  if (!hasKey) console.log("No OPENAI_API_KEY: Echo answers, which calls no tools.")

  const agent = new SDK.Agent({
    name: "Shopkeeper",
    model: hasKey ? "gpt-4o-mini" : "Echo",
    behavior: "You keep a small fruit shop. Be brief."
  })
  agent.addSkill({
    name: "in-stock",
    description: "How many pieces of a fruit there are",
    inputs: { fruit: { type: "Text", description: "Plural, in lower case" } },
    process: (fruit: string) => stock[fruit] ?? 0
  })
  agent.addSkill({
    name: "price",
    description: "The price of a number of pieces, in cents",
    inputs: { count: { type: "Integer" } },
    process: (count: number) => count * 30
  })
  console.log("in stock:", await agent.call("in-stock", { fruit: "apples" }))

  const stream = await agent.prompt("What do all your apples cost together?").stream()
  stream.on("toolCall", ({ tool }) => console.log("calls:", tool.name, JSON.stringify(tool.arguments)))
  stream.on("toolResult", ({ result, tool }) => console.log("gets:", tool.name, JSON.stringify(result)))
  console.log("answer:", await stream.finished)
  await sre.stop()
}
