/** Agents over HTTP, to be mounted or served, and the managed services of one system for others. */
export { Api } from "./Api.ts"
export * as Managed from "./Managed.ts"
export * as Server from "./Server.ts"
