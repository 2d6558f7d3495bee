/**
 * Records of a backend without conditional writes: read, compared and written one at a time. That holds within one process; of
 * two processes that change the same record in the same moment, the later one wins unseen, also where both create it and so own
 * it. Writing more records cannot mend that: among readers and writers of a plain store nobody can be elected who is not waited
 * for (M. Herlihy, Wait-Free Synchronization, 1991). What is searched, the points, is not concerned.
 */
import { type Context, Effect, Option, RcMap, type Scope } from "effect"
import { createHash, randomUUID } from "node:crypto"
import { conflict, type ConnectorError } from "../../kernel/ConnectorError.ts"
import type * as VectorDB from "../../subsystems/io/VectorDB.ts"

type Contract = Context.Tag.Service<VectorDB.VectorDBConnector>

export interface Backend extends Pick<Contract, "get" | "list"> {
  readonly write: (space: string, record: VectorDB.StoredRecord) => Effect.Effect<void, ConnectorError>
  readonly erase: (space: string, name: string) => Effect.Effect<void, ConnectorError>
}

export const make = Effect.fnUntraced(function*(
  connector: string,
  { erase, get, list, write }: Backend
): Effect.fn.Return<Pick<Contract, "get" | "list" | "put" | "remove">, never, Scope.Scope> {
  const locks = yield* RcMap.make({ lookup: (_id: string) => Effect.makeSemaphore(1) })
  yield* Effect.logWarning(`${connector}: ${onlyOneWriter}`)

  const change = (
    method: string,
    space: string,
    name: string,
    expected: Option.Option<string>,
    write: Effect.Effect<void, ConnectorError>
  ) =>
    Effect.scoped(Effect.flatMap(RcMap.get(locks, idOf(space, name)), (lock) =>
      lock.withPermits(1)(
        Effect.flatMap(get(space, name), (found) =>
          isSame(Option.map(found, ({ version }) => version), expected)
            ? write
            : Effect.fail(conflict(connector, method)))
      )))

  return {
    get,
    list,
    put: (space, name, value, expected) =>
      change(
        "put",
        space,
        name,
        expected,
        Effect.suspend(() => write(space, { name, value, version: randomUUID() }))
      ),
    remove: (space, name, expected) => change("remove", space, name, Option.some(expected), erase(space, name))
  }
})

const onlyOneWriter = "it has no conditional writes. No other process may create namespaces and datasources, " +
  "or change who may use them, at the same time"

/** Where a backend bounds the length and the letters of ids: 43 of them for any text. */
export const digest = (text: string): string => createHash("sha256").update(text).digest("base64url")

/** Begins alike for all records of a space. */
export const idOf = (space: string, name: string): string => `${digest(space)}.${digest(name)}`

const isSame = Option.getEquivalence<string>((a, b) => a === b)
