import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Logger } from "effect"
import * as Connector from "../../src/kernel/Connector.ts"

const absent = Connector.vendor("Mine", "no-such-package", () => Promise.reject(new Error("not found")))

describe("a connector whose package is not installed", () => {
  it.scoped("fails at boot with the command that installs it", () =>
    Effect.gen(function*() {
      const loaded = yield* Effect.either(Connector.lazily("Mine", "no-such-package", absent))
      assert.include(Either.isLeft(loaded) && loaded.left.message, "npm install no-such-package")
    }))

  it.scoped("lets the system start where it is an embedded default that a machine may be without", () =>
    Effect.gen(function*() {
      const warned: Array<string> = []
      const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => warned.push(String(message))))
      const loaded = yield* Effect.provide(Connector.optionally("Mine", "no-such-package", absent), logger)
      assert.include(warned.join(), "npm install no-such-package")
      assert.strictEqual((yield* Effect.flip(loaded)).reason, "Unsupported")
    }))

  it.scoped("that is one of many says so when it is asked, each time", () =>
    Effect.gen(function*() {
      const loaded = yield* Connector.onFirstUse("Mine", absent)
      for (const _ of [1, 2]) {
        const error = yield* Effect.flip(loaded)
        assert.strictEqual(error.reason, "Unsupported")
        assert.include(error.message, "npm install no-such-package")
      }
    }))
})
