/** How an OAuth client proves itself with its private key: https://www.rfc-editor.org/rfc/rfc7523#section-2.2 */
import { Either, Option, Redacted } from "effect"
import { createPrivateKey, type KeyObject, sign } from "node:crypto"

export interface Assertion {
  readonly clientId: string
  /** PEM, or a JWK as JSON: RSA, P-256, P-384, P-521 or Ed25519. */
  readonly privateKey: Redacted.Redacted
  /** The authorization server, by its issuer or its token endpoint. */
  readonly audience: string
  /** Unguessable, and new each time: servers take an assertion once. */
  readonly id: string
  /** Milliseconds since 1970; it is good for five minutes. */
  readonly now: number
}

/** Parameters of a request to the token endpoint, or why the key cannot be used. */
export const parameters = (
  { audience, clientId, id, now, privateKey }: Assertion
): Either.Either<Readonly<Record<string, string>>, string> =>
  Option.match(keyOf(Redacted.value(privateKey)), {
    onNone: () => Either.left("the private key is neither PEM nor a JWK of RSA, P-256, P-384, P-521 or Ed25519"),
    onSome: ({ alg, hash, key }) => {
      const seconds = Math.floor(now / 1000)
      const claims = { iss: clientId, sub: clientId, aud: audience, iat: seconds, exp: seconds + 300, jti: id }
      const said = [{ alg, typ: "JWT" }, claims].map((part) => base64url(JSON.stringify(part))).join(".")
      const signature = sign(hash, Buffer.from(said), { key, dsaEncoding: "ieee-p1363" })
      return Either.right({
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion: `${said}.${base64url(signature)}`
      })
    }
  })

const base64url = (data: string | Uint8Array) => Buffer.from(data).toString("base64url")

interface SigningKey {
  readonly key: KeyObject
  readonly alg: string
  /** None where the algorithm has its own. */
  readonly hash: "sha256" | "sha384" | "sha512" | undefined
}

const keyOf = (text: string): Option.Option<SigningKey> =>
  Option.flatMap(read(text), (key) => {
    const { asymmetricKeyDetails: { namedCurve = "" } = {}, asymmetricKeyType: type } = key
    const kind = type === "ec" ? namedCurve : type
    return Option.map(Option.fromNullable(algorithms.get(kind ?? "")), (algorithm) => ({ key, ...algorithm }))
  })

const read = Option.liftThrowable((text: string) =>
  text.trimStart().startsWith("{") ? createPrivateKey({ key: JSON.parse(text), format: "jwk" }) : createPrivateKey(text)
)

/** https://www.rfc-editor.org/rfc/rfc7518#section-3.1, by the type of the key or its curve. */
const algorithms: ReadonlyMap<string, Omit<SigningKey, "key">> = new Map([
  ["rsa", { alg: "RS256", hash: "sha256" }],
  ["prime256v1", { alg: "ES256", hash: "sha256" }],
  ["secp384r1", { alg: "ES384", hash: "sha384" }],
  ["secp521r1", { alg: "ES512", hash: "sha512" }],
  ["ed25519", { alg: "EdDSA", hash: undefined }]
])
