/**
 * Secrets in texts that are kept: what is called a password, a token or a key, and what looks like one. A net under the
 * rule that secrets are `Redacted`, for what tenants and other people's errors say.
 */

/** The text with `<redacted>` in place of secrets. */
export const redact = (text: string): string =>
  text.replace(named, `$1$2${mark}`).replace(schemes, `$1 ${mark}`).replace(credentials, `$1${mark}@`).replace(
    keys,
    mark
  )

const mark = "<redacted>"

/** `"api_key": "…"`, `password=…`, `accessToken: '…'`; an `authorization` with its scheme. `maxTokens` is none. */
const named =
  /((?:password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|authorization|cookie|credential)["']?\s*[:=]\s*)(?!<redacted>)(["']?)(?:(?<=["])(?:[^"\\]|\\.)+|(?<=['])(?:[^'\\]|\\.)+|(?:(?:bearer|basic)\s+)?[^\s"',;&)\]}]+)/gi

const schemes = /\b(bearer|basic)\s+(?!<redacted>)[\w.~+/=-]{8,}/gi

/** `https://user:password@host` */
const credentials = /(\/\/[^\s/:@]+:)[^\s/@]+@/g

/** By the forms their issuers give them: model providers, code hosts, clouds, chat, signed tokens, our own, PEM. */
const keys =
  /\b(?:[srp]k[-_][\w-]{16,}|sre_[\w-]{20,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+)|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g
