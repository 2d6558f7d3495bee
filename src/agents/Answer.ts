/** What a run answers: the records of its leaves, in document order. */
import { ComponentFailed, type Outputs } from "../components/Component.ts"
import type { Node } from "./Program.ts"

export interface RunResult {
  readonly answer: unknown
  /** Every part of the answer is an unhandled failure. */
  readonly failed: boolean
  /** The first of these failures. */
  readonly failure?: Failure
}

export interface Failure {
  /** Id of the component. */
  readonly component: string
  readonly error: ComponentFailed
}

export interface Leaf {
  readonly node: Node
  readonly round: number
  readonly outputs: Outputs
  readonly failed: boolean
  /** Of one that failed; a run that was saved since has only the text of it. */
  readonly error?: ComponentFailed
}

/**
 * One record alone, several as a list, none as `[]`. Components that fired none of their connections answer only when
 * there is no leaf and no failure: better than an empty answer without a word.
 */
export const make = (leaves: ReadonlyArray<Leaf>, deadEnds: ReadonlyArray<Leaf>): RunResult => {
  const chosen = leavesOf(leaves, deadEnds)
  const records = chosen.map(record)
  const answer = records.length === 1 ? records[0] : records
  const [first] = chosen
  return first !== undefined && chosen.every(({ failed }) => failed)
    ? { answer, failed: true, failure: failureOf(first) }
    : { answer, failed: false }
}

const failureOf = ({ error, node, outputs }: Leaf): Failure => ({
  component: node.info.id,
  error: error ?? new ComponentFailed({ message: String(outputs["_error"]) })
})

/** What ended the paths, in document order. */
export const leavesOf = (leaves: ReadonlyArray<Leaf>, deadEnds: ReadonlyArray<Leaf>): ReadonlyArray<Leaf> =>
  (leaves.length > 0 ? leaves : deadEnds).slice().sort((a, b) => a.node.index - b.node.index || a.round - b.round)

/** What one item of a loop came to: the records of its leaves. */
export const records = (leaves: ReadonlyArray<Leaf>, deadEnds: ReadonlyArray<Leaf>): ReadonlyArray<unknown> =>
  leavesOf(leaves, deadEnds).map(record)

const record = ({ failed, node, outputs }: Leaf): unknown => {
  const full = { id: node.info.id, name: node.info.displayName, result: outputs }
  return failed || node.component.answer === undefined ? full : node.component.answer(full, node.config as never)
}
