import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import { Agents } from "../../../src/agents/Agents.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Files from "../../../src/subsystems/io/Files.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import { agentDocument, endpoint } from "../../agents/documents.ts"
import { post, send, serving } from "../serving.ts"

/** An agent that keeps what it is given as a file. */
const keeper = (ttl: number) =>
  agentDocument({ E: endpoint("x"), F: { name: "FileStore", in: ["Data"], data: { name: "note", ttl } } }, [
    "E.x -> F.Data"
  ], { id: "keeper" })

const kept = (ttl = 60) =>
  Effect.gen(function*() {
    const { context, url } = yield* serving()
    const definition = yield* AgentDefinition.fromUnknown(keeper(ttl))
    yield* Candidate.as(Context.get(context, Agents).load(definition), Candidate.user("ann"))
    const keep = (x: unknown) =>
      Effect.map(post(`${url}/agents/keeper/api/go`, { x }), ({ json }) => json.result.Url as string)
    return { context, keep, url }
  })

describe("files that agents share", () => {
  it.scopedLive("are there for whoever has the address, and for nobody who guesses", () =>
    Effect.gen(function*() {
      const { keep, url } = yield* kept()
      const address = yield* keep("hello")
      assert.match(address, new RegExp(`^${url}/storage/agent/keeper/file-[0-9a-f]{32}\\.txt$`))
      const { headers, status, text } = yield* send(address)
      assert.deepStrictEqual([status, text], [200, "hello"])
      assert.match(headers.get("content-type")!, /^text\/plain/)
      assert.strictEqual(headers.get("content-length"), "5")
      assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
      const others = [
        address.replace(/file-.{4}/, "file-0000"),
        address.replace("/keeper/", "/a1/"),
        address.replace("/agent/", "/user/"),
        `${url}/storage/agent/keeper/components_data`,
        `${url}/storage/public/public/${address.split("/").at(-1)}`,
        `${url}/storage/agent/..%2f..%2fetc/${address.split("/").at(-1)}`
      ]
      for (const other of others) {
        const { json, status } = yield* send(other)
        assert.deepStrictEqual([status, json.error], [404, "RouteNotFound"], other)
      }
    }))

  it.scopedLive("are no pages of this server", () =>
    Effect.gen(function*() {
      const { keep } = yield* kept()
      const page = yield* send(yield* keep("data:text/html,<script>alert(1)</script>"))
      assert.strictEqual(page.headers.get("content-security-policy"), "sandbox")
      const image = yield* send(yield* keep("data:image/png;base64,iVBORw0KGgo="))
      assert.strictEqual(image.headers.get("content-type"), "image/png")
      assert.isNull(image.headers.get("content-security-policy"))
    }))

  it.scopedLive("are gone when their time is over", () =>
    Effect.gen(function*() {
      const { keep } = yield* kept(1)
      const address = yield* keep("hello")
      assert.strictEqual((yield* send(address)).status, 200)
      yield* Effect.sleep("1100 millis")
      assert.strictEqual((yield* send(address)).status, 404)
    }))

  it.scopedLive("are those that were shared, and not what was written there later", () =>
    Effect.gen(function*() {
      const { context } = yield* kept()
      const write = (text: string) => Context.get(context, Storage).write("report.txt", Buffer.from(text))
      const address = yield* Effect.gen(function*() {
        yield* write("for all")
        const address = yield* Files.share("smythfs://ann.user/report.txt", "1 minute")
        assert.strictEqual((yield* send(address)).text, "for all")
        yield* Effect.sleep("5 millis")
        yield* write("for few")
        return address
      }).pipe(Candidate.as(Candidate.user("ann")), Effect.provide(context))
      assert.strictEqual((yield* send(address)).status, 404)
    }))

  it.scopedLive("are shared by those alone who may read them", () =>
    Effect.gen(function*() {
      const { context } = yield* kept()
      const ann = Candidate.user("ann")
      yield* Candidate.as(Context.get(context, Storage).write("secret.txt", Buffer.from("s")), ann)
      const share = Effect.provide(Files.share("smythfs://ann.user/secret.txt", "1 minute"), context)
      assert.include(yield* Candidate.as(share, ann), "/storage/user/ann/file-")
      assert.strictEqual((yield* Effect.flip(Candidate.as(share, Candidate.user("bob"))))._tag, "AccessDenied")
    }))
})
