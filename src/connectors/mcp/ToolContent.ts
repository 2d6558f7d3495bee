/** What a tool of an MCP server gave, as the contract has it. */
import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import type * as Mcp from "../../subsystems/io/Mcp.ts"

/** Servers of the first version of the protocol gave `toolResult` in place of parts. */
export const toContent = (result: Awaited<ReturnType<Client["callTool"]>>): Mcp.ToolResult => {
  const { content, isError, structuredContent } = result as Partial<CallToolResult>
  return {
    content: content === undefined ? [{ type: "text", text: JSON.stringify(result) }] : content.map(part),
    structured: structuredContent,
    isError: isError === true
  }
}

const part = (content: CallToolResult["content"][number]): Mcp.Content => {
  switch (content.type) {
    case "text":
      return { type: "text", text: content.text }
    case "image":
    case "audio":
      return { type: "binary", mediaType: content.mimeType, data: content.data, name: undefined }
    case "resource_link":
      return { type: "link", uri: content.uri, name: content.name }
    case "resource": {
      const { mimeType = "application/octet-stream", uri } = content.resource
      return "text" in content.resource
        ? { type: "text", text: content.resource.text }
        : { type: "binary", mediaType: mimeType, data: content.resource.blob, name: uri.split("/").at(-1) }
    }
  }
}
