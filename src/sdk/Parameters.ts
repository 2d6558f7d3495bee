/** What a function calls its parameters: the inputs of a skill that does not describe them. */
import { parseExpressionAt } from "acorn"
import type { Node, Pattern } from "acorn"

export interface Parameters {
  readonly names: ReadonlyArray<{ readonly name: string; readonly optional: boolean }>
  /** One object with these fields (`({ a, b }) => …`), or one argument each (`(a, b) => …`). */
  readonly style: "object" | "positional"
}

/** Of a function whose source cannot be read (native, bound): none, and it gets the whole input as one object. */
export const parametersOf = (fn: (...args: never) => unknown): Parameters => {
  const params = paramsOf(fn.toString())
  const [first] = params
  const pattern = first?.type === "AssignmentPattern" ? first.left : first
  if (params.length === 1 && pattern?.type === "ObjectPattern") {
    return {
      style: "object",
      names: pattern.properties.flatMap((property) =>
        property.type === "Property" && property.key.type === "Identifier"
          ? [{ name: property.key.name, optional: property.value.type === "AssignmentPattern" }]
          : []
      )
    }
  }
  const names = params.map(named)
  return names.some((one) => one === undefined) || names.length === 0
    ? { style: "object", names: [] }
    : { style: "positional", names: names.filter((one) => one !== undefined) }
}

const named = (param: Pattern) =>
  param.type === "Identifier"
    ? { name: param.name, optional: false }
    : param.type === "AssignmentPattern" && param.left.type === "Identifier"
    ? { name: param.left.name, optional: true }
    : undefined

/** A method is written without `function`: it is read as the member of an object. */
const paramsOf = (source: string): ReadonlyArray<Pattern> => {
  for (const text of [`(${source})`, `({${source}})`]) {
    try {
      const expression = parseExpressionAt(text, 0, { ecmaVersion: "latest" }) as Node & {
        readonly params?: ReadonlyArray<Pattern>
        readonly properties?: ReadonlyArray<{ readonly value?: { readonly params?: ReadonlyArray<Pattern> } }>
      }
      const params = expression.params ?? expression.properties?.[0]?.value?.params
      if (params !== undefined) return params
    } catch {
      continue
    }
  }
  return []
}
