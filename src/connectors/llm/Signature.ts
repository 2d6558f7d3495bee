/**
 * Proofs of what a model thought, marked with whose they are: a conversation may go on with another provider, which would refuse
 * what it did not sign.
 */

/** `value` is opaque to all but the provider. */
export const seal = (owner: string, value: string): string => `${owner} ${value}`

/** What `owner` sealed; nothing of what another did. */
export const open = (owner: string, signature: string | undefined): string | undefined =>
  signature?.startsWith(`${owner} `) === true ? signature.slice(owner.length + 1) : undefined
