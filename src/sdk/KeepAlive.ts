/** How long a process lives that uses the Promise API: while a call is under way, not for what its systems do meanwhile. */
import { Clock, Duration, Effect, Layer } from "effect"
import { clearInterval, clearTimeout, setInterval, setTimeout } from "node:timers"

/** The longest a timer of Node's may be. */
const maxMillis = 2 ** 31 - 1

/** Keeps the process until the promise is settled. */
export const during = async <A>(call: Promise<A>): Promise<A> => {
  const held = setInterval(() => {}, maxMillis)
  try {
    return await call
  } finally {
    clearInterval(held)
  }
}

const clock = Clock.make()

/** Everything in the system waits by a clock whose timers keep no process. */
export const unheld: Layer.Layer<never> = Layer.setClock({
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
  unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
  currentTimeMillis: clock.currentTimeMillis,
  currentTimeNanos: clock.currentTimeNanos,
  sleep: (duration) =>
    Effect.async((resume) => {
      const millis = Duration.toMillis(duration)
      if (millis > maxMillis) return
      const timer = setTimeout(() => resume(Effect.void), millis).unref()
      return Effect.sync(() => clearTimeout(timer))
    })
})

/** What is closed when nothing is left that keeps the process. */
const open = new Set<() => Promise<void>>()
const closeAll = () => open.forEach((close) => void close())

/** Calls `close` before the process ends by itself, unless what is returned was called. */
export const beforeExit = (close: () => Promise<void>): () => void => {
  if (open.size === 0) process.on("beforeExit", closeAll)
  open.add(close)
  return () => {
    if (open.delete(close) && open.size === 0) process.off("beforeExit", closeAll)
  }
}
