/** `sre vault`: secrets, which enter by standard input or unseen, and are never printed. */
import * as Prompt from "@effect/cli/Prompt"
import { Console, Effect, Option, Redacted } from "effect"
import * as VaultFile from "../../boot/VaultFile.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Vault } from "../../security/Vault.ts"
import { Stopped, UsageError } from "../Ending.ts"
import * as Input from "../Input.ts"
import * as Session from "../Session.ts"

interface Options {
  readonly as: Candidate.Candidate
  readonly team: Option.Option<Candidate.Candidate>
  readonly config: Option.Option<string>
  readonly json: boolean
}

export const set = Effect.fnUntraced(function*(options: Options & { readonly name: string }) {
  const value = yield* process.stdin.isTTY ? unseen(options.name) : Effect.map(Input.stdin, withoutLineEnd)
  if (Redacted.value(value) === "") return yield* new UsageError({ message: `the secret "${options.name}" is empty` })
  const who = homeOf(options)
  yield* Effect.flatMap(Vault, (vault) => vault.set(options.name, value)).pipe(within(options))
  yield* Console.log(
    options.json
      ? JSON.stringify({ name: options.name, home: Candidate.format(who) })
      : `${options.name} is kept for ${Candidate.format(who)}`
  )
})

export const list = Effect.fnUntraced(function*(options: Options) {
  const names = yield* Effect.flatMap(Vault, (vault) => vault.list).pipe(within(options))
  if (options.json) return yield* Console.log(JSON.stringify({ home: Candidate.format(homeOf(options)), names }))
  yield* Effect.forEach(names, (name) => Console.log(name), { discard: true })
})

export const convert = Effect.fnUntraced(
  function*(options: { readonly file: Option.Option<string>; readonly json: boolean }) {
    const file = yield* Option.match(options.file, { onNone: () => VaultFile.standard, onSome: Effect.succeed })
    yield* VaultFile.encrypt(file)
    yield* Console.log(options.json ? JSON.stringify({ file, encrypted: true }) : `${file} is encrypted`)
  }
)

/** Who runs the command may act for a team of this installation: the vault's file and key are theirs. */
const homeOf = ({ as, team }: Options) => Option.getOrElse(team, () => as)

const within = (options: Options) => <A, E>(self: Effect.Effect<A, E, Vault>) =>
  self.pipe(Candidate.as(homeOf(options)), Effect.provide(Session.layer(options.config)))

const unseen = (name: string) =>
  Effect.mapError(
    Prompt.run(Prompt.hidden({ message: `Value of ${name}` })),
    () => new Stopped({ signal: "SIGINT" })
  )

/** `echo` and editors end a text with a line break that is none of the secret. */
const withoutLineEnd = (text: string) => Redacted.make(text.replace(/\r?\n$/, ""))
