/** Cli: the flags a host was started with, for parts of the system that are configured from the command line. */
import { Context, Effect, Layer, Option } from "effect"

/** `--flag` is `true`, `--flag value` a text, `--flag a=1 b=2` a record, `--flag x y` a list. */
export type Flag = true | string | Readonly<Record<string, string>> | ReadonlyArray<string>

export class Cli extends Context.Tag("effect-sre/Cli")<Cli, {
  readonly flags: ReadonlyMap<string, Flag>
  /** A flag by its name without dashes. */
  readonly get: (name: string) => Option.Option<Flag>
}>() {}

/** Flags by name; of a repeated flag the last one counts. What stands before the first flag is not a flag's value. */
export const parse = (argv: ReadonlyArray<string>): ReadonlyMap<string, Flag> => {
  const values = new Map<string, Array<string>>()
  let open: Array<string> | undefined
  for (const word of argv) {
    const flag = /^--([^=]+)(?:=(.*))?$/s.exec(word)
    if (flag === null) {
      open?.push(word)
    } else {
      open = flag[2] === undefined ? [] : [flag[2]]
      values.set(flag[1]!, open)
    }
  }
  return new Map(Array.from(values, ([name, words]) => [name, flagOf(words)]))
}

/** The flags of this process, or those given. */
export const layer = (argv?: ReadonlyArray<string>): Layer.Layer<Cli> =>
  Layer.effect(
    Cli,
    Effect.sync(() => {
      const flags = parse(argv ?? process.argv.slice(2))
      return { flags, get: (name) => Option.fromNullable(flags.get(name)) }
    })
  )

const pair = /^([A-Za-z_][\w.-]*)=(.*)$/s

const flagOf = (words: ReadonlyArray<string>): Flag => {
  if (words.length === 0) return true
  const pairs = words.flatMap((word) => {
    const match = pair.exec(word)
    return match === null ? [] : [[match[1]!, match[2]!] as const]
  })
  if (pairs.length === words.length) return Object.fromEntries(pairs)
  return words.length === 1 ? words[0]! : words
}
