/** The computer in the words of OpenAI's Responses: https://platform.openai.com/docs/guides/tools-computer-use */
import { Either, Option, ParseResult, Schema } from "effect"
import type { ResponseComputerToolCall, ResponseInputItem, Tool } from "openai/resources/responses/responses"
import type { Display } from "../../subsystems/compute/Computer.ts"
import { type Action, keysOf } from "../../subsystems/compute/ComputerAction.ts"
import * as ComputerTool from "../../subsystems/llm/ComputerTool.ts"
import type { ToolCallPart, ToolResultPart } from "../../subsystems/llm/Prompt.ts"
import { given, sourceOf } from "./Parts.ts"
import * as Signature from "./Signature.ts"

const owner = "OpenAI-computer"

/** The first model for it, which does one action at a time and is told the size of the screen. */
export const isPreview = (modelId: string) => modelId.startsWith("computer-use-preview")

export const toTool = (modelId: string, { height, width }: Display): Tool =>
  isPreview(modelId)
    ? { type: "computer_use_preview", environment: "browser", display_width: width, display_height: height }
    : { type: "computer" }

const fromJson = Schema.decodeOption(Schema.parseJson(Schema.Unknown))

/** The item of a call, which goes back as it came. */
export const callOf = (part: ToolCallPart): ResponseComputerToolCall | undefined => {
  const original = Signature.open(owner, ComputerTool.originalOf(part))
  return original === undefined ? undefined : Option.getOrUndefined(fromJson(original)) as
    | ResponseComputerToolCall
    | undefined
}

/** An output holds the screen and nothing else: what there is to say besides is said after it. */
export const outputOf = (part: ToolResultPart): ReadonlyArray<ResponseInputItem> | undefined => {
  const result = ComputerTool.resultOf(part)
  if (result === undefined) return undefined
  const { base64, url } = sourceOf(result.screenshot)
  return [
    {
      type: "computer_call_output",
      call_id: part.id,
      ...given(
        "acknowledged_safety_checks",
        result.acknowledged.length === 0 ? undefined : result.acknowledged.map((check) => ({ ...check }))
      ),
      output: {
        type: "computer_screenshot",
        image_url: url ?? `data:${result.screenshot.mediaType};base64,${base64}`
      }
    },
    ...(result.note === "" ? [] : [{ role: "user" as const, content: result.note }])
  ]
}

const Point = Schema.Struct({ x: Schema.Number, y: Schema.Number })
const held = { keys: Schema.optional(Schema.NullOr(Schema.Array(Schema.String))) }

const Said = Schema.Union(
  Schema.Struct({
    type: Schema.Literal("click"),
    ...Point.fields,
    ...held,
    button: Schema.optionalWith(Schema.Literal("left", "right", "wheel", "back", "forward"), {
      default: () => "left" as const
    })
  }),
  Schema.Struct({ type: Schema.Literal("double_click", "move"), ...Point.fields, ...held }),
  Schema.Struct({ type: Schema.Literal("drag"), path: Schema.Array(Point), ...held }),
  Schema.Struct({
    type: Schema.Literal("scroll"),
    ...Point.fields,
    ...held,
    scroll_x: Schema.Number,
    scroll_y: Schema.Number
  }),
  Schema.Struct({ type: Schema.Literal("keypress"), keys: Schema.Array(Schema.String) }),
  Schema.Struct({ type: Schema.Literal("type"), text: Schema.String }),
  Schema.Struct({ type: Schema.Literal("screenshot", "wait") })
).annotations({ message: ComputerTool.noAction })
type Said = typeof Said.Type

const Item = Schema.Struct({
  action: Schema.optional(Schema.NullOr(Said)),
  actions: Schema.optional(Schema.NullOr(Schema.Array(Said))),
  pending_safety_checks: Schema.optional(Schema.NullOr(Schema.Array(ComputerTool.SafetyCheck)))
})

/** What the model wants done, as the arguments of a call. */
export const read = (item: unknown): string => {
  const said = ParseResult.decodeUnknownEither(Item)(item)
  const call = Either.flatMap(said, ({ action, actions, pending_safety_checks: checks }) =>
    Either.map(
      Either.all([...actions ?? [], ...(action === undefined || action === null ? [] : [action])].map(toAction)),
      (actions) => ({ actions, checks: checks ?? [] })
    ))
  return ComputerTool.argumentsOf(call, Signature.seal(owner, JSON.stringify(item)))
}

const toAction = (said: Said): Either.Either<Action, string> => {
  switch (said.type) {
    case "click": {
      const button = said.button === "wheel" ? "middle" : said.button
      return holding(said, (held) => ({ type: "click", at: at(said), button, count: 1, held }))
    }
    case "double_click":
      return holding(said, (held) => ({ type: "click", at: at(said), button: "left", count: 2, held }))
    case "move":
      return holding(said, (held) => ({ type: "move", at: at(said), held }))
    case "drag":
      return holding(said, (held) => ({ type: "drag", path: said.path.map(at), held }))
    case "scroll":
      return holding(said, (held) => ({ type: "scroll", at: at(said), x: said.scroll_x, y: said.scroll_y, held }))
    case "keypress":
      return Either.map(keysOf(said.keys), (keys) => ({ type: "key", keys, times: 1, millis: 0 }))
    case "type":
      return Either.right({ type: "type", text: said.text })
    case "screenshot":
      return Either.right({ type: "screenshot" })
    case "wait":
      return Either.right({ type: "wait", millis: 2000 })
  }
}

const at = ({ x, y }: typeof Point.Type) => ({ x: Math.round(x), y: Math.round(y) })

const holding = (
  { keys }: { readonly keys?: ReadonlyArray<string> | null | undefined },
  action: (held: ReadonlyArray<string>) => Action
) => Either.map(keysOf(keys ?? []), action)
