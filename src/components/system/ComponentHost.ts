/** Holds the place of another component: an editor that does not know it draws this one, with the settings of the other. */
import { Predicate, Schema } from "effect"
import * as Component from "../Component.ts"
import * as Settings from "../Settings.ts"

export const ComponentHost = Component.make("ComponentHost", {
  description: "Runs as the component its setting names, with the settings and ports it has itself.",
  category: "system",
  config: Schema.Struct({
    /** Name of a component of this system, built in or of one's own. */
    _component: Settings.text({ max: 100 })
  }),
  openInputs: true,
  openOutputs: true,
  standsFor: (settings) =>
    Predicate.isRecord(settings) && typeof settings["_component"] === "string"
      ? settings["_component"].trim() || undefined
      : undefined,
  // Reached only when it is to hold its own place.
  run: ({ config }) =>
    new Component.ComponentFailed({
      message: `_component: "${config._component}" is a place for others, not a component to run`
    })
})
