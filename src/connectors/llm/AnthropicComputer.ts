/** The computer in the words of the Messages API, and of Claude on Bedrock: https://platform.claude.com/docs/en/agents-and-tools/tool-use/computer-use-tool */
import type {
  BetaToolComputerUse20250124,
  BetaToolComputerUse20251124
} from "@anthropic-ai/sdk/resources/beta/messages"
import { Either, Option, ParseResult, Schema } from "effect"
import type { Display } from "../../subsystems/compute/Computer.ts"
import { type Action, keysOf } from "../../subsystems/compute/ComputerAction.ts"
import * as Computer from "../../subsystems/llm/ComputerTool.ts"
import type { ToolCallPart } from "../../subsystems/llm/Prompt.ts"
import * as Signature from "./Signature.ts"

export type ComputerTool = BetaToolComputerUse20250124 | BetaToolComputerUse20251124

const owner = "Anthropic-computer"

/** Opus 4.5 and all since 4.6 know the newer one; what is older than 3.7 knows none of them. */
const versionOf = (modelId: string): "2025-11-24" | "2025-01-24" | undefined =>
  !/claude-(?!v?[12]|instant|3-(5|opus|sonnet|haiku))/.test(modelId)
    ? undefined
    : /claude-(3-7|(opus|sonnet|haiku)-4(-(0|1|20\d{6})(?!\d)|@|$)|(sonnet|haiku)-4-5)/.test(modelId)
    ? "2025-01-24"
    : "2025-11-24"

/** What the request has to say besides its body. */
export const betaOf = (modelId: string): string => `computer-use-${versionOf(modelId) ?? "2025-11-24"}`

export const toTool = (
  modelId: string,
  { height, width }: Display
): Either.Either<ComputerTool, string> => {
  const display = { name: Computer.name, display_width_px: width, display_height_px: height } as const
  switch (versionOf(modelId)) {
    case "2025-11-24":
      return Either.right({ type: "computer_20251124", ...display })
    case "2025-01-24":
      return Either.right({ type: "computer_20250124", ...display })
    case undefined:
      return Either.left(`"${modelId}" cannot use a computer`)
  }
}

const fromJson = Schema.decodeOption(Schema.parseJson(Schema.Unknown))

/** What the model wrote, of a call of the computer. */
export const inputOf = (part: ToolCallPart): unknown => {
  const original = Signature.open(owner, Computer.originalOf(part))
  return original === undefined ? part.params : Option.getOrElse(fromJson(original), () => ({}))
}

const Point = Schema.Tuple(Schema.Number, Schema.Number)
const here = { coordinate: Schema.optional(Schema.NullOr(Point)) }
/** Held meanwhile: `ctrl+shift`. */
const held = { text: Schema.optional(Schema.NullOr(Schema.String)) }
const seconds = Schema.Number.pipe(Schema.between(0, 100))

const Said = Schema.Union(
  Schema.Struct({ action: Schema.Literal("screenshot", "cursor_position") }),
  Schema.Struct({
    action: Schema.Literal("left_click", "right_click", "middle_click", "double_click", "triple_click"),
    ...here,
    ...held
  }),
  Schema.Struct({ action: Schema.Literal("left_mouse_down", "left_mouse_up"), ...here }),
  Schema.Struct({ action: Schema.Literal("mouse_move"), coordinate: Point, ...held }),
  Schema.Struct({
    action: Schema.Literal("left_click_drag"),
    start_coordinate: Point,
    coordinate: Point,
    ...held
  }),
  Schema.Struct({
    action: Schema.Literal("scroll"),
    scroll_direction: Schema.Literal("up", "down", "left", "right"),
    scroll_amount: Schema.Number,
    ...here,
    ...held
  }),
  Schema.Struct({ action: Schema.Literal("type"), text: Schema.String }),
  Schema.Struct({
    action: Schema.Literal("key"),
    text: Schema.String,
    repeat: Schema.optional(Schema.NullOr(Schema.Int))
  }),
  Schema.Struct({ action: Schema.Literal("hold_key"), text: Schema.String, duration: seconds }),
  Schema.Struct({ action: Schema.Literal("wait"), duration: seconds })
).annotations({ message: Computer.noAction })
type Said = typeof Said.Type

/** What the model wants done, as the arguments of a call; its own are JSON, or text that should be. */
export const read = (text: string): string => {
  const said = ParseResult.decodeUnknownEither(Schema.parseJson(Schema.Unknown))(text)
  const call = Either.flatMap(
    Either.flatMap(said, ParseResult.decodeUnknownEither(Said)),
    (one) => Either.map(toAction(one), (action) => ({ actions: [action], checks: [] }))
  )
  // What is no JSON cannot go back either.
  const original = Either.match(said, { onLeft: () => "{}", onRight: () => text })
  return Computer.argumentsOf(call, Signature.seal(owner, original))
}

const toAction = (said: Said): Either.Either<Action, string> => {
  switch (said.action) {
    case "screenshot":
      return Either.right({ type: "screenshot" })
    case "cursor_position":
      return Either.left("the pointer is where the last action left it")
    case "left_click":
    case "right_click":
    case "middle_click":
    case "double_click":
    case "triple_click":
      return holding(said, (held) => ({ type: "click", at: at(said.coordinate), ...clicks[said.action], held }))
    case "left_mouse_down":
      return Either.right({ type: "press", at: at(said.coordinate) })
    case "left_mouse_up":
      return Either.right({ type: "release", at: at(said.coordinate) })
    case "mouse_move":
      return holding(said, (held) => ({ type: "move", at: point(said.coordinate), held }))
    case "left_click_drag":
      return holding(said, (held) => ({
        type: "drag",
        path: [point(said.start_coordinate), point(said.coordinate)],
        held
      }))
    case "scroll": {
      const [x, y] = directions[said.scroll_direction]
      const by = said.scroll_amount * notch
      return holding(said, (held) => ({ type: "scroll", at: at(said.coordinate), x: x * by, y: y * by, held }))
    }
    case "type":
      return Either.right({ type: "type", text: said.text })
    case "key":
      return Either.map(combined(said.text), (keys) => ({ type: "key", keys, times: said.repeat ?? 1, millis: 0 }))
    case "hold_key":
      return Either.map(combined(said.text), (keys) => ({
        type: "key",
        keys,
        times: 1,
        millis: Math.min(10, said.duration) * 1000
      }))
    case "wait":
      return Either.right({ type: "wait", millis: Math.min(30, said.duration) * 1000 })
  }
}

const clicks = {
  left_click: { button: "left", count: 1 },
  right_click: { button: "right", count: 1 },
  middle_click: { button: "middle", count: 1 },
  double_click: { button: "left", count: 2 },
  triple_click: { button: "left", count: 3 }
} as const

const directions = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] } as const

/** What one click of a wheel moves, in pixels. */
const notch = 100

const point = ([x, y]: typeof Point.Type) => ({ x: Math.round(x), y: Math.round(y) })
const at = (coordinate: typeof Point.Type | null | undefined) =>
  coordinate === undefined || coordinate === null ? undefined : point(coordinate)

/** `ctrl+a` and `ctrl++`. */
const combined = (text: string) =>
  keysOf(text.trim() === "" ? [text] : text.trim().split(/\+(?!$)/).map((key) => key.trim()))

const holding = (
  { text }: { readonly text?: string | null | undefined },
  action: (held: ReadonlyArray<string>) => Action
) => Either.map(text === undefined || text === null || text === "" ? keysOf([]) : combined(text), action)
