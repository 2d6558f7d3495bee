/** `{{name}}` in settings. Parsed once at load, rendered at every step. */

export type Part =
  | { readonly _tag: "Text"; readonly text: string }
  /** `path` is `name` split for `a.b[0]`; `quoted` says the token stands inside a JSON string literal. */
  | { readonly _tag: "Token"; readonly source: string; readonly name: string; readonly path: ReadonlyArray<string>; readonly quoted: boolean }
  /** `{{KEY(name)}}`: a secret of the vault. */
  | { readonly _tag: "Secret"; readonly source: string; readonly name: string; readonly quoted: boolean }

export interface Template {
  readonly source: string
  readonly parts: ReadonlyArray<Part>
}
