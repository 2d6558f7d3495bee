import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import * as NetworkPolicy from "../../../src/subsystems/io/NetworkPolicy.ts"

const rules = Schema.decodeSync(Schema.Array(NetworkPolicy.RuleFromString))
const policy = (allow: ReadonlyArray<string> = [], deny: ReadonlyArray<string> = []) =>
  NetworkPolicy.make({ allow: rules(allow), deny: rules(deny) })
const refuses = (url: string, allow?: ReadonlyArray<string>, deny?: ReadonlyArray<string>) =>
  policy(allow, deny).refusesUrl(new URL(url)) !== undefined

const hostile = [
  // other schemes
  "file:///etc/passwd",
  "ftp://example.com/",
  "gopher://127.0.0.1:6379/_FLUSHALL",
  "data:text/plain,hi",
  "javascript:alert(1)",
  "ws://example.com/",
  "unix:/var/run/docker.sock",
  "blob:http://example.com/1",
  "dict://127.0.0.1:11211/stat",
  "jar:http://example.com!/",
  // this machine by name
  "http://localhost/",
  "http://LOCALHOST/",
  "http://localhost./",
  "http://localhost../",
  "http://foo.localhost/",
  "http://a.b.localhost.:8080/",
  "http://ｌｏｃａｌｈｏｓｔ/",
  "http://local\thost/",
  "http://user:pw@localhost:1234/",
  "http://l%6fcalhost/",
  // this machine by address, in every spelling
  "http://127.0.0.1/",
  "https://127.0.0.1/",
  "http://127.0.0.1:8080/",
  "http://127.0.0.1./",
  "http://127.1/",
  "http://127.0.1/",
  "http://127.255.255.254/",
  "http://2130706433/",
  "http://0x7f000001/",
  "http://0x7f.1/",
  "http://0x7f.0x0.0x0.0x1/",
  "http://0177.0.0.1/",
  "http://017700000001/",
  "http://0177.0.0x0.1/",
  "http://%31%32%37.0.0.1/",
  "http://①②⑦.⓪.⓪.①/",
  "http://127。0。0。1/",
  "http://example.com@127.0.0.1/",
  "http://1.1.1.1:80@127.0.0.1/",
  "http:\\\\127.0.0.1\\",
  "http:127.0.0.1",
  "http:///127.0.0.1/",
  "http://127.0.0.1:80\\@example.com/",
  "http://127.0.0.1#@example.com/",
  "http://127.0.0.1?@example.com/",
  "http://[::1]/",
  "http://[0:0:0:0:0:0:0:1]/",
  "http://[0000::0001]:3000/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:7f00:1]/",
  "http://[0:0:0:0:0:ffff:7f00:0001]/",
  "http://[::127.0.0.1]/",
  "http://[::7f00:1]/",
  "http://[::ffff:0:127.0.0.1]/",
  // no particular machine
  "http://0/",
  "http://0.0.0.0/",
  "http://0.1.2.3/",
  "http://[::]/",
  "http://[::ffff:0.0.0.0]/",
  "http://255.255.255.255/",
  "http://0xffffffff/",
  "http://240.0.0.1/",
  "http://224.0.0.1/",
  "http://239.255.255.250:1900/",
  "http://[ff02::1]/",
  "http://[ff0e::1]/",
  // private networks
  "http://10.0.0.1/",
  "http://10.255.255.255/",
  "http://172.16.0.1/",
  "http://172.31.255.255/",
  "http://192.168.0.1/",
  "http://192.168.1/",
  "http://3232235777/",
  "http://0xc0a80101/",
  "http://100.64.0.1/",
  "http://100.127.255.254/",
  "http://198.18.0.1/",
  "http://192.0.0.8/",
  "http://192.0.2.1/",
  "http://198.51.100.1/",
  "http://203.0.113.1/",
  "http://192.88.99.1/",
  "http://[fc00::1]/",
  "http://[fd12:3456:789a::1]/",
  "http://[fe80::1]/",
  "http://[fec0::1]/",
  "http://[::ffff:10.0.0.1]/",
  "http://[::ffff:c0a8:101]/",
  // metadata services
  "http://169.254.169.254/latest/meta-data/",
  "http://169.254.169.254./",
  "http://2852039166/",
  "http://0xa9fea9fe/",
  "http://0251.0376.0251.0376/",
  "http://169.254.43518/",
  "http://[::ffff:169.254.169.254]/",
  "http://[::ffff:a9fe:a9fe]/",
  "http://[fd00:ec2::254]/",
  "http://[fd00:0ec2:0:0:0:0:0:254]/",
  "http://[fd20:ce::254]/",
  "http://169.254.170.2/v2/credentials",
  "http://100.100.100.200/",
  "http://192.0.0.192/",
  "http://168.63.129.16/",
  "http://metadata.google.internal/computeMetadata/v1/",
  "http://METADATA.google.internal./",
  "http://metadata/",
  "http://metadata.goog/",
  "http://instance-data/",
  // tunnels and reserved parts of IPv6
  "http://[64:ff9b::7f00:1]/",
  "http://[64:ff9b::a9fe:a9fe]/",
  "http://[64:ff9b:1::7f00:1]/",
  "http://[2002:7f00:1::]/",
  "http://[2002:a9fe:a9fe::1]/",
  "http://[2001:0:7f00:1::1]/",
  "http://[2001:db8::1]/",
  "http://[100::1]/",
  "http://[4000::1]/",
  "http://[5f00::1]/"
]

