import * as Component from "../Component.ts"

export const Note = Component.make("Note", {
  description: "A note on the canvas. Never runs.",
  // The bare base of components, which old documents may hold as one.
  aliases: ["Component"],
  category: "system",
  inert: true,
  openInputs: true,
  openOutputs: true,
  run: () => ({})
})
