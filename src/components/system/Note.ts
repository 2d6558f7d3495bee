import * as Component from "../Component.ts"

export const Note = Component.make("Note", {
  description: "A note on the canvas. Never runs.",
  category: "system",
  inert: true,
  openInputs: true,
  openOutputs: true,
  run: () => ({})
})
