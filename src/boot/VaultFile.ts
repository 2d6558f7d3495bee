/** The vault file of the embedded default, for whoever keeps an installation. */
import { config } from "../connectors/DataFolder.ts"

export { encrypt } from "../connectors/vault/JSONFileVault.ts"

/** Where it is when the configuration names no other: `vault.json` in `SRE_DATA`. */
export const standard = config("vault.json")
