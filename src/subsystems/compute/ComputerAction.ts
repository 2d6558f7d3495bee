/** What can be done on a screen with mouse and keyboard, in words of no vendor. */
import { Either, Schema } from "effect"

const Pixel = Schema.Int.pipe(Schema.nonNegative())

/** In pixels from the upper left corner of the screen. */
export const Point = Schema.Struct({ x: Pixel, y: Pixel })
export type Point = typeof Point.Type

/** Names as of `KeyboardEvent.key`: `Enter`, `Control`, `a`. */
const Keys = Schema.Array(Schema.NonEmptyString).pipe(Schema.maxItems(8))

/** Held down meanwhile. */
const held = Schema.optionalWith(Keys, { default: () => [] })

const millis = (max: number) => Schema.Number.pipe(Schema.between(0, max))

const distance = Schema.Number.pipe(Schema.between(-20_000, 20_000))

/** Without `at`, where the pointer is. */
export const Action = Schema.Union(
  Schema.Struct({ type: Schema.Literal("screenshot") }),
  Schema.Struct({
    type: Schema.Literal("click"),
    at: Schema.optional(Point),
    /** `back` and `forward` go through the pages that were shown. */
    button: Schema.optionalWith(Schema.Literal("left", "right", "middle", "back", "forward"), {
      default: () => "left" as const
    }),
    /** 2: a double click. */
    count: Schema.optionalWith(Schema.Literal(1, 2, 3), { default: () => 1 as const }),
    held
  }),
  Schema.Struct({ type: Schema.Literal("press", "release"), at: Schema.optional(Point) }),
  Schema.Struct({ type: Schema.Literal("move"), at: Point, held }),
  Schema.Struct({
    type: Schema.Literal("drag"),
    path: Schema.Array(Point).pipe(Schema.minItems(2), Schema.maxItems(1000)),
    held
  }),
  Schema.Struct({
    type: Schema.Literal("scroll"),
    at: Schema.optional(Point),
    /** In pixels, to the right and down. */
    x: distance,
    y: distance,
    held
  }),
  Schema.Struct({ type: Schema.Literal("type"), text: Schema.String.pipe(Schema.maxLength(10_000)) }),
  Schema.Struct({
    type: Schema.Literal("key"),
    /** All together. */
    keys: Keys.pipe(Schema.minItems(1)),
    times: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 100)), { default: () => 1 }),
    /** How long each time. */
    millis: Schema.optionalWith(millis(10_000), { default: () => 0 })
  }),
  Schema.Struct({ type: Schema.Literal("wait"), millis: millis(30_000) }),
  Schema.Struct({ type: Schema.Literal("navigate"), url: Schema.String.pipe(Schema.maxLength(8000)) })
)
export type Action = typeof Action.Type

/** For logs: what is typed and the path of a URL may be nobody's business. */
export const summary = (action: Action): string => {
  switch (action.type) {
    case "click":
      return `${["", "double ", "triple "][action.count - 1]}click, ${action.button}${placed(action.at)}${
        together(action.held)
      }`
    case "press":
    case "release":
      return `${action.type}${placed(action.at)}`
    case "move":
      return `move${placed(action.at)}`
    case "drag":
      return `drag${placed(action.path[0])} to${placed(action.path.at(-1))}${together(action.held)}`
    case "scroll":
      return `scroll by ${action.x}, ${action.y}${placed(action.at)}${together(action.held)}`
    case "type":
      return `type ${action.text.length} characters`
    // One key may be a letter of a password.
    case "key":
      return action.keys.every((key) => key.length === 1)
        ? `press ${action.keys.length} keys`
        : `press ${action.keys.join("+")}`
    case "wait":
      return `wait ${action.millis} ms`
    case "navigate":
      return `navigate to ${URL.canParse(action.url) ? new URL(action.url).origin : "no URL"}`
    case "screenshot":
      return "screenshot"
  }
}

const placed = (at: Point | undefined) => at === undefined ? "" : ` at ${at.x}, ${at.y}`
const together = (held: ReadonlyArray<string>) => held.length === 0 ? "" : ` with ${held.join("+")}`

/** The name of a key as models write it (`CTRL`, `Return`, `Page_Down`, `ArrowLeft`, `a`), or `undefined`. */
export const keyOf = (name: string): string | undefined => {
  if (Array.from(name).length === 1) return name
  const plain = name.toLowerCase().replaceAll(/[_\s-]/g, "").replace(/^(kp)?(left|right|up|down)arrow$/, "$2")
  return named.get(plain) ?? (/^f([1-9]|1[0-2])$/.test(plain) ? plain.toUpperCase() : undefined)
}

/** A combination such as `["Control", "a"]`, from names as models write them: with other keys held, letters are no capitals. */
export const keysOf = (names: ReadonlyArray<string>): Either.Either<ReadonlyArray<string>, string> =>
  Either.map(
    Either.all(names.map((name) => Either.fromNullable(keyOf(name), () => `there is no key "${name.slice(0, 50)}"`))),
    (keys) =>
      keys.length < 2 || keys.includes("Shift") ? keys : keys.map((key) => key.length === 1 ? key.toLowerCase() : key)
  )

const aliases: Readonly<Record<string, ReadonlyArray<string>>> = {
  Control: ["ctrl", "ctl", "controll", "controlr", "controlleft", "controlright"],
  Shift: ["shiftl", "shiftr", "shiftleft", "shiftright"],
  Alt: ["option", "altl", "altr", "altleft", "altright"],
  Meta: ["cmd", "command", "super", "superl", "superr", "win", "windows"],
  Enter: ["return", "kpenter"],
  Escape: ["esc"],
  Backspace: [],
  Delete: ["del", "kpdelete"],
  Insert: ["ins"],
  Tab: [],
  " ": ["space", "spacebar"],
  ArrowLeft: ["left"],
  ArrowRight: ["right"],
  ArrowUp: ["up"],
  ArrowDown: ["down"],
  PageUp: ["pgup", "prior"],
  PageDown: ["pgdn", "pgdown", "next"],
  Home: [],
  End: [],
  CapsLock: [],
  "-": ["minus"],
  "+": ["plus"],
  "=": ["equal"],
  ",": ["comma"],
  ".": ["period"],
  "/": ["slash"],
  ...Object.fromEntries(Array.from({ length: 10 }, (_, digit) => [String(digit), [`kp${digit}`]]))
}

const named: ReadonlyMap<string, string> = new Map(
  Object.entries(aliases).flatMap(([key, others]) => [key.toLowerCase(), ...others].map((name) => [name, key]))
)
