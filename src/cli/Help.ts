/** Help as text: what a command is for, what it takes, an option a line. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type * as HelpDoc from "@effect/cli/HelpDoc"
import type * as Span from "@effect/cli/HelpDoc/Span"
import { nearest } from "../kernel/Nearest.ts"

/** A command, and those below it. */
export interface Topic {
  readonly name: string
  readonly command: { readonly descriptor: CommandDescriptor.Command<unknown> }
  /** What follows its name in a shell. */
  readonly examples?: ReadonlyArray<string>
  readonly topics?: ReadonlyArray<Topic>
}

interface Entry {
  readonly name: string
  readonly text: string
  /** Whether it may be left out; of an option it always may. */
  readonly optional?: boolean
}

/** The command that these words begin with, and the words that name it. */
const find = (root: Topic, words: ReadonlyArray<string>): { readonly topic: Topic; readonly path: string } => {
  let topic = root
  let path = root.name
  for (const word of words) {
    const next = topic.topics?.find(({ name }) => name === word)
    if (next === undefined) break
    topic = next
    path = `${path} ${word}`
  }
  return { topic, path }
}

/** The page that is asked for: by `--help` or `-h`, by `help`, or by nothing but the name of what has commands below it. */
export const asked = (root: Topic, words: ReadonlyArray<string>): string | undefined => {
  const own = words.includes("--") ? words.slice(0, words.indexOf("--")) : words
  const isNamed = own[0] === "help"
  const { path, topic } = find(root, own.filter((word) => !word.startsWith("-")).slice(isNamed ? 1 : 0))
  const isGroup = topic.topics !== undefined && path.split(" ").length === own.length + 1
  return isNamed || isGroup || own.some((word) => word === "--help" || word === "-h") ? page(topic, path) : undefined
}

/** What to do about words that were refused. */
export const hint = (root: Topic, words: ReadonlyArray<string>): string => {
  const { path, topic } = find(root, words)
  const known = [...(topic.topics ?? []), ...entriesOf(topic.command, "OPTIONS"), ...everywhere]
    .map(({ name }) => name.replace(/ .*/, ""))
  const wrong = words.slice(path.split(" ").length - 1).find((word) =>
    (word.startsWith("--") || topic.topics !== undefined) && !known.includes(word)
  )
  const near = wrong === undefined ? [] : nearest(wrong, known)
  return `${near.length === 0 ? "" : `Did you mean ${near.join(" or ")}? `}${path} --help shows how it is used.`
}

const page = ({ command, examples = [], topics = [] }: Topic, path: string): string => {
  const taken = entriesOf(command, "ARGUMENTS")
  const usage = topics.length > 0
    ? ["COMMAND"]
    : taken.map(({ name, optional }) => optional === true ? `[${name}]` : name)
  return [
    [path, ...usage, "[options]"].join(" "),
    ...paragraphs(command, "DESCRIPTION"),
    ...section(
      "Commands",
      topics.map(({ command, name }) => ({ name, text: paragraphs(command, "DESCRIPTION").join(" ") }))
    ),
    ...section("Arguments", taken),
    ...section("Options", [...entriesOf(command, "OPTIONS"), ...everywhere]),
    ...(examples.length === 0 ? [] : [["Examples", ...examples.map((one) => `  ${path} ${one}`)].join("\n")]),
    "Exit codes: 0 done, 1 failed, 2 asked for in a wrong way, 130 stopped by Ctrl-C."
  ].join("\n\n")
}

/** Options of every command. */
const everywhere: ReadonlyArray<Entry> = [
  {
    name: "--log-level LEVEL",
    text: "What is logged on standard error: debug, info, warning, error, none. Default: warning."
  },
  { name: "--completions SHELL", text: "Prints what completes commands in this shell: bash, fish, zsh." },
  { name: "--version", text: "Prints the version." },
  { name: "-h, --help", text: "Shows this." }
]

const section = (title: string, entries: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  if (entries.length === 0) return []
  const widest = Math.max(...entries.map(({ name }) => name.length))
  const lines = entries.map(({ name, text }) =>
    `  ${name.padEnd(widest)}  ${wrapped(text, maxColumns - widest - 4).join(`\n${" ".repeat(widest + 4)}`)}`
  )
  return [[title, ...lines].join("\n")]
}

const maxColumns = 100

const wrapped = (text: string, columns: number): ReadonlyArray<string> =>
  text.split(" ").reduce<ReadonlyArray<string>>((lines, word) => {
    const last = lines.at(-1)
    return last !== undefined && last.length + word.length < columns
      ? [...lines.slice(0, -1), `${last} ${word}`]
      : [...lines, word]
  }, [])

/** The parts of a document in their order. */
const partsOf = (doc: HelpDoc.HelpDoc): ReadonlyArray<HelpDoc.HelpDoc> =>
  doc._tag === "Sequence" ? [...partsOf(doc.left), ...partsOf(doc.right)] : [doc]

/** What stands below a heading. */
const below = ({ descriptor }: Topic["command"], title: string): ReadonlyArray<HelpDoc.HelpDoc> => {
  const parts = partsOf(CommandDescriptor.getHelp(descriptor, { ...CliConfig.defaultConfig, showBuiltIns: false }))
  const start = parts.findIndex((one) => one._tag === "Header" && textOf(one.value) === title) + 1
  const rest = start === 0 ? [] : parts.slice(start)
  const end = rest.findIndex(({ _tag }) => _tag === "Header")
  return end < 0 ? rest : rest.slice(0, end)
}

const paragraphs = (command: Topic["command"], title: string): ReadonlyArray<string> =>
  below(command, title).flatMap((one) => one._tag === "Paragraph" ? [textOf(one.value)] : [])

/** Each is described by its type, then by its own words, then by whether it may be left out. */
const entriesOf = (command: Topic["command"], title: string): ReadonlyArray<Entry> =>
  below(command, title).flatMap((one) => one._tag === "DescriptionList" ? one.definitions : []).map(([name, about]) => {
    const [, text = "", ...more] = partsOf(about).map((one) => one._tag === "Paragraph" ? textOf(one.value) : "")
    return {
      name: textOf(name).replace(/[<>]/g, "").replace(" 1+", "...").trim(),
      text,
      optional: more.some((one) => /is optional|zero or more/.test(one))
    }
  })

const textOf = (span: Span.Span): string =>
  span._tag === "Sequence"
    ? textOf(span.left) + textOf(span.right)
    : typeof span.value === "string"
    ? span.value
    : textOf(span.value)
