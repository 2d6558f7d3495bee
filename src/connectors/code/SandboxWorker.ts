/**
 * The thread in which sandboxes run. It is given to Node as the text of one function, since a thread starts from a file or a
 * text, and no file has the same place in the sources, in the build and in the bundle: so it uses nothing from outside of itself.
 */
import type { MessagePort } from "node:worker_threads"
import type { QuickJSHandle } from "quickjs-emscripten"
import type { Limit, LogLine } from "../../subsystems/compute/Code.ts"

export interface Run {
  readonly type: "run"
  readonly code: string
  /** JSON: names of the inputs in the order of the arguments; empty when all go into one. */
  readonly parameters: string
  readonly inputs: string
  readonly secrets: string
  /** JSON: names of the functions of the host. */
  readonly functions: string
  /** JSON: four integers, which random numbers come from. */
  readonly seed: string
  readonly limits: {
    readonly timeoutMillis: number
    readonly cpuMillis: number
    readonly memoryBytes: number
    readonly outputBytes: number
    readonly logBytes: number
  }
}

/** The answer of a function of the host: JSON, or a message. */
export interface Settled {
  readonly type: "settled"
  readonly id: number
  readonly isOutput: boolean
  readonly text: string | undefined
}

export interface Called {
  readonly type: "called"
  readonly id: number
  readonly name: string
  /** JSON. */
  readonly args: string
}

export interface Done {
  readonly type: "done"
  /** `failed`: JSON of name, message, stack. `broken`: the engine itself. */
  readonly outcome: "output" | "failed" | "limit" | "broken"
  readonly text: string | undefined
  readonly limit: Limit | undefined
  readonly logs: ReadonlyArray<LogLine>
  readonly cpuMillis: number
  /** Whether the thread is fit for another call. */
  readonly isReusable: boolean
}

/** What the inside calls. */
interface Host {
  readonly log: (level: string, text: () => string) => void
  readonly done: (isOutput: boolean, text: string | undefined) => void
  readonly call: (id: number, name: string, args: string) => void
  readonly later: (id: number, millis: number) => void
  readonly forget: (id: number) => void
}

