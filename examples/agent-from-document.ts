/** An agent that was drawn, not written: a document is loaded, checked as a whole, and called. */
import { SDK, SRE } from "effect-sre/sdk"
import { fileURLToPath } from "node:url"

export const program = async () => {
  const sre = SRE.init({
    Storage: { Connector: "Memory" },
    NKV: { Connector: "RAM" },
    Vault: { Connector: "NullVault" }
  })
  const file = fileURLToPath(new URL("./agents/digest.smyth", import.meta.url))
  const agent = await SDK.Agent.import(file)
  console.log("skills:", agent.skillNames.join(", "))
  console.log("answer:", JSON.stringify(await agent.call("digest", { text: "hello" })))
  const refused = await agent.call("digest", {}).catch((error: Error) => error.message)
  console.log("refused:", refused)
  await sre.stop()
}