describe("NetworkPolicy", () => {
  for (const url of hostile) {
    it(`refuses ${JSON.stringify(url)}`, () => assert.isTrue(refuses(url)))
  }

  it("lets through the public internet", () => {
    for (
      const url of [
        "https://example.com/",
        "http://example.com:8080/a?b",
        "http://8.8.8.8/",
        "https://1.1.1.1./",
        "http://[2606:4700::1111]/",
        "http://[::ffff:8.8.8.8]/",
        "https://mylocalhost/",
        "https://localhost.example.com/",
        "https://metadata.example.com/"
      ]
    ) assert.isFalse(refuses(url), url)
  })

  it("judges an address a name resolved to like one in the URL", () => {
    const { refusesAddress } = policy()
    for (
      const address of [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
        "fe80::1%eth0",
        "nonsense"
      ]
    ) {
      assert.isDefined(refusesAddress("example.com", 443, address), address)
    }
    assert.isUndefined(refusesAddress("example.com", 443, "8.8.8.8"))
  })

  it("opens what the operator allows, no port and no neighbour more", () => {
    assert.isFalse(refuses("http://127.0.0.1:8080/", ["127.0.0.1:8080"]))
    assert.isTrue(refuses("http://127.0.0.1:8081/", ["127.0.0.1:8080"]))
    assert.isTrue(refuses("http://127.0.0.2:8080/", ["127.0.0.1:8080"]))
    assert.isFalse(refuses("http://[::1]:3000/", ["[::1]:3000"]))
    assert.isTrue(refuses("http://[::1]/", ["[::1]:3000"]))
    assert.isFalse(refuses("http://[::1]/", ["::1"]))
    assert.isFalse(refuses("http://10.9.8.7/", ["10.0.0.0/8"]))
    assert.isTrue(refuses("http://192.168.0.1/", ["10.0.0.0/8"]))
    assert.isFalse(refuses("http://[fd00::5]/", ["fd00::/8"]))
    assert.isFalse(refuses("http://localhost/", ["localhost"]))
    assert.isFalse(refuses("https://127.0.0.1/", ["127.0.0.1:443"]))
    assert.isFalse(refuses("http://[::ffff:10.0.0.1]/", ["10.0.0.0/8"]))
  })

  it("lets an allowed name resolve to a private address, and no other name", () => {
    const { refusesAddress } = policy(["*.internal", "db.corp:8080"])
    assert.isUndefined(refusesAddress("api.internal", 80, "10.0.0.1"))
    assert.isUndefined(refusesAddress("API.internal.", 80, "10.0.0.1"))
    assert.isDefined(refusesAddress("internal", 80, "10.0.0.1"))
    assert.isDefined(refusesAddress("evilinternal", 80, "10.0.0.1"))
    assert.isUndefined(refusesAddress("db.corp", 8080, "10.0.0.1"))
    assert.isDefined(refusesAddress("db.corp", 80, "10.0.0.1"))
  })

  it("opens a metadata service only to a rule that names it exactly", () => {
    assert.isTrue(refuses("http://169.254.169.254/", ["169.254.0.0/16"]))
    assert.isTrue(refuses("http://metadata.google.internal/", ["*.internal"]))
    assert.isDefined(policy(["*.internal"]).refusesAddress("a.internal", 80, "169.254.169.254"))
    assert.isFalse(refuses("http://169.254.169.254/", ["169.254.169.254"]))
    assert.isFalse(refuses("http://metadata.google.internal/", ["metadata.google.internal"]))
  })

  it("closes what the operator denies, over what he allows", () => {
    assert.isTrue(refuses("https://example.com/", [], ["example.com"]))
    assert.isTrue(refuses("https://a.example.com/", ["a.example.com"], ["*.example.com"]))
    assert.isTrue(refuses("http://8.8.8.8/", ["8.8.8.8"], ["8.0.0.0/8"]))
    assert.isDefined(policy([], ["8.0.0.0/8"]).refusesAddress("dns.google", 443, "8.8.8.8"))
    assert.isFalse(refuses("https://example.org/", [], ["example.com"]))
  })

  it("reads and prints rules", () => {
    for (
      const text of [
        "example.com",
        "*.internal",
        "10.0.0.0/8",
        "127.0.0.1",
        "127.0.0.1:8080",
        "*.a.b:443",
        "::1",
        "[::1]:80",
        "fd00::/8",
        "[fd00::/8]:8080"
      ]
    ) {
      assert.strictEqual(Schema.encodeSync(NetworkPolicy.RuleFromString)(rules([text])[0]!), text)
    }
  })

  it("refuses text that is no rule, naming it", () => {
    for (
      const text of [
        "",
        "*",
        "a b",
        "http://a",
        "10.0.0.0/33",
        "10.0.0/8",
        "1.2.3",
        "a:0",
        "a:99999",
        "::1/129",
        "a/8",
        "a..b"
      ]
    ) {
      assert.throws(() => rules([text]), `is not a rule`, text)
    }
  })

  it("never lets an IPv4 address through that it refuses in mapped form", () =>
    FastCheck.assert(
      FastCheck.property(FastCheck.ipV4(), (address) => {
        const one = policy().refusesAddress("x.example", 80, address)
        assert.strictEqual(policy().refusesAddress("x.example", 80, `::ffff:${address}`), one)
      })
    ))
})