export const worker = async (require: NodeJS.Require, packagePath: string, guest: string): Promise<void> => {
  const { parentPort } = require("node:worker_threads") as { parentPort: MessagePort }
  const { clearTimeout, setTimeout } = require("node:timers") as typeof import("node:timers")
  const { performance } = require("node:perf_hooks") as typeof import("node:perf_hooks")
  const { getQuickJS } = require(packagePath) as typeof import("quickjs-emscripten")
  const quickjs = await getQuickJS()

  const maxTimers = 1000
  const maxCalls = 100
  const maxLines = 1000
  const page = 65_536
  const maxKeptBytes = 64 * 2 ** 20
  const nobody: Host = { log: () => {}, done: () => {}, call: () => {}, later: () => {}, forget: () => {} }

  let host = nobody
  /** Whether the call that is running has gone too far. */
  let isOver = () => false
  /** Answers of the host go to the call that is running, if it still is. */
  let settle: (settled: Settled) => void = () => {}

  const runtime = quickjs.newRuntime()
  runtime.setMaxStackSize(256 * 1024)
  runtime.setInterruptHandler(() => isOver())
  const vm = runtime.newContext()
  // Their handles are kept: what the code lets go of would be gone on this side too, where no copy of the memory brings it back.
  const functions = [
    vm.newFunction("log", (level, text) => host.log(vm.getString(level), () => vm.getString(text))),
    vm.newFunction(
      "done",
      (isOutput, text) =>
        host.done(vm.dump(isOutput) === true, vm.typeof(text) === "string" ? vm.getString(text) : undefined)
    ),
    vm.newFunction("call", (id, name, args) => host.call(vm.getNumber(id), vm.getString(name), vm.getString(args))),
    vm.newFunction("later", (id, millis) => host.later(vm.getNumber(id), vm.getNumber(millis))),
    vm.newFunction("forget", (id) => host.forget(vm.getNumber(id)))
  ]
  const make = vm.unwrapResult(vm.evalCode(guest, "guest.js"))
  const made = vm.unwrapResult(vm.callFunction(make, vm.undefined, ...functions))
  const handleOf = (name: string) => vm.getProp(made, name)
  const inside = {
    prepare: handleOf("prepare"),
    start: handleOf("start"),
    failure: handleOf("failure"),
    settle: handleOf("settle"),
    fire: handleOf("fire")
  }

  /** The engine's memory before a call, without the stack: that is empty then, and the only part so large that is. */
  const piecesOf = (buffer: ArrayBuffer) => {
    const pieces: Array<{ readonly at: number; bytes: Uint8Array }> = []
    for (let at = 0; at < buffer.byteLength; at += page) {
      if (new Uint32Array(buffer, at, page / 4).every((word) => word === 0)) continue
      const last = pieces.at(-1)
      const isNear = last !== undefined && at - last.at - last.bytes.length < 2 ** 20
      const from = isNear ? last.at : at
      const bytes = new Uint8Array(buffer.slice(from, at + page))
      if (isNear) last.bytes = bytes
      else pieces.push({ at, bytes })
    }
    return pieces
  }
  const fresh = piecesOf(quickjs.getWasmMemory().buffer)
  /** Whatever a call did in it is as if it had not been. */
  const renew = () => {
    const memory = new Uint8Array(quickjs.getWasmMemory().buffer)
    for (const { at, bytes } of fresh) memory.set(bytes, at)
  }

  const run = ({ code, functions, inputs, limits, parameters, secrets, seed }: Run) => {
    const started = performance.now()
    const timers = new Map<number, NodeJS.Timeout>()
    const logs: Array<LogLine> = []
    let logLeft = limits.logBytes
    let calls = 0
    let cpuMillis = 0
    let sliceStart = started
    let exceeded: Limit | undefined
    let result: Omit<Done, "isReusable"> | undefined

    isOver = () => {
      const now = performance.now()
      if (now - started > limits.timeoutMillis) exceeded ??= "timeout"
      else if (cpuMillis + now - sliceStart > limits.cpuMillis) exceeded ??= "cpu"
      return exceeded !== undefined
    }

    const end = (outcome: Done["outcome"], text?: string, limit: Limit | undefined = exceeded) => {
      if (result !== undefined) return
      cpuMillis += performance.now() - sliceStart
      for (const timer of timers.values()) clearTimeout(timer)
      settle = () => {}
      host = nobody
      result = { type: "done", outcome, text, limit, logs, cpuMillis }
    }

    host = {
      log: (level, text) => {
        if (logLeft <= 0 || logs.length >= maxLines) return
        const line = text()
        logs.push({ level: level as LogLine["level"], text: line.slice(0, logLeft) })
        logLeft -= line.length
      },
      done: (isOutput, text) => {
        if (exceeded !== undefined) return end("limit")
        const size = text === undefined ? 0 : Buffer.byteLength(text)
        return isOutput && size > limits.outputBytes
          ? end("limit", undefined, "output")
          : end(isOutput ? "output" : "failed", text)
      },
      call: (id, name, args) => {
        if (++calls > maxCalls) throw new Error("too many calls of functions of the host at once")
        parentPort.postMessage({ type: "called", id, name, args } satisfies Called)
      },
      later: (id, millis) => {
        if (timers.size >= maxTimers) throw new Error("too many timers")
        timers.set(
          id,
          setTimeout(() => {
            timers.delete(id)
            enter(() => use(inside.fire, vm.newNumber(id)))
          }, Math.min(millis, limits.timeoutMillis + 1))
        )
      },
      forget: (id) => {
        clearTimeout(timers.get(id))
        timers.delete(id)
      }
    }
    settle = ({ id, isOutput, text }) => {
      calls--
      enter(() =>
        use(
          inside.settle,
          vm.newNumber(id),
          isOutput ? vm.true : vm.false,
          text === undefined ? vm.undefined : vm.newString(text)
        )
      )
    }

    /** Calls a function on the inside; what it throws ends the call. */
    const use = (fn: QuickJSHandle, ...args: Array<QuickJSHandle>) => {
      const result = vm.callFunction(fn, vm.undefined, ...args)
      for (const handle of args) handle.dispose()
      if (result.error === undefined) return result.value.dispose()
      fail(result.error)
    }
    const fail = (error: QuickJSHandle) => {
      if (result === undefined && exceeded === undefined) {
        const described = vm.callFunction(inside.failure, vm.undefined, error)
        const text = described.error === undefined ? vm.getString(described.value) : undefined
        ;(described.error ?? described.value).dispose()
        if (exceeded === undefined && text === undefined) exceeded = "memory"
        end(exceeded === undefined ? "failed" : "limit", text)
      }
      error.dispose()
    }

    /** Runs code of the inside, and all that it left to do; ends the call when nothing can come any more. */
    const enter = (action: () => void) => {
      if (result !== undefined) return
      sliceStart = performance.now()
      try {
        action()
        while (result === undefined && !isOver() && runtime.hasPendingJob()) {
          const result = runtime.executePendingJobs(100)
          if (result.error !== undefined) fail(result.error)
          else result.dispose()
        }
        if (exceeded !== undefined) end("limit")
        if (result === undefined && calls === 0 && timers.size === 0) {
          end("failed", JSON.stringify({ name: "", message: "main waits for something that never comes", stack: "" }))
        }
        if (result === undefined) cpuMillis += performance.now() - sliceStart
      } catch (error) {
        end("broken", error instanceof Error ? error.message : String(error))
      }
      if (result !== undefined) leave(result)
    }

    /** Memory never shrinks, so that a thread whose code took much of it is let go. */
    const leave = (done: Omit<Done, "isReusable">) => {
      const isReusable = done.outcome !== "broken" && quickjs.getWasmMemory().buffer.byteLength <= maxKeptBytes
      parentPort.postMessage({ ...done, isReusable } satisfies Done)
      if (isReusable) renew()
    }

    runtime.setMemoryLimit(limits.memoryBytes)
    enter(() => {
      use(inside.prepare, vm.newString(functions), vm.newString(secrets), vm.newString(seed))
      if (result !== undefined) return
      const main = vm.evalCode(`${code}\n;main`, "code.js", { type: "global" })
      if (main.error !== undefined) return fail(main.error)
      use(inside.start, main.value, vm.newString(parameters), vm.newString(inputs))
    })
  }

  parentPort.on("message", (message: Run | Settled) => message.type === "run" ? run(message) : settle(message))
}
