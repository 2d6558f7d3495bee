/**
 * Where agents may connect to. Without rules: anything on the public internet over http and https, nothing else. The
 * operator opens or closes more with rules; no document, request or model output can.
 */
import { Context, ParseResult, Schema } from "effect"
import ipaddr from "ipaddr.js"

/** A host name (`subdomains`: every name below it, too) or a range of addresses, on one port or on all. */
export const Rule = Schema.Union(
  Schema.TaggedStruct("Name", {
    name: Schema.String,
    subdomains: Schema.Boolean,
    port: Schema.optional(Schema.Int)
  }),
  Schema.TaggedStruct("Range", {
    address: Schema.String,
    bits: Schema.Int,
    port: Schema.optional(Schema.Int)
  })
)
export type Rule = typeof Rule.Type

/** `example.com`, `*.internal`, `10.0.0.0/8`, `127.0.0.1:8080`, `[::1]:8080`, `fd00::/8`. */
export const RuleFromString: Schema.Schema<Rule, string> = Schema.transformOrFail(Schema.String, Rule, {
  strict: true,
  decode: (text, _, ast) => {
    const rule = parse(text)
    return rule === undefined
      ? ParseResult.fail(
        new ParseResult.Type(
          ast,
          text,
          `"${text}" is not a rule. Expected a host name, "*.name", an IP address or a range such as "10.0.0.0/8", ` +
            `each with ":port" or without`
        )
      )
      : ParseResult.succeed(rule)
  },
  encode: (rule) => ParseResult.succeed(print(rule))
})

export interface NetworkPolicy {
  /** Why this URL must not be requested as far as it shows without DNS, or `undefined`. */
  readonly refusesUrl: (url: URL) => string | undefined
  /** Why `host` must not be connected to at `address` (what DNS said, or the host itself), or `undefined`. */
  readonly refusesAddress: (host: string, port: number, address: string) => string | undefined
}

/** The policy of the system, for what connects by other means than Outbound. Without a configured one: no rules. */
export class Policy extends Context.Reference<Policy>()("effect-sre/NetworkPolicy", {
  defaultValue: (): NetworkPolicy => make({ allow: [], deny: [] })
}) {}

/** `deny` wins over `allow`. What gives cloud credentials away is opened only by a rule that names it exactly. */
export const make = (
  { allow, deny }: { readonly allow: ReadonlyArray<Rule>; readonly deny: ReadonlyArray<Rule> }
): NetworkPolicy => {
  const refusesName = (host: string, port: number) =>
    deny.some((rule) => matchesName(rule, host, port))
      ? "the operator denies this host"
      : allow.some((rule) => matchesName(rule, host, port) && (isExact(rule) || !isMetadataName(host)))
      ? undefined
      : isMetadataName(host)
      ? "it is a metadata service"
      : host === "localhost" || host.endsWith(".localhost")
      ? "it is this machine"
      : undefined

  const refusesAddress = (host: string, port: number, text: string) => {
    const name = normalName(host)
    const address = parseAddress(text)
    if (address === undefined) return "its address cannot be read"
    if (deny.some((rule) => matchesName(rule, name, port) || matchesAddress(rule, address, port))) {
      return "the operator denies this address"
    }
    const metadata = metadataAddresses.has(address.toNormalizedString())
    const allowed = allow.some((rule) =>
      (matchesName(rule, name, port) && !metadata) ||
      (matchesAddress(rule, address, port) && (isExact(rule) || !metadata))
    )
    return allowed ? undefined : metadata ? "it is a metadata service" : notPublic(address)
  }

  const judge = (url: URL) => {
    if (url.protocol !== "http:" && url.protocol !== "https:") return "only http and https are allowed"
    const host = normalName(url.hostname)
    const port = portOf(url)
    return parseAddress(host) === undefined ? refusesName(host, port) : refusesAddress(host, port, host)
  }
  /** Of origins: what is said of one never changes, since no name is looked up here. */
  const judged = new Map<string, string | undefined>()
  const refusesUrl = (url: URL) => {
    const origin = `${url.protocol}//${url.host}`
    if (judged.has(origin)) return judged.get(origin)
    const refusal = judge(url)
    if (judged.size >= maxJudged) judged.clear()
    judged.set(origin, refusal)
    return refusal
  }

  return { refusesAddress, refusesUrl }
}

const maxJudged = 1000

