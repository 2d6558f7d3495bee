/** The Promise API: a model, its stream, and an agent with a skill. */
import { SDK, SRE } from "effect-sre/sdk"

export const program = async () => {
  const sre = SRE.init({
    Storage: { Connector: "Memory" },
    NKV: { Connector: "RAM" },
    Vault: { Connector: "NullVault" }
  })

  const llm = new SDK.LLM("Echo", { model: "Echo" })
  console.log("answer:", await llm.prompt("Hello, world!"))
  for await (const event of await llm.prompt("Hello again, world!").stream()) {
    if (event.type === "content") console.log("piece:", event.text)
  }

  const agent = new SDK.Agent({ name: "Adder", model: "Echo" })
  agent.addSkill({ name: "add", process: async (a: number, b: number) => a + b })
  console.log("sum:", await agent.call("add", { a: 2, b: 3 }))

  const chat = agent.chat()
  await chat.send("Remember me.")
  console.log("messages:", chat.history.length)
  await sre.stop()
}
