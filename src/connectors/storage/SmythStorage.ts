/** Storage of another system of this kind, in the space of one of its teams. Bytes are streamed both ways. */
import { Clock, Duration, Effect, Option, ParseResult, Ref, Schema, Stream } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as ManagedObjects from "../../subsystems/io/ManagedObjects.ts"
import * as Storage from "../../subsystems/io/Storage.ts"
import * as SmythHost from "../SmythHost.ts"

const SmythStorageSettings = Schema.Struct(SmythHost.settings)

export const SmythStorage = Connector.make({
  name: "SmythStorage",
  aliases: ["Smyth"],
  contract: Storage.StorageConnector,
  service: Storage.layer,
  settings: SmythStorageSettings,
  make: Effect.fnUntraced(function*(settings) {
    const { api, call, inTime, path, raw, toError } = yield* SmythHost.open("SmythStorage", settings)

    /** Every part of the answer in time, so that one that stops coming does not hold its reader up for ever. */
    const parts = <A, E>(body: Stream.Stream<A, E>) =>
      Stream.fromPull(
        Effect.map(Stream.toPull(body), (pull) =>
          Effect.timeoutFail(Effect.mapError(pull, Option.map(toError("open"))), {
            duration: settings.timeout,
            onTimeout: () => Option.some(stopped)
          }))
      )

    return Storage.StorageConnector.of({
      head: (key) => Effect.map(call("head", api.storage.head({ path, payload: { key } })), ({ object }) => object),
      open: Effect.fnUntraced(function*(key, range) {
        const request = Buffer.from(JSON.stringify({ key, range }))
        const response = yield* inTime("open")(raw("open", "storage/open", request))
        const { bytes, line } = yield* Effect.catchTag(
          ManagedObjects.unframe(parts(response.stream)),
          "NoFirstLine",
          () => Effect.fail(endedEarly)
        )
        const { object } = yield* Effect.mapError(decodeOpenLine(line), () => endedEarly)
        return Option.map(object, (stored) => ({ ...stored, body: bytes }))
      }),
      put: <E, R>(
        key: string,
        { body, ...head }: Storage.ObjectHead & { readonly body: Uint8Array | Stream.Stream<Uint8Array, E, R> },
        expected: Option.Option<string>
      ) =>
        Effect.gen(function*() {
          const line = yield* Effect.mapError(encodePutLine({ key, head, expected }), () => notJson)
          const source = yield* watched(body instanceof Uint8Array ? Stream.succeed(body) : body, settings.timeout)
          const sent = body instanceof Uint8Array
            ? Buffer.concat([Buffer.from(`${line}\n`), body])
            : ManagedObjects.frame(line, source.bytes)
          const answer = Effect.flatMap(
            raw("put", "storage/put", sent),
            ({ text }) => Effect.mapError(text, toError("put"))
          )
          // What the source failed with is the caller's; that the request broke off is only its consequence.
          yield* Effect.catchAll(Effect.raceFirst(answer, source.stalled), (error) =>
            Effect.flatMap(
              source.failure,
              (failure): Effect.Effect<never, E | ConnectorError> => Effect.fail(Option.getOrElse(failure, () => error))
            ))
        }),
      update: (key, change, expected) =>
        Effect.asVoid(call("update", api.storage.update({ path, payload: { key, change, expected } }))),
      remove: (key, expected) =>
        Effect.asVoid(call("remove", api.storage.remove({ path, payload: { key, expected } }))),
      publicUrl: Storage.withoutPublicUrls,
      list: (prefix, page) => call("list", api.storage.list({ path, payload: { prefix, page } }))
    })
  })
})

/** `Storage` at `SMYTH_URL`, for the team `SMYTH_TEAM`, with `SMYTH_TOKEN`. */
export const SmythStorageLive = SmythStorage.layerConfig(SmythHost.config)

const decodeOpenLine = ParseResult.decodeUnknown(ManagedObjects.OpenLine)
const encodePutLine = ParseResult.encode(ManagedObjects.PutLine)

/** A body that tells what it failed with, and when nobody has asked for more of it for too long. */
const watched = <E, R>(body: Stream.Stream<Uint8Array, E, R>, timeout: Duration.Duration) =>
  Effect.gen(function*() {
    const context = yield* Effect.context<R>()
    const failure = yield* Ref.make(Option.none<E>())
    const moved = yield* Effect.flatMap(Clock.currentTimeMillis, Ref.make)
    const move = Effect.flatMap(Clock.currentTimeMillis, (now) => Ref.set(moved, now))
    const patience = Duration.toMillis(timeout)

    const stalled: Effect.Effect<never, ConnectorError> = Effect.gen(function*() {
      while (true) {
        const left = (yield* Ref.get(moved)) + patience - (yield* Clock.currentTimeMillis)
        if (left <= 0) return yield* error("Timeout", "the other system takes no more, or does not answer")
        yield* Effect.sleep(left)
      }
    })
    const bytes = Stream.provideContext(body, context).pipe(
      Stream.tapBoth({
        onFailure: (cause) => Ref.set(failure, Option.some(cause)),
        onSuccess: () => move
      })
    )
    return { bytes, failure: Ref.get(failure), stalled }
  })

const error = (reason: ConnectorError["reason"], detail: string) =>
  new ConnectorError({ connector: "SmythStorage", method: "put", reason, detail })

const notJson = error("InvalidInput", "the metadata is not JSON")
const stopped = new ConnectorError({
  connector: "SmythStorage",
  method: "open",
  reason: "Timeout",
  detail: "the answer stopped coming"
})
const endedEarly = new ConnectorError({
  connector: "SmythStorage",
  method: "open",
  reason: "Protocol",
  detail: "the answer is not one of this method"
})
