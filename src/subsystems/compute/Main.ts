/** The entry of a piece of code: a root-level async function `main`, whose parameters name the inputs it gets. */
import type { Expression, FunctionDeclaration, ModuleDeclaration, Pattern, Statement } from "acorn"
import { Effect, Either, Option } from "effect"
import { createRequire } from "node:module"

export interface Main {
  /** Inputs in the order of the arguments; `undefined` when the one parameter takes all of them as an object (`{ a, b }`). */
  readonly parameters: ReadonlyArray<string> | undefined
  /** `main = async () => …` without a declaration, which strict code has to be given. */
  readonly isAssigned: boolean
}

export interface Problem {
  readonly message: string
  /** Both from 1. */
  readonly line?: number | undefined
  readonly column?: number | undefined
}

export type Language = "javascript" | "typescript"

/** The parser is loaded with the first code: a system that runs none starts without it. */
export const read = (code: string, language: Language): Effect.Effect<Main, Problem> =>
  language === "javascript"
    ? Effect.flatMap(Effect.promise(() => import("acorn")), ({ parse }) => ofJavaScript(parse, code))
    : ofTypeScript(code)

/** The same of JavaScript, at once: for whoever reads documents. None when there is no parser to be had (in a bundle, say). */
export const problemIn = (code: string): Problem | undefined =>
  Option.getOrUndefined(
    Option.flatMap(parser(), ({ parse }) => Either.getLeft(ofJavaScript(parse, code)))
  )

const parser = Option.liftThrowable(() => createRequire(import.meta.url)("acorn") as typeof import("acorn"))

const missing = "the code has to define async function main(…) at its root; its parameters are named like the inputs"
const notAsync = "main has to be an async function"
const unfit = "a parameter of main has to be a name, or the only one an object pattern: main(a, b) or main({ a, b })"

/* ------------------------------------------------------------------------------------------------------------------
 * JavaScript, parsed
 * ---------------------------------------------------------------------------------------------------------------- */

const ofJavaScript = (parse: typeof import("acorn").parse, code: string): Either.Either<Main, Problem> =>
  Either.flatMap(
    Either.try({
      try: () => parse(code, { ecmaVersion: "latest", sourceType: "script", allowImportExportEverywhere: true }),
      catch: syntaxProblem
    }),
    ({ body }) => {
      const found = body.map((node) => mainOf(node.type === "ExportNamedDeclaration" ? node.declaration : node))
        .findLast((one) => one !== undefined)
      if (found === undefined) return Either.left({ message: missing })
      if (!found.isAsync) return Either.left({ message: notAsync })
      return Either.map(
        Either.fromNullable(namesOf(found.params), () => ({ message: unfit })),
        (names) => ({ ...names, isAssigned: found.isAssigned })
      )
    }
  )

const mainOf = (one: Statement | ModuleDeclaration | null | undefined) => {
  if (one?.type === "FunctionDeclaration" && one.id.name === "main") return ofFunction(one, false)
  if (one?.type === "VariableDeclaration") {
    const main = one.declarations.find(({ id }) => id.type === "Identifier" && id.name === "main")
    return ofFunction(main?.init, false)
  }
  if (one?.type === "ExpressionStatement" && one.expression.type === "AssignmentExpression") {
    const { left, right } = one.expression
    return left.type === "Identifier" && left.name === "main" ? ofFunction(right, true) : undefined
  }
  return undefined
}

const ofFunction = (
  node: Expression | FunctionDeclaration | null | undefined,
  isAssigned: boolean
) =>
  node?.type === "FunctionDeclaration" || node?.type === "FunctionExpression" ||
    node?.type === "ArrowFunctionExpression"
    ? { params: node.params, isAsync: node.async && !node.generator, isAssigned }
    : undefined

const namesOf = (params: ReadonlyArray<Pattern>): Pick<Main, "parameters"> | undefined => {
  const names = params.map((param) => {
    const pattern = param.type === "AssignmentPattern" ? param.left : param
    return pattern.type === "Identifier" ? pattern.name : pattern.type === "ObjectPattern" ? object : undefined
  })
  return named(names)
}

/** Acorn says the place in the message as well. */
const syntaxProblem = (cause: unknown): Problem => {
  const { loc, message } = cause as { readonly loc?: { line: number; column: number }; readonly message: string }
  return loc === undefined
    ? { message: "the code cannot be parsed: it is nested too deeply" }
    : { message: `SyntaxError: ${message.replace(/ \(\d+:\d+\)$/, "")}`, line: loc.line, column: loc.column + 1 }
}

/* ------------------------------------------------------------------------------------------------------------------
 * TypeScript: only the list of parameters is read here; what runs it finds whatever else is wrong
 * ---------------------------------------------------------------------------------------------------------------- */

const declaration = /\basync\s+function\s+main\s*(?:<[^>]*>)?\s*\(/
const variable = /\b(?:const|let|var)\s+main\b(?:=>|[^=])*=\s*async\s*(?:function\b\s*\w*\s*)?(?:<[^>]*>)?\s*\(/

const ofTypeScript = (source: string): Either.Either<Main, Problem> => {
  const code = source.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g, "0")
    .replace(/\/\*[^]*?\*\/|\/\/.*/g, " ")
  const start = declaration.exec(code) ?? variable.exec(code)
  if (start === null) return Either.left({ message: /\bmain\b/.test(code) ? notAsync : missing })
  const names = listed(code.slice(start.index + start[0].length)).map((text) =>
    text.startsWith("{") ? object : /^[\p{ID_Start}$_][\p{ID_Continue}$]*/u.exec(text)?.[0]
  )
  return Either.map(
    Either.fromNullable(named(names), () => ({ message: unfit })),
    (found) => ({ ...found, isAssigned: false })
  )
}

/** The texts between the commas up to the bracket that closes the list. The `>` of an arrow closes nothing. */
const listed = (code: string): ReadonlyArray<string> => {
  const items = [""]
  let depth = 0
  for (const [symbol] of code.matchAll(/=>|[^]/g)) {
    if ("([{<".includes(symbol)) depth++
    if (")]}>".includes(symbol) && depth-- === 0) break
    if (symbol === "," && depth === 0) items.push("")
    else items[items.length - 1] += symbol
  }
  return items.map((item) => item.trim()).filter((item) => item !== "")
}

/** Stands for a parameter that takes an object apart. */
const object = Symbol("object")

const named = (names: ReadonlyArray<string | symbol | undefined>): Pick<Main, "parameters"> | undefined =>
  names.length === 1 && names[0] === object
    ? { parameters: undefined }
    : names.every((name) => typeof name === "string")
    ? { parameters: names }
    : undefined
