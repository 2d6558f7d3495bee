/**
 * What is inside a sandbox before the code comes: console, timers, and how `main` is called. It runs in the heap of the code, so
 * the host trusts none of it: whatever the code does to it, text is all that gets out.
 */

/** Evaluates to a function of the host's five; gives the host's handles on the inside. */
export const guest = `(function (log, done, call, later, forget) {
  "use strict"
  const { parse, stringify } = JSON
  const cut = (text) => text.length > 8192 ? text.slice(0, 8192) + "…" : text
  const safely = (read) => { try { return read() } catch { return undefined } }
  const shown = (value) => {
    if (typeof value === "string") return value
    const isError = safely(() => value instanceof Error)
    const text = safely(() => isError ? value.name + ": " + value.message : stringify(value))
    return text ?? safely(() => String(value)) ?? typeof value
  }
  const print = (level) => (...values) => { log(level, safely(() => cut(values.map(shown).join(" "))) ?? "") }
  const define = (name, value, on = globalThis) =>
    Object.defineProperty(on, name, { value, writable: true, configurable: true, enumerable: false })
  const levels = ["debug", "log", "info", "warn", "error"]
  define("console", Object.fromEntries(levels.map((level) => [level, print(level)])))
  console.trace = console.log

  let next = 1
  const timers = new Map()
  const start = (repeats) => (action, millis = 0, ...args) => {
    const id = next++
    const wait = Math.max(repeats ? 1 : 0, Number(millis) || 0)
    timers.set(id, { action, args, wait, repeats })
    later(id, wait)
    return id
  }
  const stop = (id) => { if (timers.delete(id)) forget(id) }
  define("setTimeout", start(false))
  define("setInterval", start(true))
  define("clearTimeout", stop)
  define("clearInterval", stop)

  const waiting = new Map()
  const hostFunction = (name) => (...args) =>
    new Promise((resolve, reject) => {
      const id = next++
      waiting.set(id, { resolve, reject })
      call(id, name, stringify(args))
    })

  const failure = (error) => {
    const text = (key) => safely(() => typeof error[key] === "string" ? cut(error[key]) : "") ?? ""
    const isError = safely(() => error instanceof Error) === true
    return stringify({
      name: isError ? text("name") : "",
      message: isError ? text("message") : cut(shown(error)),
      stack: isError ? text("stack") : ""
    })
  }

  // Every call starts from the same memory, and with it the engine's own random numbers: https://pracrand.sourceforge.net, sfc32
  const randomFrom = (a, b, c, counter) => {
    const next = () => {
      const sum = (a + b | 0) + counter | 0
      counter = counter + 1 | 0
      a = b ^ b >>> 9
      b = c + (c << 3) | 0
      c = (c << 21 | c >>> 11) + sum | 0
      return sum >>> 0
    }
    for (let n = 0; n < 12; n++) next()
    return () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992
  }

  return {
    prepare: (names, secrets, seed) => {
      define("random", randomFrom(...parse(seed)), Math)
      for (const name of parse(names)) define(name, hostFunction(name))
      const values = parse(secrets)
      if (Object.keys(values).length > 0) define("secrets", Object.freeze(values))
    },
    start: async (main, names, inputs) => {
      let text, isOutput = true
      try {
        const values = parse(inputs)
        const args = names === "" ? [values] : parse(names).map((name) => Object.hasOwn(values, name) ? values[name] : undefined)
        const output = await main(...args)
        text = output === undefined ? undefined : stringify(output)
        if (output !== undefined && text === undefined) throw new TypeError("main returned a " + typeof output + ", which JSON lacks")
      } catch (error) {
        isOutput = false
        text = failure(error)
      }
      done(isOutput, text)
    },
    failure,
    settle: (id, isOutput, text) => {
      const one = waiting.get(id)
      if (one === undefined || !waiting.delete(id)) return
      if (isOutput) one.resolve(text === undefined ? undefined : parse(text))
      else one.reject(new Error(text))
    },
    fire: (id) => {
      const timer = timers.get(id)
      if (timer === undefined) return
      if (timer.repeats) later(id, timer.wait)
      else timers.delete(id)
      timer.action(...timer.args)
    }
  }
})`
