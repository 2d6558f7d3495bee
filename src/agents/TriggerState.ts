/** What is kept of a registered trigger, under its agent: that it is registered, how far it has come, and what it has seen. */
import { Effect, type Option, RcMap, Schema } from "effect"
import { createHash } from "node:crypto"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import * as Candidate from "../security/Candidate.ts"
import { NKV, type NKVError } from "../subsystems/io/NKV.ts"
import { Cache, type CacheError } from "../subsystems/memory/Cache.ts"

export const TriggerState = Schema.Struct({
  /** The component it was registered as: another of the same name has to be registered anew. */
  component: Schema.String,
  /** Of a poll: JSON of the schedule its job has. */
  schedule: Schema.String,
  /** Of a poll: where it looks on from. */
  cursor: Schema.String,
  /** Of a poll: items behind which the cursor already is, and whose runs have not ended. */
  pending: Schema.Array(Schema.String)
})
export type TriggerState = typeof TriggerState.Type

/** All of it is the agent's own: to be used as the agent. */
export type TriggerStates = Effect.Effect.Success<typeof make>

export const make = Effect.gen(function*() {
  const nkv = yield* NKV
  const cache = yield* Cache
  const locks = yield* RcMap.make({ lookup: (_key: string) => Effect.makeSemaphore(1) })
  const seen = (trigger: string, id: string) => `${namespace}/${trigger}/${digest(id)}`

  const get = (trigger: string): Effect.Effect<Option.Option<TriggerState>, NKVError> =>
    Effect.flatMap(
      nkv.get(namespace, trigger),
      Effect.transposeMapOption((value) =>
        Effect.mapError(decode(value), () =>
          new ConnectorError({
            connector: "NKV",
            method: "get",
            reason: "Corrupted",
            detail: `the registration of the trigger "${trigger}" cannot be read; unregister it`
          }))
      )
    )

  /** One after the other: what changes a state must not bring back one that was removed. */
  const inTurn = <A, E>(trigger: string, self: Effect.Effect<A, E>) =>
    Effect.scoped(
      Effect.flatMap(Candidate.current, (who) =>
        Effect.flatMap(RcMap.get(locks, `${Candidate.format(who)}/${trigger}`), (lock) =>
          lock.withPermits(1)(self)))
    )

  return {
    get,
    set: (trigger: string, state: TriggerState): Effect.Effect<void, NKVError> =>
      inTurn(trigger, nkv.set(namespace, trigger, state)),
    /** Gives the new state; none: it is not registered any more. */
    update: (
      trigger: string,
      change: (state: TriggerState) => TriggerState
    ): Effect.Effect<Option.Option<TriggerState>, NKVError> =>
      inTurn(
        trigger,
        Effect.flatMap(
          get(trigger),
          Effect.transposeMapOption((state) => {
            const next = change(state)
            return Effect.as(nkv.set(namespace, trigger, next), next)
          })
        )
      ),
    remove: (trigger: string): Effect.Effect<void, NKVError> => inTurn(trigger, nkv.remove(namespace, trigger)),
    /** False when one of the ids was claimed within a day; those after it are left alone. */
    claim: (trigger: string, ids: ReadonlyArray<string>): Effect.Effect<boolean, CacheError> =>
      Effect.every(ids, (id) => cache.add(seen(trigger, id), "", { timeToLive: "1 day" })),
    /** Of a delivery that could not be taken: it may come again. */
    release: (trigger: string, ids: ReadonlyArray<string>): Effect.Effect<void, CacheError> =>
      Effect.forEach(ids, (id) => cache.remove(seen(trigger, id)), { discard: true })
  }
})

const namespace = "triggers"

const decode = Schema.decodeUnknown(TriggerState)

/** Ids come from outside, of any length and with any characters. */
const digest = (id: string) => createHash("sha256").update(id).digest("base64url")
