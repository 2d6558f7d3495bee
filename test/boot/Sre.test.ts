import { assert, it } from "@effect/vitest"
import { Layer } from "effect"
import { type BootError, type ConnectorError, Sre } from "effect-sre"
import { MemoryStorageLive } from "effect-sre/connectors/storage/MemoryStorage"

it("a system fails to start with errors that have a type, whatever is chosen", () => {
  const typed: ReadonlyArray<Layer.Layer<Sre.Sre, BootError | ConnectorError>> = [
    Sre.layer(),
    Sre.layer({}),
    Sre.layer({ storage: MemoryStorageLive })
  ]
  assert.isTrue(typed.every(Layer.isLayer))
})