/** The port a URL is requested on. */
export const portOf = (url: URL): number => url.port !== "" ? Number(url.port) : url.protocol === "https:" ? 443 : 80

/* ------------------------------------------------------------------------------------------------------------------
 * Names and addresses
 * ---------------------------------------------------------------------------------------------------------------- */

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** Names of services that hand out credentials of the machine they are asked from. */
const metadataNames: ReadonlySet<string> = new Set([
  "metadata",
  "metadata.goog",
  "metadata.google.internal",
  "metadata.azure.internal",
  "metadata.tencentyun.com",
  "instance-data",
  "instance-data.ec2.internal"
])
const isMetadataName = (host: string) => metadataNames.has(host)

/** The same services by address. Most lie in ranges refused anyway; Azure's 168.63.129.16 looks public. */
const metadataAddresses: ReadonlySet<string> = new Set(
  [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.169.253",
    "169.254.0.23",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254"
  ].map((text) => ipaddr.parse(text).toNormalizedString())
)

/** Lower case, without brackets and the dots that end a fully qualified name. */
const normalName = (host: string) => host.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.+$/, "")

/** An IPv4 address inside an IPv6 one (`::ffff:127.0.0.1`) counts as what it is. */
const parseAddress = (text: string): Address | undefined => {
  if (ipaddr.IPv6.isValid(text)) return ipaddr.process(text)
  return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text) : undefined
}

/**
 * Public is what the registries of special addresses leave over: https://www.iana.org/assignments/iana-ipv4-special-registry
 * and https://www.iana.org/assignments/iana-ipv6-special-registry; of IPv6 only 2000::/3 is handed out at all. Tunnels
 * (6to4, Teredo, NAT64) are refused, since an inner address of any kind may stand behind them.
 */
const notPublic = (address: Address): string | undefined => {
  const range = address.range()
  if (range === "unicast") {
    return address.kind() === "ipv4" || address.match(globalIPv6) ? undefined : "its address is not public"
  }
  return `its address is not public (${range})`
}
const globalIPv6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("2000::"), 3]

const isExact = (rule: Rule) =>
  rule._tag === "Name" ? !rule.subdomains : rule.bits === (rule.address.includes(":") ? 128 : 32)

const onPort = (rule: Rule, port: number) => rule.port === undefined || rule.port === port

const matchesName = (rule: Rule, host: string, port: number) =>
  rule._tag === "Name" && onPort(rule, port) &&
  (rule.subdomains ? host.endsWith(`.${rule.name}`) : host === rule.name)

const matchesAddress = (rule: Rule, address: Address, port: number) => {
  if (rule._tag === "Name" || !onPort(rule, port)) return false
  const range = ipaddr.parse(rule.address)
  return range.kind() === address.kind() && address.match(range, rule.bits)
}

/* ------------------------------------------------------------------------------------------------------------------
 * Rules as text
 * ---------------------------------------------------------------------------------------------------------------- */

const parse = (text: string): Rule | undefined => {
  const match = /^(?:\[([^\]]+)\]|(.+?))(?::(\d{1,5}))?$/s.exec(text.trim())
  const whole = parseHost(text.trim())
  if (whole !== undefined || match === null) return whole
  const port = match[3] === undefined ? undefined : Number(match[3])
  if (port !== undefined && (port < 1 || port > 65535)) return undefined
  const rule = parseHost(match[1] ?? match[2]!)
  return rule === undefined || port === undefined ? rule : { ...rule, port }
}

const parseHost = (text: string): Rule | undefined => {
  const [host = "", bits, ...more] = text.split("/")
  const address = parseAddress(host)
  if (address !== undefined) {
    const most = address.kind() === "ipv4" ? 32 : 128
    const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
    return more.length > 0 || length < 0 || length > most
      ? undefined
      : { _tag: "Range", address: address.toString(), bits: length }
  }
  const subdomains = host.startsWith("*.")
  const name = normalName(subdomains ? host.slice(2) : host)
  return bits !== undefined || !/^[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*$/u.test(name) || /^[\d.]+$/.test(name)
    ? undefined
    : { _tag: "Name", name, subdomains }
}

const print = (rule: Rule): string => {
  const port = rule.port === undefined ? "" : `:${rule.port}`
  if (rule._tag === "Name") return `${rule.subdomains ? "*." : ""}${rule.name}${port}`
  const range = isExact(rule) ? rule.address : `${rule.address}/${rule.bits}`
  return port !== "" && range.includes(":") ? `[${range}]${port}` : range + port
}
