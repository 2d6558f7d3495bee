/** Node's streams as they arrive: all that has come since the last pull at once. What nobody asks for stays in the socket. */
import { Chunk, Effect, Option, type Stream } from "effect"
import type { Readable } from "node:stream"
import * as Pull from "../kernel/Pull.ts"
import * as Scoped from "../kernel/Scoped.ts"

/** Bytes; whoever has the readable ends it. */
export const toStream = <E>(source: Readable, failed: (cause: unknown) => E): Stream.Stream<Buffer, E> =>
  Pull.toStream(Effect.map(listened(source), (listener): Pull.Pull<Buffer, E> => {
    const read = (): Pull.Pull<Buffer, E> | undefined => {
      const bytes: Buffer | null = source.read()
      return bytes !== null
        ? Effect.succeed(Chunk.of(bytes))
        : source.errored !== null
        ? Effect.fail(Option.some(failed(source.errored)))
        : source.readableEnded || source.destroyed
        ? Pull.end
        : undefined
    }
    const wait: Pull.Pull<Buffer, E> = Effect.async((resume) => {
      listener.wake = () => {
        const result = read()
        if (result === undefined) return
        listener.wake = ignore
        resume(result)
      }
      return Effect.sync(() => void (listener.wake = ignore))
    })
    return Effect.suspend(() => read() ?? wait)
  }))

/** Tells one who waits of whatever happens to the readable. */
const listened = (source: Readable) =>
  Effect.map(
    Scoped.make(() => {
      const listener = { wake: ignore }
      const look = () => listener.wake()
      for (const name of happenings) source.on(name, look)
      return { listener, look }
    }, ({ look }) => happenings.forEach((name) => source.off(name, look))),
    ({ listener }) => listener
  )
const happenings = ["readable", "end", "error", "close"] as const

const ignore = () => {}
