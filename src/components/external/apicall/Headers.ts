/** Headers as settings write them: an object, or its JSON text, with templates in it. */
import { Effect } from "effect"
import * as Json from "../../../kernel/Json.ts"
import { ComponentFailed } from "../../Component.ts"
import type * as Templated from "./Templated.ts"

/** Names in lower case; `null` leaves a header out. `setting` is what an error names. */
export const render = (headers: Templated.Templated | undefined, filler: Templated.Filler, setting = "headers") =>
  headers === undefined ? Effect.succeed<Record<string, string>>({}) : Effect.flatMap(
    headers._tag === "Text"
      ? Effect.map(filler.text(headers.template, "json"), (text) => text.trim() === "" ? {} : Json.extract(text))
      : filler.whole(headers),
    (value) =>
      typeof value !== "object" || value === null || Array.isArray(value)
        ? Effect.fail(
          new ComponentFailed({
            message: `${setting}: expected an object, or its JSON text, with one property for each of them`
          })
        )
        : Effect.succeed(
          Object.fromEntries(
            Object.entries(value).flatMap(([name, one]) =>
              one === undefined || one === null ? [] : [[name.toLowerCase(), Json.toText(one)]]
            )
          )
        )
  )
