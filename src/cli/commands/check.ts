/** `sre check`: everything that is wrong with agents, without running any. */
import { Console, Effect } from "effect"
import * as Compile from "../../agents/Compile.ts"
import { format, type Problem } from "../../agents/Problem.ts"
import { builtIn } from "../../components/registry.ts"
import * as Documents from "../Documents.ts"
import { Ended } from "../Ending.ts"

interface Options {
  readonly paths: ReadonlyArray<string>
  readonly json: boolean
}

export const run = Effect.fnUntraced(function*({ json, paths }: Options) {
  const registry = Compile.registry(builtIn)
  const files = yield* Documents.find(paths)
  const reports = yield* Effect.forEach(
    files,
    (file) => Effect.map(problemsOf(file, registry), (problems) => ({ file, problems }))
  )
  const errors = count(reports, "error")
  const warnings = count(reports, "warning")
  yield* Console.log(
    json ? JSON.stringify({ files: reports, errors, warnings }) : [
      ...reports.map(({ file, problems }) =>
        problems.length === 0 ? `${file}: ok` : [file, ...problems.map((one) => `  ${format(one)}`)].join("\n")
      ),
      `${plural(files.length, "file")}, ${plural(errors, "error")}, ${plural(warnings, "warning")}`
    ].join("\n")
  )
  if (errors > 0) return yield* new Ended({ code: 1 })
})

const problemsOf = (file: string, registry: Compile.Registry) =>
  Effect.flatMap(Documents.read(file), (definition) => Compile.compile(definition, registry)).pipe(
    Effect.map(({ warnings }) => warnings),
    Effect.catchTag("InvalidAgent", ({ problems }) => Effect.succeed(problems))
  )

const count = (reports: ReadonlyArray<{ readonly problems: ReadonlyArray<Problem> }>, severity: Problem["severity"]) =>
  reports.flatMap(({ problems }) => problems).filter((one) => one.severity === severity).length

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`
